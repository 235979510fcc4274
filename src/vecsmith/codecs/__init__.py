"""Codecs: vectors → codes of a known number of bytes → scores."""

from vecsmith.codecs.base import STAGES, BitQuantiser, Quantiser, Reducer, Stage
from vecsmith.codecs.codec import Codec
from vecsmith.codecs.reduced import reduce_set
from vecsmith.codecs.stored import is_codec, load_codec

__all__ = ["STAGES", "BitQuantiser", "Codec", "Quantiser", "Reducer", "Stage", "is_codec", "load_codec", "reduce_set"]
