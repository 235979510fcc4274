"""Search: codes → rankings."""

from vecsmith.search.index import SCORINGS, SHORTLIST, Index, Part, Scoring

__all__ = ["SCORINGS", "SHORTLIST", "Index", "Part", "Scoring"]
