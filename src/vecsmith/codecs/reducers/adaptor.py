"""The Matryoshka adaptor: a rotation after which every prefix of a vector is as good as can be."""

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from vecsmith.codecs.reducers.trained import Trained
from vecsmith.codecs.stages import Floats, check_range
from vecsmith.embeddings import normalize
from vecsmith.errors import require

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

POWER = 1 / 8
"""The exponent p of the weights λ⁻ᵖ that it starts from (docs/studies/reducers.md)."""
SMALLEST_CUT = 8


class Adaptor(Trained):
    """z = diag(s)Rx/‖diag(s)Rx‖ with orthonormal rows R and weights s, trained at the cuts K, K/2, K/4 … 8.

    So ``adaptor256,truncate64`` is a use of it too. It starts from principal components with s = λ⁻ᵖ, where λ is the
    second moment, and after every step R is made orthonormal again. The loss is that of `Autoencoder`: how
    pseudo-queries rank held-out documents, at every cut.

    Parameters
    ----------
    dimensions : int
        K, at most d.

    Attributes
    ----------
    components_ : ndarray of shape (K, d)
        diag(s)R.

    References
    ----------
    Yoon et al. 2024, Matryoshka-Adaptor, https://arxiv.org/abs/2407.20243: similarity losses at several cuts, without
    labels. Theirs are absolute differences of pairs and of nearest neighbors; this one weighs by rank instead, and an
    orthonormal R takes the place of their reconstruction loss.
    """

    usage = "adaptorK"
    pattern = r"adaptor(?P<dimensions>\d+)"
    example = "adaptor16"
    summary = "K dimensions: a trained rotation, weighted, that makes every prefix useful (torch to fit)"
    state: ClassVar = {"components_": ("k", "d")}

    components_: Floats

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions

    @property
    def output_dimensions(self) -> int:
        return self.dimensions

    def _train(self, X: Floats, training: Floats, held_out: Floats, seed: int) -> None:
        from vecsmith.training import principal_directions, train_reducer

        d = X.shape[1]
        check_range(f"adaptor{self.dimensions}", self.dimensions, d, "dimensions", f"vectors of {d} dimensions")
        V, weights = principal_directions(X, POWER)
        training, held_out = training @ V, held_out @ V
        start = {"rotation": np.eye(d, self.dimensions, dtype=np.float32), "weights": weights[: self.dimensions]}
        cuts = [self.dimensions]
        while cuts[-1] >= 2 * SMALLEST_CUT:
            cuts.append(cuts[-1] // 2)
        found = train_reducer(
            start,
            lambda p, u: u @ p["rotation"] * p["weights"],
            lambda p: (p["rotation"] * p["weights"]).T,
            training,
            held_out,
            weights,
            cuts,
            self._how(),
            seed,
            f"adaptor{self.dimensions}",
            _orthonormal,
        )
        self.components_ = np.ascontiguousarray((found["rotation"] * found["weights"]).T @ V.T, np.float32)

    def transform(self, X: Floats) -> Floats:
        return normalize(X @ self.components_.T)

    def inverse_transform(self, Z: Floats) -> Floats:
        return np.asarray(Z @ self.components_, dtype=np.float32)

    def project_queries(self, Q: Floats) -> tuple[Floats, Floats]:
        return np.asarray(Q @ self.components_.T, dtype=np.float32), np.zeros(len(Q), np.float32)


def _orthonormal(p: "Mapping[str, Tensor]") -> None:
    """Make the columns of the rotation orthonormal again, by Gram and Schmidt."""
    rotation = p["rotation"]
    Q, R = require("torch", "train").linalg.qr(rotation)
    rotation.copy_(Q * R.diagonal().sign())
