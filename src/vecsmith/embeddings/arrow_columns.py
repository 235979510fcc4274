"""Columns of vectors, ids and texts in Arrow tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vecsmith.embeddings.columns import ID_NAMES, TEXT_NAMES, VECTOR_NAMES, known_column, usual_column
from vecsmith.errors import VecsmithError


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
        vector_column(floats, columns.vectors, path),
        columns.ids or usual_column(schema.names, ID_NAMES),
        columns.texts or usual_column(strings, TEXT_NAMES),
    )


def vector_column(names: Sequence[str], chosen: str | None, path: object) -> str:
    """Return the column or array of vectors to read.

    Parameters
    ----------
    names : sequence of str
        Names of all tables of floats.
    chosen : str or None
        A given name; by default the only one, or the one with a usual name.
    path : object
        Name of the file in errors.

    Raises
    ------
    VecsmithError
        If the given name is missing, or there is not one candidate.
    """
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
        raise ragged(path, start + row, int(lengths[row]), int(lengths[0]))
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


def ragged(path: object, row: int, dimensions: int, expected: int) -> VecsmithError:
    """Return the error for a vector with other dimensions than those before it."""
    return VecsmithError(
        f"{path} has a vector of {dimensions} dimensions in row {row}, but of {expected} before; all must be equal."
    )
