"""Codecs: vectors → codes of a known number of bytes → scores."""

from vecsmith.codecs.codec import Codec
from vecsmith.codecs.load import is_codec, load_codec
from vecsmith.codecs.quantizers.bits import BitQuantizer
from vecsmith.codecs.reduced import reduce_set
from vecsmith.codecs.stages import STAGES, Quantizer, Reducer, Stage

__all__ = ["STAGES", "BitQuantizer", "Codec", "Quantizer", "Reducer", "Stage", "is_codec", "load_codec", "reduce_set"]
