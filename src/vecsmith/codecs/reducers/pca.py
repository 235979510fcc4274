"""Principal components without centering, normalized again."""

from typing import ClassVar

import numpy as np

from vecsmith.codecs.stages import Floats, Reducer, check_range
from vecsmith.embeddings import Moments, normalize, principal_axes, with_fixed_signs


class PCA(Reducer):
    """The k directions of largest second moment, z = Wx/‖Wx‖, x̂ = Wᵀz.

    The vectors are not centered, so the mean, which contributes to the scores, stays as one of the directions. Hence z
    can be normalized; normalization after centering loses the mean, and up to 17 points of nDCG. Without normalization,
    documents score lower the more of their norm the cut removes, which costs up to 14 points at a quarter of the
    dimensions (benchmarks/results/pca.md).

    Parameters
    ----------
    components : int
        k, at most the smaller of n and d.

    Attributes
    ----------
    components_ : ndarray of shape (k, d)
        W: orthonormal rows by decreasing second moment, each with its largest entry positive.
    """

    usage = "pcaK"
    pattern = r"pca(?P<components>\d+)"
    example = "pca16"
    summary = "K principal components, not centered so that the mean stays, normalized again"
    state: ClassVar = {"components_": ("k", "d")}

    components_: Floats

    def __init__(self, components: int) -> None:
        self.components = components

    def _fit(self, X: Floats, seed: int) -> None:
        n, d = X.shape
        check_range(f"pca{self.components}", self.components, min(n, d), "components", f"{n} vectors of {d} dimensions")
        _, axes = principal_axes(Moments(center=0).add(X).products)
        self.components_ = with_fixed_signs(axes[:, : self.components]).T.astype(np.float32)

    @property
    def output_dimensions(self) -> int:
        return self.components

    def transform(self, X: Floats) -> Floats:
        return normalize(X @ self.components_.T)

    def inverse_transform(self, Z: Floats) -> Floats:
        return np.asarray(Z @ self.components_, dtype=np.float32)

    def project_queries(self, Q: Floats) -> tuple[Floats, Floats]:
        return np.asarray(Q @ self.components_.T, dtype=np.float32), np.zeros(len(Q), np.float32)
