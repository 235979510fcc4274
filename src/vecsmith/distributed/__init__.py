"""The stages of vecsmith beyond one machine: over many files, in buckets, by threads or by Ray Data."""

from vecsmith.distributed.datasets import embed, encode, reduce, translate
from vecsmith.distributed.index import Index
from vecsmith.distributed.stages import Embed, Encode, Reduce, Translate

__all__ = ["Embed", "Encode", "Index", "Reduce", "Translate", "embed", "encode", "reduce", "translate"]
