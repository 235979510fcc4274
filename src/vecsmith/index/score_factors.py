"""Scores that are multiplied by one factor per document, such as the reciprocal norm of a decoded vector.

FAISS ranks by inner products without these factors. A scan therefore returns more candidates than results, and the
candidates are ranked again after multiplication.
"""

import numpy as np

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.index.shortlist import best_candidates

CANDIDATES_PER_RESULT = 4
"""Candidates per result where the factors vary little, as those of real embeddings do."""
CANDIDATES_PER_RESULT_WIDE = 16
"""Candidates per result where the factors vary widely, so that the order by inner products is less reliable."""
EXTRA_RESULTS = 32
"""Results added to k before k is multiplied by the candidates per result, so that a small k has enough candidates."""
WIDE_SPREAD = 1.25
"""Ratio of the 99.9 % quantile to the median above which factors vary widely; real embeddings have up to 1.2."""
SPREAD_SAMPLE = 10_000
"""Maximum number of factors from which the spread is estimated."""


def candidates_per_result(factors: Floats) -> int:
    """Return the candidates per result that a scan needs for score factors (n,)."""
    median, high = np.quantile(factors[:: -(-len(factors) // SPREAD_SAMPLE)], [0.5, 0.999])
    return CANDIDATES_PER_RESULT if high < WIDE_SPREAD * median else CANDIDATES_PER_RESULT_WIDE


def rank_by_scaled_score(
    scores: Floats, places: RowNumbers, shift: Floats, factors: Floats, k: int
) -> tuple[Floats, RowNumbers]:
    """Multiply the scores of candidates by their factors, and return the best k candidates in order.

    Parameters
    ----------
    scores : ndarray of shape (n, candidates), float32
        Inner products from the scan.
    places : ndarray of shape (n, candidates), int64
        Positions of the candidates among the codes; −1 marks an empty place.
    shift : ndarray of shape (n,), float32
        Offsets that are added to the inner products before the multiplication.
    factors : ndarray of shape (codes,), float32
        Score factor of each code.
    k : int
        Results per query.

    Returns
    -------
    scores : ndarray of shape (n, k), float32
        Scores, best first; −inf at empty places.
    places : ndarray of shape (n, k), int64
        Positions among the codes.
    """
    scores = np.where(places >= 0, (scores + shift[:, None]) * factors.take(places), -np.inf)
    return best_candidates(scores, places, k)
