"""Split vectors into a training set and a validation set."""

import warnings

import numpy as np

from vecsmith.array_types import Floats
from vecsmith.errors import VecsmithWarning

MAX_VECTORS = 50_000
"""Maximum size of a training set; larger ones are sampled."""
VALIDATION_FRACTION, MAX_VALIDATION_VECTORS = 0.1, 1000
MIN_VECTORS = 20
"""Minimum number of vectors for a validation set of their own; fewer are used for both training and validation."""


def split(X: Floats, seed: int, validation: Floats | None = None) -> tuple[Floats, Floats]:
    """Return a training set and a validation set, drawn at random.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Vectors. Without `validation`, a tenth of them, at most 1000, become the validation set.
    seed : int
        Seed of the draw.
    validation : ndarray of shape (m, d), optional
        Vectors from which the validation set is drawn instead, so that the training set is drawn from all of `X`.

    Returns
    -------
    training, validation : ndarray of shape (·, d)
    """
    rng = np.random.default_rng(seed)
    if len(X) > MAX_VECTORS:
        warnings.warn(
            f"Training uses {MAX_VECTORS:,} of the {len(X):,} vectors, drawn at random with the seed.",
            VecsmithWarning,
            stacklevel=2,
        )
    if validation is not None:
        training = X[rng.permutation(len(X))[:MAX_VECTORS]]
        return training, validation[rng.permutation(len(validation))[:MAX_VALIDATION_VECTORS]]
    if len(X) < MIN_VECTORS:
        return X, X
    drawn = rng.permutation(len(X))[:MAX_VECTORS]
    size = min(MAX_VALIDATION_VECTORS, round(VALIDATION_FRACTION * len(drawn)))
    return X[drawn[size:]], X[drawn[:size]]
