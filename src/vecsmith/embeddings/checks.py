"""Vectors, and what makes them fit to be searched."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecsmith.errors import VecsmithError

Vectors = NDArray[np.floating[Any]]

BLOCK = 2048
"""Vectors that are checked at a time."""


def normalise(vectors: Vectors) -> NDArray[np.float32]:
    """Return `vectors` (n, d) scaled to unit length, as float32; an all-zero row stays zero."""
    vectors = np.asarray(vectors, dtype=np.float32)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
    return unit


def check_shapes(shards: Sequence[Vectors], source: str) -> None:
    """Refuse shards that are not (n, d) floats, are empty, or differ in d or dtype."""
    for shard in shards:
        if shard.ndim != 2 or shard.dtype.kind != "f":
            raise VecsmithError(
                f"{source} must be a two-dimensional array of floats, not {shard.dtype} of shape {shard.shape}."
            )
    if sum(len(shard) for shard in shards) == 0 or shards[0].shape[1] == 0:
        raise VecsmithError(f"{source} is empty: there is no vector in it.")
    if len({(shard.shape[1], shard.dtype) for shard in shards}) > 1:
        raise VecsmithError(f"{source} has shards of different dimensions or dtypes; write it again.")


def check_values(
    shards: Sequence[Vectors], source: str, text_of: Callable[[int], str | None] | None = None, start: int = 0
) -> bool:
    """Refuse vectors that are not finite, or all zero although their text is not empty.

    Parameters
    ----------
    shards : sequence of ndarray of shape (n, d)
        The vectors, from row `start` on.
    source : str
        What to call them in an error.
    text_of : callable, optional
        Returns the text of a row; only an empty text may have no direction.
    start : int
        Row of the first vector.

    Returns
    -------
    bool
        Whether all that have a direction have unit length.
    """
    unit_length = True
    for shard in shards:
        for begin in range(0, len(shard), BLOCK):
            with np.errstate(over="ignore", invalid="ignore"):
                block = np.asarray(shard[begin : begin + BLOCK], dtype=np.float32)
                norms = np.linalg.norm(block, axis=1)
            if not np.isfinite(norms).all():
                row = start + begin + int(np.argmin(np.isfinite(norms)))
                raise VecsmithError(f"{source} has a NaN or infinite value in row {row}; embed that text again.")
            for zero in np.flatnonzero(norms == 0):
                row = start + begin + int(zero)
                if text_of is None or (text_of(row) or "").strip():
                    raise VecsmithError(
                        f"{source} has an all-zero vector in row {row}, which has no direction; embed that text again."
                    )
            # float16 storage moves a norm by about 1e-4
            unit_length = unit_length and bool((np.abs(norms[norms > 0] - 1) < 1e-3).all())
        start += len(shard)
    return unit_length
