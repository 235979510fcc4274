"""The Matryoshka adaptor: a rotation trained so that prefixes of the rotated vectors rank well."""

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from vecsmith.array_types import Floats
from vecsmith.codecs.reducers.autoencoder import POWER
from vecsmith.codecs.reducers.linear import LinearReducer
from vecsmith.codecs.reducers.trained import Trained
from vecsmith.codecs.stages import check_range
from vecsmith.errors import require

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

MIN_WIDTH = 8
"""Smallest prefix that is trained."""


class Adaptor(LinearReducer, Trained):
    """z = diag(s)Rx/‖diag(s)Rx‖ with orthonormal rows R and weights s, trained at the widths K, K/2, K/4 … 8.

    The result can be truncated later, as in ``adaptor256,truncate64``. Training starts from principal components with
    s = λ⁻ᵖ, where λ is the second moment, and makes R orthonormal again after every step. The loss is the listwise
    loss of `Autoencoder`, averaged over the widths.

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
    Yoon et al. 2024, Matryoshka-Adaptor, https://arxiv.org/abs/2407.20243: similarity losses at several widths,
    without labels. Their losses are absolute differences of similarities of pairs and of nearest neighbors, and a
    reconstruction loss; here a listwise loss replaces the former, and the orthonormal R the latter.
    """

    usage = "adaptorK"
    pattern = r"adaptor(?P<dimensions>\d+)"
    example = "adaptor16"
    summary = "K dimensions: a trained, weighted rotation, which can be truncated (needs torch to fit)"
    state: ClassVar = {"components_": ("k", "d")}

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions

    @property
    def output_dimensions(self) -> int:
        return self.dimensions

    def _train(self, X: Floats, training: Floats, validation: Floats, seed: int) -> None:
        from vecsmith.training import principal_directions, train_reducer

        d = X.shape[1]
        check_range(f"adaptor{self.dimensions}", self.dimensions, d, "dimensions", f"vectors of {d} dimensions")
        V, weights = principal_directions(X, POWER)
        training, validation = training @ V, validation @ V
        start = {"rotation": np.eye(d, self.dimensions, dtype=np.float32), "weights": weights[: self.dimensions]}
        widths = [self.dimensions]
        while widths[-1] >= 2 * MIN_WIDTH:
            widths.append(widths[-1] // 2)
        parameters = train_reducer(
            start,
            lambda p, u: u @ p["rotation"] * p["weights"],
            lambda p: (p["rotation"] * p["weights"]).T,
            training,
            validation,
            weights,
            widths,
            self._training_settings(),
            seed,
            f"adaptor{self.dimensions}",
            _orthonormal,
        )
        self.components_ = np.ascontiguousarray((parameters["rotation"] * parameters["weights"]).T @ V.T, np.float32)


def _orthonormal(p: "Mapping[str, Tensor]") -> None:
    """Make the columns of the rotation orthonormal again, by QR decomposition."""
    rotation = p["rotation"]
    Q, R = require("torch", "train").linalg.qr(rotation)
    rotation.copy_(Q * R.diagonal().sign())
