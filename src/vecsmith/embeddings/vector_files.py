"""Reading vectors from ``.npy``, ``.npz`` and ``.parquet`` files of other programs."""

import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vecsmith.array_types import Vectors
from vecsmith.arrays import open_npy
from vecsmith.embeddings.checks import check_shapes
from vecsmith.embeddings.columns import ID_NAMES, TEXT_NAMES, VECTOR_NAMES, known_column, usual_column
from vecsmith.errors import VecsmithError

SUFFIXES = (".npy", ".npz", ".parquet")

_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Columns:
    """Columns of a Parquet file or arrays of an ``.npz`` file to read; None selects a column with a common name.

    Attributes
    ----------
    vectors, ids, texts : str or None
        Names of the columns.
    """

    vectors: str | None = None
    ids: str | None = None
    texts: str | None = None

    def __str__(self) -> str:
        named = {"vectors": self.vectors, "ids": self.ids, "texts": self.texts}
        return ", ".join(f"the {what} are {name!r}" for what, name in named.items() if name)


class VectorFile(NamedTuple):
    """Content of a vector file.

    Attributes
    ----------
    vectors : ndarray of shape (n, d)
        The vectors, floats.
    ids, texts : list of str, or None
        Ids and texts, if the file has them.
    """

    vectors: Vectors
    ids: list[str] | None
    texts: list[str] | None


def read_vectors(path: str | Path, columns: Columns | None = None) -> VectorFile:
    """Read vectors, ids and texts from a file. No code in the file is executed.

    Parameters
    ----------
    path : str or Path
        ``.npy``: the vectors, memory-mapped. ``.npz``: a single array, or an array named ``vectors`` or ``embeddings``;
        ids in an array ``ids``. ``.parquet``: a single column of lists of floats, or a column named ``vector`` or
        ``embedding``; ids in a column ``_id``, ``id`` or ``uuid``; texts in a column such as ``text``, ``content`` or
        ``body``.
    columns : Columns, optional
        Columns or arrays to read instead.

    Returns
    -------
    vectors : ndarray of shape (n, d)
        In the file's dtype.
    ids, texts : list of str or None
        One per vector; missing texts are empty strings.

    Raises
    ------
    VecsmithError
        If the file is missing or broken, does not have exactly one table of floats, lacks a given column, or has a row
        of a different length or with a missing value (the message names the row).
    """
    columns = columns or Columns()
    path = Path(path)
    readers = dict(zip(SUFFIXES, (_read_npy, _read_npz, _read_parquet), strict=True))
    if path.suffix not in readers:
        raise VecsmithError(f"{path} must be a {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} file.")
    if not path.is_file():
        raise VecsmithError(f"There is no file {path}.")
    try:
        content = readers[path.suffix](path, columns)
    except VecsmithError:
        raise
    except Exception as error:  # NumPy and Arrow raise many exception types on broken files
        raise VecsmithError(f"{path} is broken or holds no plain floats ({error}); write it again.") from error
    check_shapes([content.vectors], str(path))
    if content.ids is not None and len(content.ids) != len(content.vectors):
        raise VecsmithError(f"{path} has {len(content.vectors)} vectors but {len(content.ids)} ids; write it again.")
    return content


def shard_files(path: str | Path) -> list[Path]:
    """Return the vector files of a folder or of a pattern such as ``shards/*.npy``, in natural order.

    Natural order puts ``part-2`` before ``part-10``. The list is empty if `path` is neither a folder with vector files
    nor a pattern.

    Raises
    ------
    VecsmithError
        If a pattern matches no file, or the files include both a corpus and queries.
    """
    path = Path(path)
    is_pattern = not path.exists() and any(letter in str(path) for letter in "*?[")
    candidates = map(Path, glob.glob(str(path))) if is_pattern else path.iterdir() if path.is_dir() else []  # noqa: PTH207
    files = [file for file in candidates if file.suffix in SUFFIXES and not file.name.startswith(".")]
    if is_pattern and not files:
        raise VecsmithError(f"No vector file matches {path}; give a pattern of {', '.join(SUFFIXES)} files.")
    if {"corpus", "queries"} <= {file.stem for file in files}:
        raise VecsmithError(f"{path} contains vectors of a corpus and of queries; name one of these files.")
    return sorted(files, key=lambda file: [int(part) if part.isdigit() else part for part in _DIGITS.split(file.name)])


def read_shards(
    files: Sequence[Path], columns: Columns | None = None
) -> tuple[list[Vectors], list[str] | None, list[str] | None]:
    """Read the shards of one set: vectors, and ids and texts if all files have them.

    Raises
    ------
    VecsmithError
        See `read_vectors`; also if only some files have ids.
    """
    shards = [read_vectors(file, columns) for file in files]
    lacking = [file for file, shard in zip(files, shards, strict=True) if shard.ids is None]
    if lacking and len(lacking) < len(files):
        raise VecsmithError(f"{lacking[0]} has no ids, but other shards of the set have; all or none must have them.")
    ids = None if lacking else [id_ for shard in shards for id_ in shard.ids or []]
    has_texts = all(shard.texts is not None for shard in shards)
    texts = [text for shard in shards for text in shard.texts or []] if has_texts else None
    return [shard.vectors for shard in shards], ids, texts


def chosen_columns(path: Path, columns: Columns) -> Columns:
    """Return the columns of a Parquet file to read; None for ids or texts that the file lacks.

    Raises
    ------
    VecsmithError
        If the file is not a Parquet file, lacks a given column, or has several candidate columns of vectors.
    """
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise VecsmithError(f"{path} is broken or holds no plain floats ({error}); write it again.") from error
    return choose_columns(schema, columns, path)


def _read_npy(path: Path, columns: Columns) -> VectorFile:
    if columns != Columns():
        raise VecsmithError(f"{path} has no columns; leave out --column, --id-column and --text-column.")
    return VectorFile(open_npy(path), None, None)


def _read_npz(path: Path, columns: Columns) -> VectorFile:
    with np.load(path, allow_pickle=False) as arrays:
        names = arrays.files
        id_array = known_column(names, columns.ids, str(path)) if columns.ids else usual_column(names, ID_NAMES)
        vectors = arrays[_choose([name for name in names if name != id_array], columns.vectors, path)]
        texts = arrays[known_column(names, columns.texts, str(path))].tolist() if columns.texts else None
        ids = [str(id_) for id_ in arrays[id_array].tolist()] if id_array else None
        return VectorFile(vectors, ids, texts and [str(text) for text in texts])


def _read_parquet(path: Path, columns: Columns) -> VectorFile:
    with pq.ParquetFile(path, memory_map=True) as file:
        columns = choose_columns(file.schema_arrow, columns, path)
        column, id_column, text_column = columns.vectors, columns.ids, columns.texts
        vectors: NDArray[Any] | None = None
        ids, texts = list[str](), list[str]()
        row = 0
        for batch in file.iter_batches(columns=[name for name in (column, id_column, text_column) if name]):
            if not len(batch):
                continue
            block = to_array(batch[column], row, path)
            if vectors is None:
                vectors = np.empty((file.metadata.num_rows, block.shape[1]), dtype=block.dtype)
            if block.shape[1] != vectors.shape[1]:
                raise _ragged(path, row, block.shape[1], vectors.shape[1])
            vectors[row : row + len(block)] = block
            if id_column:
                ids += to_ids(batch[id_column], row, path)
            if text_column:
                texts += [text or "" for text in batch[text_column].to_pylist()]
            row += len(block)
    if vectors is None:
        raise VecsmithError(f"{path} is empty: it contains no vector.")
    return VectorFile(vectors, ids if id_column else None, texts if text_column else None)


def choose_columns(schema: Any, columns: Columns, path: object) -> Columns:
    """Return the columns of vectors, ids and texts of an Arrow schema; None for ids or texts that the schema lacks.

    Parameters
    ----------
    schema : pyarrow.Schema
        The schema.
    columns : Columns
        Names of the columns, where they are given.
    path : object
        Name of the file in errors.

    Raises
    ------
    VecsmithError
        If a given column is missing or of another type, or there are several candidate columns of vectors.
    """
    floats = [field.name for field in schema if _is_float_list(field.type)]
    strings = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
    for name in (columns.vectors, columns.ids, columns.texts):
        if name is not None:
            known_column(schema.names, name, str(path))
    if columns.texts not in (None, *strings):
        raise VecsmithError(f"The column {columns.texts!r} of {path} does not contain texts; name another.")
    return Columns(
        _choose(floats, columns.vectors, path),
        columns.ids or usual_column(schema.names, ID_NAMES),
        columns.texts or usual_column(strings, TEXT_NAMES),
    )


def _choose(names: Sequence[str], chosen: str | None, path: object) -> str:
    """Return the name of the table of floats to read."""
    named = [name for name in names if name.lower() in VECTOR_NAMES]
    if chosen is None and (len(names) == 1 or len(named) == 1):
        return (named or names)[0]
    if chosen is not None and chosen in names:
        return chosen
    others = f"several ({', '.join(names)})" if names else "none"
    raise VecsmithError(
        f"{path} should have one table of float vectors, but has {others}; call one 'vectors', or name it with "
        "--column of fit and encode."
        if chosen is None
        else f"{path} has no float vectors called {chosen!r}, but {', '.join(map(repr, names)) or 'none at all'}."
    )


def _is_float_list(type_: Any) -> bool:
    is_list = pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_)
    return bool(is_list and pa.types.is_floating(type_.value_type))


def to_array(lists: Any, start: int, path: object) -> NDArray[Any]:
    """Return an Arrow array of n lists as an array (n, d) without a copy.

    Parameters
    ----------
    lists : pyarrow.Array
        Lists or fixed-size lists of floats.
    start, path
        Number of the first row and name of the file, for errors.

    Raises
    ------
    VecsmithError
        If a list or a value is null, or the lists have different lengths; the message names the row.
    """
    lengths = np.asarray(lists.value_lengths().fill_null(-1))
    if (lengths < 0).any():
        raise VecsmithError(f"{path} has no vector in row {start + int(np.argmin(lengths))}; drop that row.")
    if (lengths != lengths[0]).any():
        row = int(np.argmax(lengths != lengths[0]))
        raise _ragged(path, start + row, int(lengths[row]), int(lengths[0]))
    values = lists.flatten()
    if values.null_count:
        row = int(np.argmax(np.asarray(values.is_null()))) // int(lengths[0])
        raise VecsmithError(f"{path} has a null in the vector of row {start + row}; embed that text again.")
    array: NDArray[Any] = values.to_numpy(zero_copy_only=True).reshape(len(lists), int(lengths[0]))
    return array


def to_ids(ids: Any, start: int, path: object) -> list[str]:
    """Return an Arrow array of ids as strings; `start` and `path` as in `to_array`.

    Raises
    ------
    VecsmithError
        If an id is null; the message names the row.
    """
    if ids.null_count:
        row = start + int(np.argmax(np.asarray(ids.is_null())))
        raise VecsmithError(f"{path} has no id in row {row}; every row needs a unique id.")
    return [str(id_) for id_ in ids.to_pylist()]


def _ragged(path: object, row: int, dimensions: int, expected: int) -> VecsmithError:
    return VecsmithError(
        f"{path} has a vector of {dimensions} dimensions in row {row}, but of {expected} before; all must be equal."
    )
