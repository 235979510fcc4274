"""Search: codes → rankings."""

from vecsmith.index.code_set import CodeSet
from vecsmith.index.coded_vectors import CodedVectors
from vecsmith.index.float_codes import codes_of
from vecsmith.index.index import Index
from vecsmith.index.scanning import CodePartition
from vecsmith.index.scoring import SCORINGS, Scoring
from vecsmith.index.shortlist import SHORTLIST, score_shortlist
from vecsmith.index.subset import subset
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
    "score_shortlist",
    "subset",
]
