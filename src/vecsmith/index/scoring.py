"""Scoring modes of a search."""

from typing import Literal, get_args

from vecsmith.codecs import BitQuantizer, Codec

Scoring = Literal["symmetric", "asymmetric", "rescored"]
ScanScoring = Literal["symmetric", "asymmetric"]
SCORINGS: tuple[Scoring, ...] = get_args(Scoring)


def is_bit_code(codec: Codec) -> bool:
    """Return whether the codes of a codec are bits, so that their Hamming distance is meaningful."""
    return isinstance(codec.quantizer, BitQuantizer)
