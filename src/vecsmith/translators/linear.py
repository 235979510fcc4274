"""Ridge regression, of full or low rank."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from vecsmith.embeddings import with_ridge
from vecsmith.errors import VecsmithError
from vecsmith.translators.affine import Affine, cross_moments, hold_out
from vecsmith.translators.base import Floats

Array = NDArray[np.float64]

RIDGES = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
"""Candidates for λ / (n E‖x‖²); the validation set chooses one."""


class Linear(Affine):
    """W = (XᵀX + λI)⁻¹XᵀY, with the λ of least squared error on a validation set.

    For rank r, W is multiplied by VVᵀ, where V are the r leading eigenvectors of (XW)ᵀXW (reduced-rank regression).

    Parameters
    ----------
    rank : int, optional
        r; full rank by default.

    Attributes
    ----------
    ridge_ : float
        The chosen entry of `RIDGES`.

    References
    ----------
    Hoerl and Kennard 1970, Ridge regression, Technometrics 12. Izenman 1975, Reduced-rank regression for the
    multivariate linear model, Journal of Multivariate Analysis 5.
    """

    usage = "linear[:rankR]"
    pattern = r"linear(?::rank(?P<rank>\d+))?"
    example = "linear"
    summary = "ridge regression, λ by validation; of rank R: reduced-rank regression"
    state: ClassVar = Affine.state

    ridge_: float

    def __init__(self, rank: int | None = None) -> None:
        self.rank = rank

    def _solve(self, X: Floats, Y: Floats) -> Floats:
        full = min(X.shape[1], Y.shape[1])
        if self.rank is not None and not 1 <= self.rank <= full:
            raise VecsmithError(f"The rank of {self.spec} is out of range; choose from 1 to {full}.")
        training, held_out = hold_out(len(X), self.seed)
        sources, targets = X[held_out], Y[held_out]
        errors = [
            np.square(sources @ W - targets).sum() for W in ridge_maps(*_moments(X[training], Y[training]), RIDGES)
        ]
        self.ridge_ = RIDGES[int(np.argmin(errors))]
        Cx, Cxy = _moments(X, Y)
        [W] = ridge_maps(Cx, Cxy, [self.ridge_])
        return W if self.rank is None else _reduced(W, Cx, self.rank)


def _moments(X: Floats, Y: Floats) -> tuple[Array, Array]:
    return cross_moments(X, X), cross_moments(X, Y)


def ridge_maps(Cx: Array, Cxy: Array, ridges: Sequence[float]) -> Iterator[Floats]:
    """Yield W = (Cx + λI)⁻¹Cxy for each relative λ, from one eigendecomposition of Cx."""
    spectrum, U = np.linalg.eigh(Cx)
    projected = U.T @ Cxy
    for ridge in ridges:
        yield np.asarray(U @ (projected / with_ridge(spectrum, ridge)[:, None]), dtype=np.float32)


def _reduced(W: Floats, Cx: Array, rank: int) -> Floats:
    """Return W (a, b) projected on the `rank` leading eigenvectors of WᵀCxW."""
    moments: Array = W.T.astype(np.float64) @ Cx @ W
    V = np.linalg.eigh(moments)[1][:, -rank:]
    return np.asarray(W @ V @ V.T, dtype=np.float32)
