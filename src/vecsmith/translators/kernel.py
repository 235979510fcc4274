"""A canonical map of random features: a kernel method at the price of a linear one."""

from typing import ClassVar

import numpy as np

from vecsmith.translators.base import Floats
from vecsmith.translators.canonical import Canonical

FREQUENCIES = 1024
"""Random directions, a cosine and a sine of each."""


class Kernel(Canonical):
    """`Canonical` from (x, cos xD, sin xD) rather than x, which is a map that bends.

    D has normal entries, scaled so that the inner product of the features approximates the Gaussian kernel whose
    bandwidth is the root mean square distance of the source vectors from their mean.

    Attributes
    ----------
    directions_ : ndarray of shape (a, m)
        D.

    References
    ----------
    Rahimi and Recht 2007, Random features for large-scale kernel machines, NIPS.
    """

    usage = "kernel"
    pattern = "kernel"
    example = "kernel"
    summary = "canonical, of random features too, which bends: for many pairs of the texts to be translated"
    state: ClassVar = {"mean_": ("*",), "offset_": ("b",), "weights_": ("*", "b"), "directions_": ("a", "*")}

    directions_: Floats

    def _fit(self, X: Floats, Y: Floats) -> None:
        spread = max(float(np.sqrt(np.square(X - X.mean(axis=0)).sum(axis=1).mean())), float(np.finfo(np.float32).tiny))
        frequencies = np.random.default_rng(self.seed).standard_normal((X.shape[1], FREQUENCIES), np.float32)
        self.directions_ = np.asarray(frequencies / spread, dtype=np.float32)
        super()._fit(self._features(X), Y)

    def _features(self, X: Floats) -> Floats:
        angles, scale = X @ self.directions_, np.float32(FREQUENCIES**-0.5)
        return np.hstack([X, scale * np.cos(angles), scale * np.sin(angles)])

    def _map(self, X: Floats) -> Floats:
        return super()._map(self._features(X))
