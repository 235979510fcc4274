"""Scoring modes, and the array types of row numbers and row masks."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vecsmith.codecs import BitQuantizer, Codec

RowNumbers = NDArray[np.int64]
RowMask = NDArray[np.bool_]

Scoring = Literal["symmetric", "asymmetric", "rescored"]
ScanScoring = Literal["symmetric", "asymmetric"]
SCORINGS: tuple[Scoring, ...] = get_args(Scoring)


def is_bit_code(codec: Codec) -> bool:
    """Return whether the codes of a codec are bits, so that their Hamming distance is meaningful."""
    return isinstance(codec.quantizer, BitQuantizer)
