"""Floating-point codes: float32, the baseline, and float16."""

from abc import abstractmethod
from typing import Any

import faiss
import numpy as np

from vecsmith.codecs.scan import attach_codes
from vecsmith.codecs.stages import Codes, Floats, Quantizer


class _Float(Quantizer):
    """Vectors in a little-endian floating-point dtype."""

    requires_fit = False

    @property
    @abstractmethod
    def _dtype(self) -> np.dtype[np.floating[Any]]: ...

    def _fit(self, X: Floats, seed: int) -> None:
        """Learn nothing."""

    @property
    def bytes_per_vector(self) -> int:
        return self.input_dimensions_ * self._dtype.itemsize

    def encode(self, X: Floats) -> Codes:
        largest = np.finfo(self._dtype).max
        return np.ascontiguousarray(X.clip(-largest, largest).astype(self._dtype)).view(np.uint8)

    def decode(self, codes: Codes) -> Floats:
        return np.ascontiguousarray(codes).view(self._dtype).astype(np.float32)


class Float32(_Float):
    """Vectors unchanged: four bytes per dimension."""

    usage = pattern = example = "float32"
    summary = "the vectors unchanged; the baseline of every comparison"
    _dtype = np.dtype("<f4")

    def index(self, codes: Codes) -> Any:
        return attach_codes(faiss.IndexFlatIP(self.input_dimensions_), codes)


class Float16(_Float):
    """IEEE half precision: two bytes per dimension."""

    usage = pattern = example = "float16"
    summary = "half precision: two bytes per dimension"
    _dtype = np.dtype("<f2")

    def index(self, codes: Codes) -> Any:
        index = faiss.IndexScalarQuantizer(
            self.input_dimensions_, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
        index.is_trained = True
        return attach_codes(index, codes)
