"""Search: codes → rankings."""

from vecsmith.index.code_set import CodeSet
from vecsmith.index.exact import SCORINGS, CodedVectors, Scoring
from vecsmith.index.float_codes import codes_of
from vecsmith.index.index import Index
from vecsmith.index.part import CodePartition
from vecsmith.evaluation.folds import FIT_ON, Encoded, encode_corpus, training_set
from vecsmith.index.ranking import SHORTLIST
from vecsmith.index.two_stages import has_two_quantizers

__all__ = [
    "FIT_ON",
    "SCORINGS",
    "SHORTLIST",
    "CodeSet",
    "CodedVectors",
    "Encoded",
    "Index",
    "CodePartition",
    "Scoring",
    "codes_of",
    "encode_corpus",
    "has_two_quantizers",
    "training_set",
]
