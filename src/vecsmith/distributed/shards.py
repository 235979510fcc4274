"""Shards of vectors or texts: files that are read in blocks, wherever they lie."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vecsmith.array_types import Vectors
from vecsmith.arrays import npy_blocks, npy_shape
from vecsmith.codecs.stages import CODE_BLOCK_ROWS
from vecsmith.distributed.locations import Location
from vecsmith.embeddings import Columns
from vecsmith.embeddings.vector_files import to_array, to_ids
from vecsmith.errors import VecsmithError, require


class Block(NamedTuple):
    """Rows of a shard.

    Attributes
    ----------
    start : int
        Number of the first row within the shard.
    vectors : ndarray of shape (n, d), or None
        The vectors, unless only texts are read.
    ids : pyarrow.Array of n strings
        The ids.
    texts : pyarrow.Array of n strings, or None
        The texts, if there are any.
    """

    start: int
    vectors: Vectors | None
    ids: pa.Array
    texts: pa.Array | None


@dataclass(frozen=True)
class Shard(ABC):
    """A file, or a part of a dataset.

    Attributes
    ----------
    location : Location
        The file or dataset.
    columns : Columns
        Columns of the vectors, ids and texts; None for those that are missing or not read.
    first_row : int
        Number of the first row in the whole set.
    title : str or None
        Column of titles that are put before the texts, with a space.
    """

    location: Location
    columns: Columns
    first_row: int = 0
    title: str | None = None

    @property
    def name(self) -> str:
        """Name in error messages."""
        return str(self.location)

    @property
    def key(self) -> list[Any]:
        """Name and size, which change if the shard is replaced by another one."""
        return [self.name, self.location.size]

    @abstractmethod
    def count(self) -> int:
        """Return the number of rows, from the header of the file."""

    @abstractmethod
    def blocks(self) -> Iterator[Block]:
        """Yield the rows in blocks of `CODE_BLOCK_ROWS`; the last block, and those at a row group's end, have fewer.

        Raises
        ------
        VecsmithError
            If the shard is missing or damaged, or a row has no id or no valid vector; the message has file and row.
        """

    def _row_numbers(self, start: int, count: int) -> pa.Array:
        first = self.first_row + start
        return pa.array(np.arange(first, first + count)).cast(pa.string())

    def _batches(self, batches: Iterator[Any]) -> Iterator[Block]:
        """Yield the blocks of Arrow batches that have the columns of this shard."""
        start, dimensions = 0, None
        vectors, ids, texts = self.columns.vectors, self.columns.ids, self.columns.texts
        for batch in batches:
            if not len(batch):
                continue
            array = to_array(batch[vectors], start, self.name) if vectors else None
            if array is not None and dimensions not in (None, array.shape[1]):
                raise VecsmithError(
                    f"{self.name} has vectors of {array.shape[1]} dimensions from row {start}, but of {dimensions} "
                    "before; all must be equal."
                )
            dimensions = None if array is None else array.shape[1]
            names = pa.array(to_ids(batch[ids], start, self.name)) if ids else self._row_numbers(start, len(batch))
            yield Block(start, array, names, self._texts(batch) if texts else None)
            start += len(batch)

    def _texts(self, batch: Any) -> pa.Array:
        texts = batch[self.columns.texts].cast(pa.string()).fill_null("")
        if self.title is None:
            return texts
        titles = batch[self.title].cast(pa.string()).fill_null("")
        return pc.utf8_trim_whitespace(pc.binary_join_element_wise(titles, texts, " "))

    @property
    def _names(self) -> list[str]:
        columns = (self.columns.vectors, self.columns.ids, self.columns.texts, self.title)
        return [name for name in columns if name]


class ParquetShard(Shard):
    """A Parquet file."""

    def count(self) -> int:
        with self._open() as file:
            return int(file.metadata.num_rows)

    def blocks(self) -> Iterator[Block]:
        with self._open() as file:
            missing = [name for name in self._names if name not in file.schema_arrow.names]
            if missing:
                raise VecsmithError(
                    f"{self.name} has no column {missing[0]!r}, which the first file has; all files need the same "
                    "columns."
                )
            try:
                yield from self._batches(file.iter_batches(CODE_BLOCK_ROWS, columns=self._names, use_threads=False))
            except (pa.ArrowException, OSError) as error:
                raise _broken(self.name, error) from error

    def _open(self) -> Any:
        try:
            return pq.ParquetFile(self.location.open())
        except (pa.ArrowException, OSError) as error:
            raise _broken(self.name, error) from error


class NpyShard(Shard):
    """An ``.npy`` file; the ids are row numbers."""

    def count(self) -> int:
        return self._shape()[0]

    def _shape(self) -> tuple[int, ...]:
        with self.location.open() as file:
            shape, dtype = npy_shape(file, self.name)
        if len(shape) != 2 or dtype.kind != "f":
            raise VecsmithError(f"{self.name} must contain floats of shape (n, d), not {dtype} of shape {shape}.")
        return shape

    def blocks(self) -> Iterator[Block]:
        self._shape()
        start = 0
        with self.location.open() as file:
            for vectors in npy_blocks(file, CODE_BLOCK_ROWS, self.name):
                yield Block(start, vectors, self._row_numbers(start, len(vectors)), None)
                start += len(vectors)


@dataclass(frozen=True)
class SetShard(Shard):
    """A shard of an embedding set; the ids and texts of all shards lie in one file.

    Attributes
    ----------
    rows : int
        Number of rows.
    """

    rows: int = 0

    def count(self) -> int:
        return self.rows

    def blocks(self) -> Iterator[Block]:
        ids, texts = self._rows()
        if self.columns.vectors is None:
            yield Block(0, None, ids, texts)
            return
        start = 0
        with self.location.open() as file:
            for vectors in npy_blocks(file, CODE_BLOCK_ROWS, self.name):
                stop = start + len(vectors)
                yield Block(start, vectors, ids[start:stop], None if texts is None else texts[start:stop])
                start = stop
        if start != self.rows:
            raise VecsmithError(f"{self.name} has {start} rows, but its manifest says {self.rows}; write it again.")

    def _rows(self) -> tuple[pa.Array, pa.Array | None]:
        """Return the ids and texts of this shard."""
        where = Location(self.location.filesystem, f"{self.location.path.rpartition('/')[0]}/rows.parquet", self.name)
        names = ["id", "text"] if self.columns.texts else ["id"]
        tables, start, stop = [], 0, self.first_row + self.rows
        try:
            with pq.ParquetFile(where.open()) as file:
                for number in range(file.metadata.num_row_groups):
                    end = start + file.metadata.row_group(number).num_rows
                    if start < stop and end > self.first_row:
                        first = max(self.first_row - start, 0)
                        group = file.read_row_group(number, columns=names, use_threads=False)
                        tables.append(group.slice(first, stop - start - first))
                    start = end
        except (pa.ArrowException, OSError) as error:
            raise _broken(self.name, error) from error
        table = pa.concat_tables(tables).combine_chunks()
        ids, *texts = (table[name].cast(pa.string()).combine_chunks() for name in names)
        return ids, texts[0] if texts else None


@dataclass(frozen=True)
class LanceShard(Shard):
    """A fragment of a Lance dataset.

    Attributes
    ----------
    dataset : str
        URI or path of the dataset.
    fragment, version : int
        Number of the fragment, and version of the dataset.
    """

    dataset: str = ""
    fragment: int = 0
    version: int = 0

    @property
    def name(self) -> str:
        return f"{self.dataset}, fragment {self.fragment}"

    @property
    def key(self) -> list[Any]:
        return [self.name, self.version]

    def count(self) -> int:
        return int(self._fragment().count_rows())

    def blocks(self) -> Iterator[Block]:
        batches = self._fragment().to_batches(columns=self._names, batch_size=CODE_BLOCK_ROWS)
        try:
            yield from self._batches(iter(batches))
        except (pa.ArrowException, OSError) as error:
            raise _broken(self.name, error) from error

    def _fragment(self) -> Any:
        return _lance_dataset(self.dataset, self.version).get_fragment(self.fragment)


@cache
def _lance_dataset(where: str, version: int) -> Any:
    """Return a Lance dataset, opened once in a process."""
    return require("lance", "ray").dataset(where, version=version)


def _broken(name: str, error: Exception) -> VecsmithError:
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    return VecsmithError(
        f"{name} cannot be read ({reason}); check the address and your permissions, or write it again."
    )
