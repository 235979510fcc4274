"""Partially whitened principal components."""

from typing import Self

import numpy as np

from vecsmith.array_types import Floats
from vecsmith.codecs.reducers.autoencoder import POWER, Autoencoder, parse_widths


class WhitenedPCA(Autoencoder):
    """The first k principal components, not centered, each weighted by λ⁻ᵖ with p = 1/8, then normalized.

    λ is the second moment along a component. Inner products of embedding vectors are dominated by a few leading
    components that all texts share; the weights, on both sides, let the others count. Whitening would use p = 1/2.
    It is the initial state of `Autoencoder`, and no training of it was better on all tasks (docs/studies/reducers.md).

    Specs may also call it ``autoencoderK``, its only name in version 0.1. It stores the layers of an autoencoder, of
    which ``skip_`` and ``decoder_`` are in use.

    Parameters
    ----------
    widths : str or int
        k, or several decreasing widths such as ``"256/128/64"``, of which the first is k. Prefixes are nested anyway.

    References
    ----------
    FAISS's ``PCAMatrix`` with an ``eigen_power`` of −1/8 weights components alike.
    """

    usage = "whitened-pcaK"
    pattern = r"(?:whitened-pca|autoencoder)(?P<widths>\d+(?:/\d+)*)"
    example = "whitened-pca16"
    summary = "K partially whitened principal components, normalized again (also called autoencoderK)"
    takes = ()

    def __init__(self, widths: str | int) -> None:
        self.widths = parse_widths(widths)

    @property
    def trains(self) -> bool:
        return False

    def fit(self, X: Floats, seed: int = 0, validation: Floats | None = None) -> Self:
        """Learn the components of the vectors `X` (n, d); `seed` and `validation` are ignored."""
        from vecsmith.training import principal_directions

        d = self.input_dimensions_ = X.shape[1]
        self._check_widths(d)
        V, weights = principal_directions(X, POWER)
        k = self.widths[0]
        skip = np.eye(d, k, dtype=np.float32) * weights[:k]
        self._set_layers({"skip": skip}, V, np.zeros(d, np.float32), np.ones(d, np.float32))
        return self
