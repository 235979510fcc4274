"""Validation of vectors and normalization to unit length."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from vecsmith.array_types import Floats, RowNumbers, Vectors
from vecsmith.errors import VecsmithError, VecsmithWarning

BLOCK_ROWS = 4096
"""Maximum vectors read or written at a time, which bounds the memory."""
UNIT_TOLERANCE = 1e-6
"""Difference from 1 below which a norm counts as 1, the precision of float32 norms."""
SMALLEST_NORM = 1e-12
"""Norm below which squares of float32 values lose precision or underflow."""


def normalize(vectors: Vectors) -> Floats:
    """Return vectors (n, d) scaled to unit length, as a new float32 array.

    All-zero vectors stay zero. Vectors of unit length are returned bit for bit, so that normalizing twice changes
    nothing. Finite values of any size are scaled correctly, including values whose squares overflow or underflow.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        unit = np.array(vectors, dtype=np.float32)
        norms = np.linalg.norm(unit, axis=1)
        if (np.abs(norms - 1) <= UNIT_TOLERANCE).all():
            return unit
        extreme = np.flatnonzero(~((norms > SMALLEST_NORM) & np.isfinite(norms)))
        if len(extreme):
            rows = np.asarray(vectors)[extreme].astype(np.float64)
            largest = np.abs(rows).max(axis=1, initial=0, keepdims=True)
            unit[extreme] = rows / np.where(largest > 0, largest, 1)
            norms[extreme] = np.linalg.norm(unit[extreme], axis=1)
        rescaled = np.flatnonzero((np.abs(norms - 1) > UNIT_TOLERANCE) & (norms > 0))
        unit[rescaled] /= norms[rescaled, None]
    return unit


def as_vectors(X: Any, name: str = "the vectors") -> Vectors:
    """Return an array-like of floats as an array (n, d), without a copy if it is an array already.

    Array-likes are NumPy arrays, nested lists and PyTorch tensors, on any device and with or without gradients.

    Parameters
    ----------
    X : array-like of shape (n, d)
        The vectors.
    name : str
        Name of the vectors in error messages.

    Raises
    ------
    VecsmithError
        If the values are not floats (codes are integers, for example), or the array is not two-dimensional.
    """
    start = name[:1].upper() + name[1:]
    if hasattr(X, "detach"):
        X = X.detach().cpu()
        X = X.float().numpy() if "bfloat16" in str(X.dtype) else X.numpy()
    try:
        array = X if hasattr(X, "ndim") and hasattr(X, "dtype") else np.asarray(X)
    except ValueError as error:
        raise VecsmithError(f"{start} are lists of different lengths; give an array of shape (n, d).") from error
    # the type of ml_dtypes, which NumPy does not count as a float
    if array.dtype.kind == "V" and array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
    if array.dtype.kind != "f":
        hint = "convert them by .astype('float32')" if array.dtype.kind in "iub" else "give real numbers"
        if array.dtype == np.uint8:
            hint = "codes have this dtype, so give the vectors before encoding, or decode the codes"
        raise VecsmithError(f"{start} must be floats, not {array.dtype} of shape {array.shape}; {hint}.")
    if array.ndim != 2:
        hint = "; write X[None] for a single vector" if array.ndim == 1 else ""
        raise VecsmithError(f"{start} must have shape (n, d), not {array.shape}{hint}.")
    vectors: Vectors = array
    return vectors


def check_shapes(shards: Sequence[Vectors], source: str) -> None:
    """Check that shards are floats of shape (n, d) with one d and dtype, and that not all are empty.

    Raises
    ------
    VecsmithError
        If a shard has another shape or dtype, or there is no vector.
    """
    for shard in shards:
        as_vectors(shard, source)
    if sum(len(shard) for shard in shards) == 0 or shards[0].shape[1] == 0:
        raise VecsmithError(f"{source} is empty: it contains no vector.")
    if len({(shard.shape[1], shard.dtype) for shard in shards}) > 1:
        raise VecsmithError(f"{source} has shards of different dimensions or dtypes; write it again.")


def check_values(shards: Sequence[Vectors], source: str, start: int = 0) -> tuple[bool, RowNumbers]:
    """Raise an error if a value is not finite, and find the all-zero vectors.

    Parameters
    ----------
    shards : sequence of ndarray of shape (n, d)
        The vectors.
    source : str
        Name of the vectors in error messages.
    start : int
        Row number of the first vector.

    Returns
    -------
    unit_length : bool
        Whether all vectors that are not zero have unit length.
    zero_rows : ndarray of shape (m,), int64
        Row numbers of the all-zero vectors.

    Raises
    ------
    VecsmithError
        If a value is not finite; the message names the row.
    """
    unit_length, zero_rows = True, [np.empty(0, np.int64)]
    for shard in shards:
        for begin in range(0, len(shard), BLOCK_ROWS):
            block = np.asarray(shard[begin : begin + BLOCK_ROWS])
            finite = np.isfinite(block).all(axis=1)
            if not finite.all():
                row = start + begin + int(np.argmin(finite))
                raise VecsmithError(f"{source} has a NaN or infinite value in row {row}; embed that text again.")
            zero = ~block.any(axis=1)
            zero_rows.append(start + begin + np.flatnonzero(zero))
            with np.errstate(over="ignore"):
                norms = np.linalg.norm(block[~zero].astype(np.float32, copy=False), axis=1)
            # float16 storage moves a norm by about 1e-4
            unit_length = unit_length and bool((np.abs(norms - 1) < 1e-3).all())
        start += len(shard)
    return unit_length, np.concatenate(zero_rows)


def warn_of_zero_rows(zero_rows: RowNumbers, count: int, source: str) -> None:
    """Warn of all-zero vectors, which have no direction; raise an error if all vectors are zero.

    Parameters
    ----------
    zero_rows : ndarray of shape (m,), int64
        Row numbers of the all-zero vectors.
    count : int
        Number of vectors in the set.
    source : str
        Name of the set in messages.

    Raises
    ------
    VecsmithError
        If all `count` vectors are zero.
    """
    if not len(zero_rows):
        return
    if len(zero_rows) == count:
        raise VecsmithError(f"{source} has only all-zero vectors, which have no direction; embed its texts again.")
    vectors = "one all-zero vector," if len(zero_rows) == 1 else f"{len(zero_rows)} all-zero vectors, the first"
    warnings.warn(
        f"{source} has {vectors} in row {zero_rows[0]}, usually from an empty text; such rows are kept, but no search "
        "returns them.",
        VecsmithWarning,
        stacklevel=3,
    )
