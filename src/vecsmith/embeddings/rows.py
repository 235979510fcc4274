"""Row ids and optional texts of vectors, in memory or in a Parquet file."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate, repeat
from operator import index
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vecsmith.errors import VecsmithError

Column = Literal["id", "text"]

Row = tuple[str, str | None]
"""An id and its text; the text is None if there are no texts."""

ROW_GROUP_ROWS = 65_536
"""Rows per Parquet row group, the unit of reading and writing."""


class Rows(Sequence[Row]):
    """A sequence of n rows, each an id and a text, read in row groups to save memory.

    Parameters
    ----------
    count : int
        n.
    ids : sequence of str, optional
        The row numbers by default, generated on access.
    texts : sequence of str, optional
        The texts.
    """

    def __init__(self, count: int, ids: Sequence[str] | None = None, texts: Sequence[str] | None = None) -> None:
        self._given = {
            "id": None if ids is None else list(ids),
            "text": None if texts is None else list(texts),
        }
        self._starts: list[int] = [*range(0, count, ROW_GROUP_ROWS), count]
        self.has_texts = texts is not None

    def __len__(self) -> int:
        return self._starts[-1]

    @overload
    def __getitem__(self, row: int) -> Row: ...

    @overload
    def __getitem__(self, row: slice) -> list[Row]: ...

    def __getitem__(self, row: int | slice) -> Row | list[Row]:
        """Return the id and the text of a row, or a list of them for a slice; negative rows count from the end."""
        if isinstance(row, slice):
            return [self[each] for each in range(*row.indices(len(self)))]
        place = index(row)
        place += len(self) if place < 0 else 0
        if not 0 <= place < len(self):
            raise IndexError(f"There is no row {row}; the set has {len(self)} rows.")
        number = bisect_right(self._starts, place) - 1
        place -= self._starts[number]
        return self._block(number, "id")[place], self._block(number, "text")[place] if self.has_texts else None

    def __iter__(self) -> Iterator[Row]:
        return zip(self.each("id"), self.each("text") if self.has_texts else repeat(None), strict=False)

    def each(self, column: Column) -> Iterator[str]:
        """Yield all ids or all texts."""
        for number in range(len(self._starts) - 1):
            yield from self._block(number, column)

    @cached_property
    def ids(self) -> list[str]:
        """All ids."""
        return list(self.each("id"))

    @cached_property
    def texts(self) -> list[str] | None:
        """All texts; None if there are none."""
        return list(self.each("text")) if self.has_texts else None

    def _block(self, number: int, column: Column) -> Sequence[str]:
        block, given = slice(*self._starts[number : number + 2]), self._given[column]
        return [str(row) for row in range(block.start, block.stop)] if given is None else given[block]

    def check(self, source: str) -> None:
        """Check that ids are unique, non-empty strings.

        Raises
        ------
        VecsmithError
            If an id is missing, is not a string or occurs twice; the message names the id and the row.
        """
        hashes = np.fromiter(self._hashes(source), np.int64, len(self))
        hashes.sort()
        if (hashes[1:] != hashes[:-1]).all():
            return
        # either an id occurs twice, or two ids have the same hash
        seen: set[str] = set()
        for row, id_ in enumerate(self.each("id")):
            if id_ in seen:
                raise VecsmithError(f"{source} has the id {id_!r} twice, again at row {row}; ids must be unique.")
            seen.add(id_)

    def _hashes(self, source: str) -> Iterator[int]:
        for row, id_ in enumerate(self.each("id")):
            if id_ is None or id_ == "":
                raise VecsmithError(f"{source} has no id for row {row}.")
            if not isinstance(id_, str):
                raise VecsmithError(f"{source} has the id {id_!r} in row {row}, which is not a string; give str(id).")
            yield hash(id_)

    def write(self, path: Path, shard_rows: int | None = None) -> None:
        """Write the rows as Parquet, with columns for shard and offset if the rows per shard are given."""
        names: list[Column] = ["id", "text"] if self.has_texts else ["id"]
        places = [("shard", pa.int32()), ("offset", pa.int32())] if shard_rows else []
        with pq.ParquetWriter(path, pa.schema([*((name, pa.string()) for name in names), *places])) as file:
            for number in range(len(self._starts) - 1):
                columns: list[Any] = [pa.array(self._block(number, name), pa.string()) for name in names]
                if shard_rows:
                    rows = np.arange(self._starts[number], self._starts[number + 1])
                    columns += [pa.array(part, pa.int32()) for part in np.divmod(rows, shard_rows)]
                file.write_table(pa.table(columns, schema=file.schema))


class StoredRows(Rows):
    """Rows of a Parquet file with a column ``id`` and optionally ``text``, read on access.

    The file is memory-mapped, so that the rows do not change if the file is replaced. Threads may share the rows.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    VecsmithError
        If the file is broken or has no ids.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mapped = pa.memory_map(str(path))
        self._latest: dict[Column, tuple[int, list[str]]] = {}
        with self._opened() as file:
            names, metadata = file.schema_arrow.names, file.metadata
            sizes = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
        if "id" not in names:
            raise VecsmithError(f"{path} has no column 'id'; write it again.")
        self._starts = list(accumulate(sizes, initial=0))
        self.has_texts = "text" in names

    def _opened(self) -> Any:
        try:
            return pq.ParquetFile(self._mapped)
        except pa.ArrowException as error:
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> VecsmithError:
        return VecsmithError(f"{self._path} is broken ({error}); write it again.")

    def _block(self, number: int, column: Column) -> Sequence[str]:
        latest = self._latest.get(column)
        if latest is None or latest[0] != number:
            try:
                with self._opened() as file:
                    latest = number, file.read_row_group(number, columns=[column])[column].to_pylist()
            except (pa.ArrowException, OSError) as error:  # Arrow raises OSError on a broken page
                raise self._broken(error) from error
            self._latest[column] = latest
        return latest[1]
