"""Row ids and optional texts of vectors, in memory or in a Parquet file."""

from collections.abc import Iterator, Sequence
from itertools import accumulate, repeat
from operator import index
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vecsmith.array_types import RowMask
from vecsmith.embeddings.strings import (
    ConcatenatedStrings,
    EmptyStrings,
    RowNumberStrings,
    StringColumn,
    as_strings,
)
from vecsmith.errors import VecsmithError
from vecsmith.manifests import missing

Row = tuple[str, str | None]
"""An id and its text; the text is None if there are no texts."""


class Rows(Sequence[Row]):
    """A sequence of n rows, each an id and a text.

    Parameters
    ----------
    count : int
        n.
    ids : sequence of str, optional
        The row numbers by default, generated on access.
    texts : sequence of str, optional
        The texts.
    source : str
        Name of the rows in error messages.

    Attributes
    ----------
    ids : StringColumn
        The ids.
    texts : StringColumn or None
        The texts; None if there are none.

    Raises
    ------
    VecsmithError
        If an id or a text is not a string; the message names the row.
    """

    ids: StringColumn
    texts: StringColumn | None

    def __init__(
        self,
        count: int,
        ids: Sequence[str] | None = None,
        texts: Sequence[str] | None = None,
        source: str = "The list of rows",
    ) -> None:
        self.ids = RowNumberStrings(count) if ids is None else as_strings(ids, "id", source)
        self.texts = None if texts is None else as_strings(texts, "text", source)

    @property
    def has_texts(self) -> bool:
        """Whether the rows have texts."""
        return self.texts is not None

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, row: int) -> Row: ...

    @overload
    def __getitem__(self, row: slice) -> list[Row]: ...

    def __getitem__(self, row: int | slice) -> Row | list[Row]:
        """Return the id and the text of a row, or a list of them for a slice; negative rows count from the end."""
        if isinstance(row, slice):
            texts = repeat(None) if self.texts is None else self.texts[row]
            return list(zip(self.ids[row], texts, strict=False))
        place = index(row)
        if not -len(self) <= place < len(self):
            raise IndexError(f"There is no row {row}; the set has {len(self)} rows.")
        return self.ids[place], None if self.texts is None else self.texts[place]

    def __iter__(self) -> Iterator[Row]:
        return zip(self.ids, repeat(None) if self.texts is None else self.texts, strict=False)

    def check(self, source: str) -> None:
        """Check that ids are unique and not empty.

        Raises
        ------
        VecsmithError
            If an id is missing or occurs twice; the message names the row.
        """
        if isinstance(self.ids, RowNumberStrings):
            return
        for start, stop in self.ids.ranges():
            missing = pc.equal(pc.fill_null(pc.binary_length(self.ids.arrow(start, stop)), 0), 0)
            if (place := pc.index(missing, True).as_py()) >= 0:
                raise VecsmithError(f"{source} has no id for row {start + place}.")
        hashes = self.ids.hashes()
        hashes.sort()
        if (hashes[1:] != hashes[:-1]).all():
            return
        # either an id occurs twice, or two ids have the same hash
        seen: set[str] = set()
        for row, id_ in enumerate(self.ids):
            if id_ in seen:
                raise VecsmithError(f"{source} has the id {id_!r} twice, again at row {row}; ids must be unique.")
            seen.add(id_)

    def write(self, path: Path, shard_rows: int | None = None) -> None:
        """Write the rows as Parquet, with columns for shard and offset if the rows per shard are given."""
        columns = {"id": self.ids, **({} if self.texts is None else {"text": self.texts})}
        places = [("shard", pa.int32()), ("offset", pa.int32())] if shard_rows else []
        with pq.ParquetWriter(path, pa.schema([*((name, pa.string()) for name in columns), *places])) as file:
            for start, stop in self.ids.ranges():
                block: list[Any] = [column.arrow(start, stop) for column in columns.values()]
                if shard_rows:
                    block += [pa.array(part, pa.int32()) for part in np.divmod(np.arange(start, stop), shard_rows)]
                file.write_table(pa.table(block, schema=file.schema))


class ConcatenatedRows(Rows):
    """Several sets of rows in sequence, without the rows that a mask leaves out.

    Parameters
    ----------
    sets : sequence of Rows
        The sets. There are texts if the first set has texts; rows of sets without texts then have empty ones.
    mask : ndarray of shape (n,), bool, optional
        Mask of the rows to include; all by default.
    """

    def __init__(self, sets: Sequence[Rows], mask: RowMask | None = None) -> None:
        self.ids = ConcatenatedStrings([rows.ids for rows in sets], mask)
        texts = [EmptyStrings(rows.ids) if rows.texts is None else rows.texts for rows in sets]
        self.texts = ConcatenatedStrings(texts, mask) if sets[0].has_texts else None


class StoredRows(Rows):
    """Rows of a Parquet file with a column ``id`` and optionally ``text``, read on access.

    Only the footer of the file is read at first. The file is memory-mapped, so that the rows do not change if the file
    is replaced. Threads may share the rows.

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
        try:
            mapped = pa.memory_map(str(path))
            with pq.ParquetFile(mapped) as file:
                names, metadata = file.schema_arrow.names, file.metadata
        except (pa.ArrowException, OSError) as error:
            raise (missing(path) if isinstance(error, FileNotFoundError) else _broken(path, error)) from error
        if "id" not in names:
            raise VecsmithError(f"{path} has no column 'id'; write it again.")
        self.ids = StoredStrings(path, mapped, metadata, "id", caches_all=True)
        self.texts = StoredStrings(path, mapped, metadata, "text") if "text" in names else None


class StoredStrings(StringColumn):
    """A column of strings in a memory-mapped Parquet file, whose row groups are the blocks.

    Parameters
    ----------
    path : Path
        The file, for error messages.
    mapped : pyarrow.MemoryMappedFile
        The file.
    metadata : pyarrow.parquet.FileMetaData
        Its footer.
    name : str
        Name of the column.
    caches_all : bool
        Whether all blocks that `cached_block` returned stay in memory, which suits short strings, or only the latest.
    """

    def __init__(self, path: Path, mapped: Any, metadata: Any, name: str, caches_all: bool = False) -> None:
        self._path, self._mapped, self._metadata, self._name = path, mapped, metadata, name
        sizes = (metadata.row_group(number).num_rows for number in range(metadata.num_row_groups))
        self.starts = list(accumulate(sizes, initial=0))
        self._caches_all = caches_all
        self._cached: dict[int, pa.ChunkedArray] = {}
        self._latest: tuple[int, pa.ChunkedArray] | None = None

    def block(self, number: int) -> pa.ChunkedArray:
        """Return the strings of a row group.

        Raises
        ------
        VecsmithError
            If the file is broken.
        """
        latest = self._latest
        if number in self._cached:
            return self._cached[number]
        if latest is None or latest[0] != number:
            try:
                with pq.ParquetFile(self._mapped, metadata=self._metadata) as file:
                    strings = file.read_row_group(number, columns=[self._name])[self._name].cast(pa.string())
            except (pa.ArrowException, OSError) as error:  # Arrow raises OSError on a broken page
                raise _broken(self._path, error) from error
            latest = self._latest = number, strings
        return latest[1]

    def cached_block(self, number: int) -> pa.ChunkedArray:
        """Return the strings of a row group, and cache them if the column caches all blocks."""
        block = self.block(number)
        if self._caches_all:
            self._cached[number] = block
        return block


def _broken(path: Path, error: Exception) -> VecsmithError:
    return VecsmithError(f"{path} is broken ({error}); write it again.")
