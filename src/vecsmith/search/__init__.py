"""Search: codes → rankings."""

from vecsmith.search.codes import CodeSet
from vecsmith.search.exact import SCORINGS, Decoded, Scoring
from vecsmith.search.floats import codes_of
from vecsmith.search.index import Index
from vecsmith.search.part import Part
from vecsmith.search.protocol import FIT_ON, Encoded, encode_corpus, training_set
from vecsmith.search.ranking import SHORTLIST
from vecsmith.search.two_stages import has_two_quantizers

__all__ = [
    "FIT_ON",
    "SCORINGS",
    "SHORTLIST",
    "CodeSet",
    "Decoded",
    "Encoded",
    "Index",
    "Part",
    "Scoring",
    "codes_of",
    "encode_corpus",
    "has_two_quantizers",
    "training_set",
]
