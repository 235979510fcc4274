"""Shards: arrays of vectors that form one set, in memory or in files that are opened as they are read."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, cast, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from vecsmith.array_types import Vectors
from vecsmith.arrays import open_npy
from vecsmith.errors import VecsmithError
from vecsmith.manifests import MISSING, manifest_version, missing


class Shards(Sequence[Vectors]):
    """Arrays of vectors (rows, d) whose rows are numbered through.

    Parameters
    ----------
    arrays : sequence of ndarray of shape (rows, d)
        The vectors, at least one array.

    Attributes
    ----------
    starts : list of int
        First row of each shard, followed by the number of rows n.
    dimensions : int
        d.
    dtype : dtype
        Data type of the vectors.
    """

    def __init__(self, arrays: Sequence[Vectors]) -> None:
        self._arrays = list(arrays)
        self.starts = list(accumulate(map(len, arrays), initial=0))
        self.dimensions, self.dtype = int(arrays[0].shape[1]), arrays[0].dtype

    def __len__(self) -> int:
        return len(self.starts) - 1

    @overload
    def __getitem__(self, number: int) -> Vectors: ...

    @overload
    def __getitem__(self, number: slice) -> "Shards": ...

    def __getitem__(self, number: int | slice) -> "Vectors | Shards":
        """Return the array of a shard, or the shards of a slice."""
        return Shards(self._arrays[number]) if isinstance(number, slice) else self._arrays[number]

    @property
    def rows(self) -> int:
        """Number of rows, n."""
        return self.starts[-1]

    @property
    def folders(self) -> set[Path]:
        """Folders from which the shards are read."""
        return set().union(*(getattr(array, "folders", set()) for array in self._arrays))

    def read(self, rows: slice | NDArray[Any]) -> Vectors:
        """Return the vectors (m, d) of a slice, of row numbers (m,) or of a mask (n,), without reading other rows."""
        if isinstance(rows, slice):
            start, stop, step = rows.indices(self.rows)
            if step == 1:
                return self._read_range(start, max(start, stop))
            rows = np.arange(start, stop, step)
        if rows.dtype == np.bool_:
            rows = np.flatnonzero(rows)
        if len(self) == 1:
            return self[0][rows]
        rows = np.where(rows < 0, rows + self.rows, rows)
        numbers = np.searchsorted(self.starts, rows, side="right") - 1
        order = np.argsort(numbers, kind="stable")
        edges = np.searchsorted(numbers, np.arange(len(self) + 1), sorter=order)
        if edges[-1] < len(rows) or edges[0] > 0:
            raise IndexError(f"There are {self.rows} rows, numbered from 0, and not all of the given ones.")
        result = np.empty((len(rows), self.dimensions), self.dtype)
        for number in np.flatnonzero(np.diff(edges)):
            places = order[edges[number] : edges[number + 1]]
            result[places] = self[int(number)][rows[places] - self.starts[number]]
        return result

    def _read_range(self, start: int, stop: int) -> Vectors:
        first = bisect_right(self.starts, start) - 1
        if start == stop or stop <= self.starts[first + 1]:
            begin = self.starts[min(first, len(self) - 1)]
            return self[min(first, len(self) - 1)][start - begin : stop - begin]
        # copied shard by shard, because a view would keep the file of its shard open
        result = np.empty((stop - start, self.dimensions), self.dtype)
        for number in range(first, bisect_left(self.starts, stop)):
            begin, end = self.starts[number : number + 2]
            low, high = max(start, begin), min(stop, end)
            result[low - start : high - start] = self[number][low - begin : high - begin]
        return result


class StoredShards(Shards):
    """Shards in ``.npy`` files of a folder. At most one file is open at a time, and none before it is read.

    Parameters
    ----------
    folder : Path
        The folder, which has a manifest.
    names : sequence of str
        File names of the shards in order.
    rows : int
        Number of rows n.
    shard_rows : int
        Rows of each shard but the last, which may have fewer.
    dimensions, dtype
        As in `Shards`.
    """

    def __init__(
        self, folder: Path, names: Sequence[str], rows: int, shard_rows: int, dimensions: int, dtype: DTypeLike
    ) -> None:
        self._folder, self._names, self._shard_rows = folder, list(names), shard_rows
        self._version = manifest_version(folder)
        self.starts = [min(number * shard_rows, rows) for number in range(len(names) + 1)]
        self.dimensions = dimensions
        self.dtype = cast("np.dtype[np.floating[Any]]", np.dtype(dtype))
        self._latest: tuple[int, Vectors] | None = None

    def __getitem__(self, number: Any) -> Any:
        """Return the memory-mapped array of a shard, or the shards of a slice.

        Raises
        ------
        VecsmithError
            If the file is missing, damaged or of other dimensions, or the folder was replaced since it was opened.
        """
        if isinstance(number, slice):
            names = self._names[number]
            first = range(len(self))[number].start if names else 0
            rows = self.starts[first + len(names)] - self.starts[first]
            return StoredShards(self._folder, names, rows, self._shard_rows, self.dimensions, self.dtype)
        number = range(len(self))[number]
        latest = self._latest
        if latest is None or latest[0] != number:
            latest = self._latest = number, self._opened(number)
        return latest[1]

    @property
    def folders(self) -> set[Path]:
        """The folder."""
        return {self._folder.resolve()}

    def _opened(self, number: int) -> Vectors:
        path = self._folder / self._names[number]
        try:
            shard = open_npy(path)
        except MISSING as error:
            self._check_version()
            raise missing(path) from error
        except OSError:
            raise
        except Exception as error:  # NumPy raises many exception types on a broken file
            raise VecsmithError(f"{path} is damaged ({error}); write the folder again.") from error
        self._check_version()
        shape = self.starts[number + 1] - self.starts[number], self.dimensions
        if shard.shape != shape or shard.dtype != self.dtype:
            raise VecsmithError(
                f"{path} is damaged: it has {shard.dtype} of shape {shard.shape}, but its manifest says {self.dtype} "
                f"of shape {shape}; write the folder again."
            )
        return shard

    def _check_version(self) -> None:
        if manifest_version(self._folder) != self._version:
            raise VecsmithError(f"{self._folder} was replaced while its vectors were read; open it again.")


def as_shards(arrays: Sequence[Vectors]) -> Shards:
    """Return arrays of vectors (rows, d) as shards; shards are returned as they are."""
    return arrays if isinstance(arrays, Shards) else Shards(arrays)
