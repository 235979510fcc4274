"""Sign quantization: one bit per dimension."""

import numpy as np

from vecsmith.codecs.quantizers.bits import BitQuantizer, Bits
from vecsmith.codecs.stages import Floats


class Binary(BitQuantizer):
    """The sign of each dimension, 1 for positive values, without fitting.

    A code decodes to the unit vector with these signs and values ±1/√d.
    """

    usage = pattern = example = "binary"
    summary = "the sign of every dimension: one bit per dimension, nothing fitted"
    requires_fit = False

    def _fit(self, X: Floats, seed: int) -> None:
        """Learn nothing."""

    def bits(self, X: Floats) -> Bits:
        return X > 0

    def from_signs(self, signs: Floats) -> Floats:
        return signs / np.float32(np.sqrt(self.input_dimensions_))
