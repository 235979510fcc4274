"""The stages of vecsmith beyond one machine: over many files, in buckets, by threads or by Ray Data."""

from vecsmith.distributed.datasets import assign_lists, embed, encode, reduce, translate
from vecsmith.distributed.index import Index
from vecsmith.distributed.stages import AssignLists, Embed, Encode, Reduce, Translate

__all__ = [
    "AssignLists",
    "Embed",
    "Encode",
    "Index",
    "Reduce",
    "Translate",
    "assign_lists",
    "embed",
    "encode",
    "reduce",
    "translate",
]
