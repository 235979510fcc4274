"""Reading vectors from files that others wrote: ``.npy``, ``.npz`` and ``.parquet``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vecsmith.embeddings.checks import Vectors, check_shapes
from vecsmith.errors import VecsmithError
from vecsmith.files import open_npy

SUFFIXES = (".npy", ".npz", ".parquet")
VECTOR_NAMES = ("vector", "vectors", "embedding", "embeddings")
ID_NAMES = ("id", "_id", "ids")


def read_vectors(path: str | Path) -> tuple[Vectors, list[str] | None]:
    """Read vectors, and their ids where the file has some. Nothing in the file is executed.

    Parameters
    ----------
    path : str or Path
        ``.npy``: the vectors, memory-mapped. ``.npz``: one array, or one named ``vectors`` or ``embeddings``; ids in
        an array ``ids``. ``.parquet``: one column of lists of floats, or one named ``vector`` or ``embedding``; ids
        in a column ``id`` or ``_id``.

    Returns
    -------
    vectors : ndarray of shape (n, d)
        In the file's dtype.
    ids : list of str or None
        One a vector.

    Raises
    ------
    VecsmithError
        If the file is missing or broken, is not one table of floats, or its rows have different lengths or gaps (which
        row).
    """
    path = Path(path)
    readers = dict(zip(SUFFIXES, (_read_npy, _read_npz, _read_parquet), strict=True))
    if path.suffix not in readers:
        raise VecsmithError(f"{path} must be a {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} file.")
    if not path.is_file():
        raise VecsmithError(f"There is no file {path}.")
    try:
        vectors, ids = readers[path.suffix](path)
    except VecsmithError:
        raise
    except Exception as error:  # on broken files NumPy's and Arrow's readers raise almost anything
        raise VecsmithError(f"{path} is broken or holds no plain floats ({error}); write it again.") from error
    check_shapes([vectors], str(path))
    if ids is not None and len(ids) != len(vectors):
        raise VecsmithError(f"{path} has {len(vectors)} vectors but {len(ids)} ids; write it again.")
    return vectors, ids


def _read_npy(path: Path) -> tuple[Vectors, None]:
    return open_npy(path), None


def _read_npz(path: Path) -> tuple[Vectors, list[str] | None]:
    with np.load(path, allow_pickle=False) as arrays:
        vectors = arrays[_choose([name for name in arrays.files if name not in ID_NAMES], path)]
        ids = next((arrays[name] for name in ID_NAMES if name in arrays.files), None)
        return vectors, None if ids is None else [str(id_) for id_ in ids.tolist()]


def _read_parquet(path: Path) -> tuple[Vectors, list[str] | None]:
    with pq.ParquetFile(path, memory_map=True) as file:
        schema = file.schema_arrow
        column = _choose([field.name for field in schema if _is_float_list(field.type)], path)
        id_column = next((name for name in ID_NAMES if name in schema.names), None)
        vectors: NDArray[Any] | None = None
        ids: list[str] = []
        row = 0
        for batch in file.iter_batches(columns=[column, *([id_column] if id_column else [])]):
            if not len(batch):
                continue
            block = _to_array(batch[column], row, path)
            if vectors is None:
                vectors = np.empty((file.metadata.num_rows, block.shape[1]), dtype=block.dtype)
            if block.shape[1] != vectors.shape[1]:
                raise _ragged(path, row, block.shape[1], vectors.shape[1])
            vectors[row : row + len(block)] = block
            if id_column:
                ids += _to_ids(batch[id_column], row, path)
            row += len(block)
    if vectors is None:
        raise VecsmithError(f"{path} is empty: there is no vector in it.")
    return vectors, ids if id_column else None


def _choose(names: Sequence[str], path: Path) -> str:
    named = [name for name in names if name in VECTOR_NAMES]
    if len(names) == 1 or len(named) == 1:
        return (named or names)[0]
    found = f"several ({', '.join(names)})" if names else "none"
    raise VecsmithError(f"{path} should have one table of float vectors, but has {found}; name it 'vectors'.")


def _is_float_list(type_: Any) -> bool:
    is_list = pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_)
    return bool(is_list and pa.types.is_floating(type_.value_type))


def _to_array(lists: Any, start: int, path: Path) -> NDArray[Any]:
    """Return an Arrow array of n lists, the first being row `start` of the file, as (n, d) without a copy."""
    lengths = np.asarray(lists.value_lengths().fill_null(-1))
    if (lengths < 0).any():
        raise VecsmithError(f"{path} has no vector in row {start + int(np.argmin(lengths))}; drop that row.")
    if (lengths != lengths[0]).any():
        row = int(np.argmax(lengths != lengths[0]))
        raise _ragged(path, start + row, int(lengths[row]), int(lengths[0]))
    values = lists.flatten()
    if values.null_count:
        row = int(np.argmax(np.asarray(values.is_null()))) // int(lengths[0])
        raise VecsmithError(f"{path} has a gap (null) in the vector of row {start + row}; embed that text again.")
    array: NDArray[Any] = values.to_numpy(zero_copy_only=True).reshape(len(lists), int(lengths[0]))
    return array


def _to_ids(ids: Any, start: int, path: Path) -> list[str]:
    if ids.null_count:
        row = start + int(np.argmax(np.asarray(ids.is_null())))
        raise VecsmithError(f"{path} has no id in row {row}; ids must be there and unique.")
    return [str(id_) for id_ in ids.to_pylist()]


def _ragged(path: Path, row: int, dimensions: int, expected: int) -> VecsmithError:
    return VecsmithError(
        f"{path} has a vector of {dimensions} dimensions in row {row}, but of {expected} before; all must be equal."
    )
