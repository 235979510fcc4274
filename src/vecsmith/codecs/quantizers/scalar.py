"""Uniform scalar quantization: int8 and int4 with ranges per dimension, in FAISS's layout."""

from typing import Any, ClassVar

import faiss
import numpy as np

from vecsmith.codecs.scan import attach_codes
from vecsmith.codecs.stages import Codes, Floats, Quantizer
from vecsmith.embeddings import Moments


class _Scalar(Quantizer):
    """2ᵇ equally spaced levels per dimension; values beyond the outer levels are clipped.

    The outer levels are the minimum and maximum of the training vectors, or the mean ± `_reach` standard deviations
    where that is closer to the mean.

    FAISS's ``ScalarQuantizer`` divides [vmin, vmin + vdiff] into 2ᵇ − 1 bins, decodes to bin centers, and clips above
    to one further bin. With vmin half a step below the lowest level, its truncation rounds to the nearest level.
    """

    state: ClassVar = {"lowest_": ("d",), "step_": ("d",)}
    _bits: ClassVar[int]
    _reach: ClassVar[float]
    _type: ClassVar[int]

    lowest_: Floats
    step_: Floats

    def _fit(self, X: Floats, seed: int) -> None:
        moments = Moments(products=False).add(X)
        reach = self._reach * np.sqrt(moments.variance)
        lowest = np.maximum(moments.minimum, moments.mean - reach)
        highest = np.minimum(moments.maximum, moments.mean + reach)
        self.lowest_ = lowest.astype(np.float32)
        self.step_ = ((highest - lowest) / (2**self._bits - 1)).astype(np.float32)

    @property
    def bytes_per_vector(self) -> int:
        return -(-self.input_dimensions_ * self._bits // 8)

    def encode(self, X: Floats) -> Codes:
        return np.asarray(self._index().sa_encode(np.ascontiguousarray(X)))

    def decode(self, codes: Codes) -> Floats:
        return np.asarray(self._index().sa_decode(np.ascontiguousarray(codes)))

    def index(self, codes: Codes) -> Any:
        return attach_codes(self._index(), codes)

    def _index(self) -> Any:
        index = faiss.IndexScalarQuantizer(self.input_dimensions_, self._type, faiss.METRIC_INNER_PRODUCT)
        lower, width = self.lowest_ - self.step_ / 2, self.step_ * (2**self._bits - 1)
        faiss.copy_array_to_vector(np.concatenate([lower, width]), index.sq.trained)
        index.is_trained = True
        return index


class Int8(_Scalar):
    """256 levels per dimension."""

    usage = pattern = example = "int8"
    summary = "256 levels per dimension, calibrated, clipped: one byte per dimension"
    # beyond all values: with 256 levels, clipping gains nothing
    _bits, _reach, _type = 8, 1e6, faiss.ScalarQuantizer.QT_8bit


class Int4(_Scalar):
    """16 levels per dimension within ±2.51 standard deviations, two dimensions per byte.

    References
    ----------
    J. Max 1960, Quantizing for minimum distortion, IRE Transactions on Information Theory 6(1): the optimal outer
    levels for a normal distribution and 16 levels.
    """

    usage = pattern = example = "int4"
    summary = "16 levels per dimension, calibrated, clipped: half a byte per dimension"
    _bits, _reach, _type = 4, 2.51, faiss.ScalarQuantizer.QT_4bit
