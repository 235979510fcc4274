"""One bit a dimension: its sign."""

import numpy as np

from vecsmith.codecs.quantizers.bits import BitQuantizer, Bits
from vecsmith.codecs.stages import Floats


class Binary(BitQuantizer):
    """The sign of every dimension, 1 above zero; nothing is fitted.

    A code stands for the unit vector with these signs, whose values are ±1/√d.
    """

    usage = pattern = example = "binary"
    summary = "the sign of every dimension: one bit a dimension, nothing fitted"
    requires_fit = False

    def _fit(self, X: Floats, seed: int) -> None:
        """Nothing to learn."""

    def bits(self, X: Floats) -> Bits:
        return X > 0

    def from_signs(self, signs: Floats) -> Floats:
        return signs / np.float32(np.sqrt(self.input_dimensions_))
