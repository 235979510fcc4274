"""Truncation to the first dimensions, for Matryoshka models."""

import numpy as np

from vecsmith.codecs.stages import Floats, Reducer, check_range
from vecsmith.embeddings import normalize


class Truncate(Reducer):
    """The first k dimensions, normalized again.

    Parameters
    ----------
    dimensions : int
        k, at most d.

    References
    ----------
    Kusupati et al. 2022, Matryoshka Representation Learning, https://arxiv.org/abs/2205.13147
    """

    usage = "truncateK"
    pattern = r"truncate(?P<dimensions>\d+)"
    example = "truncate16"
    summary = "the first K dimensions, normalized again (for Matryoshka models)"
    requires_fit = False

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions

    def _fit(self, X: Floats, seed: int) -> None:
        d = X.shape[1]
        check_range(f"truncate{self.dimensions}", self.dimensions, d, "dimensions", f"vectors of {d} dimensions")

    @property
    def output_dimensions(self) -> int:
        return self.dimensions

    def transform(self, X: Floats) -> Floats:
        return normalize(X[:, : self.dimensions])

    def inverse_transform(self, Z: Floats) -> Floats:
        return np.pad(Z, ((0, 0), (0, self.input_dimensions_ - self.dimensions)))

    def project_queries(self, Q: Floats) -> tuple[Floats, Floats]:
        return Q[:, : self.dimensions], np.zeros(len(Q), np.float32)
