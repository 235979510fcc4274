"""Search: codes → rankings."""

from vecsmith.index.code_set import CodeSet
from vecsmith.index.exact import SCORINGS, CodedVectors, Scoring
from vecsmith.index.float_codes import codes_of
from vecsmith.index.index import Index
from vecsmith.index.part import CodePartition
from vecsmith.index.ranking import SHORTLIST
from vecsmith.index.two_stages import has_two_quantizers

__all__ = [
    "SCORINGS",
    "SHORTLIST",
    "CodePartition",
    "CodeSet",
    "CodedVectors",
    "Index",
    "Scoring",
    "codes_of",
    "has_two_quantizers",
]
