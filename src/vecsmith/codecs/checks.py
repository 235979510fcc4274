"""Checks, sampling and statistics of training vectors."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecsmith.array_types import Floats, RowNumbers, Vectors
from vecsmith.embeddings import UnitVectors
from vecsmith.errors import VecsmithError, VecsmithWarning

MIN_TRAINING_VECTORS = 100
"""Fitting warns below this number of vectors."""


def as_floats(X: NDArray[Any]) -> Floats:
    """Convert an array to contiguous float32, without a copy where possible."""
    return np.ascontiguousarray(X, dtype=np.float32)


def sample(X: Vectors | UnitVectors, size: int, seed: int, name: str) -> Floats:
    """Return the nonzero vectors of `X` (n, d), or of a random sample if there are more than `size`.

    Sampling warns, and reads only the sampled vectors.

    Parameters
    ----------
    X : array-like of shape (n, d)
        Vectors, which may be memory-mapped.
    size : int
        Maximum size of the sample.
    seed : int
        Seed of the sample.
    name : str
        Noun for the vectors in warnings and errors, such as ``"vectors"``.

    Returns
    -------
    ndarray of shape (m, d), float32
        The nonzero vectors, in the order of `X`.

    Raises
    ------
    VecsmithError
        If a value is not finite (the error has its row, and `name`), or all vectors are zero.
    """
    rows = np.arange(min(len(X), size))
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


def refuse_infinite(X: Floats, rows: RowNumbers, name: str) -> None:
    """Check that all values of the vectors `X` (n, d) are finite.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Vectors.
    rows : ndarray of shape (n,), int64
        Their row numbers, for the error.
    name : str
        Noun for the vectors in the error, such as ``"vectors"``.

    Raises
    ------
    VecsmithError
        If a value is NaN or infinite.
    """
    finite = np.isfinite(X).all(axis=1)
    if not finite.all():
        row = rows[np.argmin(finite)]
        raise VecsmithError(f"The {name} have a NaN or infinite value in row {row}; embed that text again.")


def standard_deviations(X: Floats) -> Floats:
    """Return the standard deviations (d,), 1 for constant dimensions."""
    deviations: Floats = X.std(axis=0)
    return np.where(deviations > 1e-6, deviations, 1).astype(np.float32)
