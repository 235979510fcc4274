"""Checks and sampling of training vectors."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecsmith.codecs.stages import Floats
from vecsmith.embeddings import UnitVectors, Vectors
from vecsmith.errors import VecsmithError, VecsmithWarning

MIN_TRAINING_VECTORS = 100
"""Fitting warns below this number of vectors."""


def as_floats(X: NDArray[Any]) -> Floats:
    """Convert an array to contiguous float32, without a copy where possible."""
    return np.ascontiguousarray(X, dtype=np.float32)


def sample(X: Vectors | UnitVectors, size: int, seed: int, name: str) -> Floats:
    """Return the nonzero vectors of `X` (n, d), or of a random sample if there are more than `size`.

    Sampling warns, and reads only the sampled vectors.

    Raises
    ------
    VecsmithError
        If a value is not finite (the error has its row, and `name`), or all vectors are zero.
    """
    rows = np.arange(len(X))
    if len(X) > size:
        rows = np.sort(np.random.default_rng(seed).choice(len(X), size, replace=False))
        warnings.warn(
            f"Fitting uses {size:,} of the {len(X):,} {name}, drawn at random with the seed.",
            VecsmithWarning,
            stacklevel=3,
        )
    drawn = as_floats(X[rows] if len(X) > size else X[:])
    refuse_infinite(drawn, rows, name)
    nonzero = drawn.any(axis=1)
    if len(drawn) and not nonzero.any():
        raise VecsmithError(f"The {name} are all zero and have no direction; embed the texts again.")
    return drawn if nonzero.all() else drawn[nonzero]


def warn_of_few(count: int, spec: str) -> None:
    """Warn if a training set of `count` vectors is too small to represent other vectors."""
    if count < MIN_TRAINING_VECTORS:
        warnings.warn(
            f"{spec} is fitted on only {count} vectors and may suit other vectors badly; fit it on a thousand or more.",
            VecsmithWarning,
            stacklevel=3,
        )


def refuse_infinite(X: Floats, rows: NDArray[np.int64], name: str) -> None:
    """Check that all values of the vectors `X` (n, d) are finite.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Vectors.
    rows : ndarray of shape (n,), int64
        Their row numbers, for the error.
    name : str
        What to call them in the error, such as ``"vectors"``.

    Raises
    ------
    VecsmithError
        If a value is NaN or infinite.
    """
    finite = np.isfinite(X).all(axis=1)
    if not finite.all():
        row = rows[np.argmin(finite)]
        raise VecsmithError(f"The {name} have a NaN or infinite value in row {row}; embed that text again.")
