"""Reading vectors from ``.npy``, ``.npz`` and ``.parquet`` files of other programs."""

import glob
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vecsmith.array_types import Vectors
from vecsmith.arrays import open_npy
from vecsmith.embeddings.arrow_columns import Columns, choose_columns, ragged, to_array, to_ids, vector_column
from vecsmith.embeddings.checks import check_shapes
from vecsmith.embeddings.columns import ID_NAMES, known_column, usual_column
from vecsmith.errors import VecsmithError

SUFFIXES = (".npy", ".npz", ".parquet")

_DIGITS = re.compile(r"(\d+)")


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
    check_one_side(path, files)
    return sorted(files, key=lambda file: natural_order(file.name))


def check_one_side(source: object, files: Sequence[Path]) -> None:
    """Check that a folder of one set does not hold the vectors of a corpus and of queries.

    Raises
    ------
    VecsmithError
        If they are; the message names `source`.
    """
    if {"corpus", "queries"} <= {file.stem for file in files}:
        raise VecsmithError(f"{source} contains vectors of a corpus and of queries; name one of these files.")


def natural_order(name: str) -> list[str | int]:
    """Return a sort key by which ``part-2`` comes before ``part-10``."""
    return [int(part) if part.isdigit() else part for part in _DIGITS.split(name)]


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
        vectors = arrays[vector_column([name for name in names if name != id_array], columns.vectors, path)]
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
                raise ragged(path, row, block.shape[1], vectors.shape[1])
            vectors[row : row + len(block)] = block
            if id_column:
                ids += to_ids(batch[id_column], row, path)
            if text_column:
                texts += [text or "" for text in batch[text_column].to_pylist()]
            row += len(block)
    if vectors is None:
        raise VecsmithError(f"{path} is empty: it contains no vector.")
    return VectorFile(vectors, ids if id_column else None, texts if text_column else None)
