"""Search: codes → rankings."""

from vecsmith.search.codes import CodeSet
from vecsmith.search.index import SCORINGS, SHORTLIST, Index, Part, Scoring
from vecsmith.search.protocol import FIT_ON, Encoded, encode_corpus, training_set

__all__ = [
    "FIT_ON",
    "SCORINGS",
    "SHORTLIST",
    "CodeSet",
    "Encoded",
    "Index",
    "Part",
    "Scoring",
    "encode_corpus",
    "training_set",
]
