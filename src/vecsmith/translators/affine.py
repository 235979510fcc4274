"""What every affine translator shares: y = (x − μ)W + c."""

from abc import abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from vecsmith.translators.base import Floats, Translator

HELD_OUT, MOST_HELD_OUT = 0.1, 1000
"""The share of the pairs, and the most, that choose a parameter or say when to stop."""


class Affine(Translator):
    """y = (x − μ)W + c, where μ and c are the means of the pairs.

    Attributes
    ----------
    mean_, offset_ : ndarray of shape (a,) and (b,)
        μ and c.
    weights_ : ndarray of shape (a, b)
        W.
    """

    state: ClassVar = {"mean_": ("a",), "offset_": ("b",), "weights_": ("a", "b")}

    mean_: Floats
    offset_: Floats
    weights_: Floats

    def _fit(self, X: Floats, Y: Floats) -> None:
        self.mean_ = X.mean(axis=0, dtype=np.float64).astype(np.float32)
        self.offset_ = Y.mean(axis=0, dtype=np.float64).astype(np.float32)
        self.weights_ = self._solve(X - self.mean_, Y - self.offset_)

    @abstractmethod
    def _solve(self, X: Floats, Y: Floats) -> Floats:
        """Return W for centred pairs."""

    def _map(self, X: Floats) -> Floats:
        return np.asarray((X - self.mean_) @ self.weights_ + self.offset_, dtype=np.float32)


def hold_out(n: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows that train, and those held out, drawn at random."""
    drawn = np.random.default_rng(seed).permutation(n)
    held_out = max(1, min(MOST_HELD_OUT, round(HELD_OUT * n)))
    return drawn[held_out:], drawn[:held_out]


def cross_moments(X: Floats, Y: Floats) -> NDArray[np.float64]:
    """Return XᵀY / n, (a, b), of vectors (n, a) and (n, b)."""
    return np.asarray(X.astype(np.float64).T @ Y.astype(np.float64) / len(X))
