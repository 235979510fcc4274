"""Folders of parts: Parquet files of vectors or codes, with ids and texts, that many processes may have written.

A folder contains ``part-00000.parquet`` … with the columns ``id``, ``text`` (if there are texts), and ``vector`` (a
fixed-size list of float32) or ``code`` (fixed-size binary); for codes a folder ``codec``; and ``manifest.json``, which
is written last and has the number of rows and a SHA-256 of each part. `vecsmith.distributed` writes such folders.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vecsmith.array_types import RowNumbers, Vectors
from vecsmith.embeddings.arrow_columns import to_array
from vecsmith.embeddings.rows import Rows
from vecsmith.embeddings.shards import Shards
from vecsmith.embeddings.strings import StringColumn
from vecsmith.errors import VecsmithError

VECTOR_PARTS, CODE_PARTS = "vectors in parts", "codes in parts"
"""Kinds of folders."""
PARTS_VERSION = 1


def part_name(number: int) -> str:
    """Return the file name of a part."""
    return f"part-{number:05d}.parquet"


class PartStrings(StringColumn):
    """A column of strings of all parts; one file is open at a time, and the strings of one part are in memory.

    Parameters
    ----------
    folder : Path
        The folder.
    counts : sequence of int
        Number of rows of each part.
    name : str
        Name of the column.
    """

    def __init__(self, folder: Path, counts: Sequence[int], name: str) -> None:
        self._folder, self._name = folder, name
        self.starts = list(accumulate(counts, initial=0))
        self._latest: tuple[int, pa.ChunkedArray] | None = None

    def block(self, number: int) -> pa.ChunkedArray:
        """Return the strings of a part."""
        if self.starts[number] == self.starts[number + 1]:
            return pa.chunked_array([], pa.string())
        latest = self._latest
        if latest is None or latest[0] != number:
            column = read_column(self._folder / part_name(number), self._name).cast(pa.string())
            latest = self._latest = number, column
        return latest[1]


class PartRows(Rows):
    """Ids and texts of all parts, read on access.

    Parameters
    ----------
    folder : Path
        The folder.
    manifest : mapping
        Its manifest.
    """

    def __init__(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        counts = manifest["parts"]
        has_texts = "text" in _schema(folder, manifest).names
        self.ids = PartStrings(folder, counts, "id")
        self.texts = PartStrings(folder, counts, "text") if has_texts else None


class PartShards(Shards):
    """Vectors of all parts; those of one part are in memory at a time.

    Parameters
    ----------
    folder : Path
        The folder.
    manifest : mapping
        Its manifest.
    """

    def __init__(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        counts = manifest["parts"]
        self._folder, self._numbers = folder, range(len(counts))
        self.starts = list(accumulate(counts, initial=0))
        type_ = _schema(folder, manifest).field("vector").type
        self.dimensions, self.dtype = type_.list_size, np.dtype(type_.value_type.to_pandas_dtype())
        self._latest: tuple[int, Vectors] | None = None

    def __getitem__(self, number: Any) -> Any:
        """Return the array of a part."""
        number = self._numbers[number]
        if self.starts[number] == self.starts[number + 1]:
            return np.empty((0, self.dimensions), self.dtype)
        latest = self._latest
        if latest is None or latest[0] != number:
            path = self._folder / part_name(number)
            latest = self._latest = number, to_array(read_column(path, "vector").combine_chunks(), 0, path)
        return latest[1]

    @property
    def folders(self) -> set[Path]:
        """The folder."""
        return {self._folder.resolve()}


def read_codes(
    manifest: Mapping[str, Any], open_part: Callable[[str], Any], numbers: range | None = None
) -> NDArray[np.uint8]:
    """Return the codes (n, bytes_per_vector) of parts, in memory.

    Parameters
    ----------
    manifest : mapping
        Manifest of the folder.
    open_part : callable
        Returns the path or the open file of a part by its name.
    numbers : range, optional
        The parts; all by default.

    Raises
    ------
    VecsmithError
        If a part is broken, or does not have as many codes as the manifest says.
    """
    size, counts = manifest["bytes_per_vector"], manifest["parts"]
    codes = np.empty((sum(counts[number] for number in numbers or range(len(counts))), size), np.uint8)
    start = 0
    for number in numbers or range(len(counts)):
        chunks = read_column(open_part(part_name(number)), "code").chunks if counts[number] else []
        if sum(map(len, chunks)) != counts[number]:
            raise VecsmithError(f"{part_name(number)} does not have {counts[number]} codes; write the folder again.")
        for chunk in chunks:
            content = np.frombuffer(chunk.buffers()[1], np.uint8).reshape(-1, size)
            codes[start : start + len(chunk)] = content[chunk.offset : chunk.offset + len(chunk)]
            start += len(chunk)
    return codes


def zero_rows_of(manifest: Mapping[str, Any], numbers: range | None = None) -> RowNumbers:
    """Return the row numbers (m,), int64, of all-zero vectors in parts, counted from the first of these parts."""
    rows, start = list[int](), 0
    for number in numbers or range(len(manifest["parts"])):
        rows += [start + row for row in manifest["zero_rows"].get(str(number), [])]
        start += manifest["parts"][number]
    return np.array(rows, np.int64)


def read_column(path: Any, name: str) -> pa.ChunkedArray:
    """Return a column of a part, given by its path or as an open file.

    Raises
    ------
    VecsmithError
        If the file is broken.
    """
    try:
        return pq.read_table(path, columns=[name], partitioning=None)[name]
    except (pa.ArrowException, OSError) as error:
        raise VecsmithError(f"{path} is broken ({error}); write the folder again.") from error


def parts_of(manifest: Mapping[str, Any]) -> list[str]:
    """Return the names of all part files; a part without rows has no file."""
    return [part_name(number) for number, rows in enumerate(manifest["parts"]) if rows]


def _schema(folder: Path, manifest: Mapping[str, Any]) -> Any:
    path = folder / parts_of(manifest)[0]
    try:
        return pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise VecsmithError(f"{path} is broken ({error}); write the folder again.") from error
