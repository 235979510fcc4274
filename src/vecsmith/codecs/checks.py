"""Vectors as codecs take them: float32, finite, and not too many."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecsmith.codecs.stages import Floats
from vecsmith.embeddings import UnitVectors, Vectors
from vecsmith.errors import VecsmithError, VecsmithWarning

FEW = 100
"""Training vectors below which fitting warns."""


def as_floats(X: NDArray[Any]) -> Floats:
    """Return an array as contiguous float32, itself where it is that already."""
    return np.ascontiguousarray(X, dtype=np.float32)


def sample(X: Vectors | UnitVectors, most: int, seed: int, name: str) -> Floats:
    """Return the vectors of `X` (n, d), or, with a warning, `most` of them, drawn with the seed; read no others.

    All-zero vectors are left out of what is returned.

    Raises
    ------
    VecsmithError
        If a value is not finite (which row of what has this name), or all of them are zero.
    """
    rows = np.arange(len(X))
    if len(X) > most:
        rows = np.sort(np.random.default_rng(seed).choice(len(X), most, replace=False))
        warnings.warn(
            f"Fitting uses {most:,} of the {len(X):,} {name}, drawn at random with the seed.",
            VecsmithWarning,
            stacklevel=3,
        )
    drawn = as_floats(X[rows] if len(X) > most else X[:])
    refuse_infinite(drawn, rows, name)
    nonzero = drawn.any(axis=1)
    if len(drawn) and not nonzero.any():
        raise VecsmithError(f"The {name} are all zero and have no direction; embed the texts again.")
    return drawn if nonzero.all() else drawn[nonzero]


def warn_of_few(count: int, spec: str) -> None:
    """Warn of a training set so small that what a codec learns from it says little about other vectors."""
    if count < FEW:
        warnings.warn(
            f"{spec} is fitted on only {count} vectors and may suit other vectors badly; fit it on a thousand or more.",
            VecsmithWarning,
            stacklevel=3,
        )


def refuse_infinite(X: Floats, rows: NDArray[np.int64], name: str) -> None:
    """Refuse vectors (n, d), of these rows (n,) of what has this name, where a value is not finite."""
    finite = np.isfinite(X).all(axis=1)
    if not finite.all():
        row = rows[np.argmin(finite)]
        raise VecsmithError(f"The {name} have a NaN or infinite value in row {row}; embed that text again.")
