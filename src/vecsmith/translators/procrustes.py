"""Orthogonal Procrustes: the best rotation from one space to the other."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from vecsmith.translators.affine import Affine, cross_moments
from vecsmith.translators.base import Floats


class Procrustes(Affine):
    """W = UVᵀ, where USVᵀ is the singular value decomposition of XᵀY: the rotation with the least ‖XW − Y‖².

    If the dimensions differ, W is semi-orthogonal: its rows are orthonormal if a < b, its columns if a > b.

    References
    ----------
    Schönemann 1966, A generalized solution of the orthogonal Procrustes problem, Psychometrika 31.
    """

    usage = "procrustes"
    pattern = "procrustes"
    example = "procrustes"
    summary = "a rotation, semi-orthogonal where the dimensions differ"
    state: ClassVar = Affine.state

    def _solve(self, X: Floats, Y: Floats) -> Floats:
        return rotation(cross_moments(X, Y))


def rotation(Cxy: NDArray[np.float64]) -> Floats:
    """Return UVᵀ (a, b), where USVᵀ is the singular value decomposition of the cross-covariance Cxy (a, b)."""
    U, _, Vt = np.linalg.svd(Cxy, full_matrices=False)
    return np.asarray(U @ Vt, dtype=np.float32)
