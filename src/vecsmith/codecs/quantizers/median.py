"""Quantization at the median: one bit per dimension."""

from typing import ClassVar

import numpy as np

from vecsmith.array_types import Bits, Floats
from vecsmith.codecs.quantizers.bits import BitQuantizer


class Median(BitQuantizer):
    """One bit per dimension, 1 above the median, so that ones and zeros are equally frequent.

    A bit decodes to the mean of the training values on its side of the median, the level of least squared error.

    Attributes
    ----------
    threshold_ : ndarray of shape (d,)
        The medians.
    below_, above_ : ndarray of shape (d,)
        Means of the values on either side.
    """

    usage = pattern = example = "median"
    summary = "one bit per dimension: above or below the median"
    state: ClassVar = {"threshold_": ("d",), "below_": ("d",), "above_": ("d",)}

    threshold_: Floats
    below_: Floats
    above_: Floats

    def _fit(self, X: Floats, seed: int) -> None:
        self.threshold_ = np.median(X, axis=0).astype(np.float32)
        above = self.bits(X)
        self.below_ = self._mean_where(X, ~above)
        self.above_ = self._mean_where(X, above)

    def _mean_where(self, X: Floats, chosen: Bits) -> Floats:
        # a constant dimension has no value above its median
        count = chosen.sum(axis=0)
        total = np.where(chosen, X, 0).sum(axis=0, dtype=np.float64)
        return np.where(count > 0, total / np.maximum(count, 1), self.threshold_).astype(np.float32)

    def bits(self, X: Floats) -> Bits:
        return X > self.threshold_

    def from_signs(self, signs: Floats) -> Floats:
        middle, half = (self.above_ + self.below_) / 2, (self.above_ - self.below_) / 2
        return np.asarray(middle + signs * half, dtype=np.float32)
