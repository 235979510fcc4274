"""Affine maps y = xW + c, the base of the linear translators."""

from abc import abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from vecsmith.embeddings import cross_products
from vecsmith.translators.base import Floats, Translator

HELD_OUT_SHARE, MAX_HELD_OUT = 0.1, 1000
"""Share and maximum number of pairs in the validation set, for hyperparameters and early stopping."""


class Affine(Translator):
    """y = xW + c, where W is fitted to centered pairs and c maps the mean of the source to the mean of the target.

    Attributes
    ----------
    weights_ : ndarray of shape (a, b)
        W.
    offset_ : ndarray of shape (b,)
        c = ȳ − x̄W, so that translation does not need to center vectors.
    """

    state: ClassVar = {"weights_": ("a", "b"), "offset_": ("b",)}

    weights_: Floats
    offset_: Floats

    def _fit(self, X: Floats, Y: Floats) -> None:
        x, y = (vectors.mean(axis=0, dtype=np.float64) for vectors in (X, Y))
        self.weights_ = self._solve(X - x.astype(np.float32), Y - y.astype(np.float32))
        self.offset_ = np.asarray(y - x @ self.weights_, dtype=np.float32)

    @abstractmethod
    def _solve(self, X: Floats, Y: Floats) -> Floats:
        """Return W (a, b) for centered pairs (n, a) and (n, b)."""

    def _map(self, X: Floats) -> Floats:
        return affine(X, self.weights_, self.offset_)


def affine(X: Floats, weights: Floats, offset: Floats) -> Floats:
    """Return XW + c, (n, b), with one array of that size."""
    result: Floats = X @ weights
    result += offset
    return result


def hold_out(n: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of the training set and of the validation set, drawn at random."""
    drawn = np.random.default_rng(seed).permutation(n)
    held_out = max(1, min(MAX_HELD_OUT, round(HELD_OUT_SHARE * n)))
    return drawn[held_out:], drawn[:held_out]


def cross_moments(X: Floats, Y: Floats) -> NDArray[np.float64]:
    """Return E[xyᵀ] (a, b) of paired vectors (n, a) and (n, b)."""
    return cross_products(X, Y) / len(X)
