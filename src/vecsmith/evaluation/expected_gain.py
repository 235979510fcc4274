"""Estimate of the retention of nDCG@10 without judgements: gains are computed from float scores."""

import numpy as np
from scipy.stats import binom

from vecsmith.array_types import Doubles, Floats

NDCG_DEPTH = 10
"""Evaluated documents per ranking, as in nDCG@10."""
TEMPERATURE = 0.4
"""Temperature of the gains, in units of the mean difference between the first and tenth score of a query. With this
value, the mean predicted loss equals the mean measured loss."""


class ExpectedGain:
    """Estimates the quality of rankings for queries without judgements, from the float scores s of the documents.

    The expected gain of a document is exp((s − s₁)/τ), where s₁ is the highest score of the query, and τ is 0.4 times
    the mean of s₁ − s₁₀ over the queries (docs/studies/prediction.md).

    Parameters
    ----------
    best : ndarray of shape (n_queries, k)
        The k highest float scores of each query, in descending order. k is 10 or more.
    """

    def __init__(self, best: Floats) -> None:
        self._best = best
        self._temperature = TEMPERATURE * float((best[:, 0] - best[:, NDCG_DEPTH - 1]).mean()) or 1.0

    def _discounted_gain(self, scores: Floats, share: float) -> Doubles:
        gains = np.exp((scores - self._best[:, :1]) / self._temperature)
        return np.asarray(gains @ expected_discounts(scores.shape[1], share))

    def retention(self, scores: Floats, share: float = 1.0) -> Doubles:
        """Return the discounted gain of each query relative to the float ranking, (n_queries,).

        Parameters
        ----------
        scores : ndarray of shape (n_queries, k)
            Float scores of the ranked documents, in the order of the ranking.
        share : float
            Share of the competitors of a relevant document that are kept, at random. The result is the expected value,
            so no subsample is drawn. A share of 1/16 needs rankings of about 300 documents.
        """
        return self._discounted_gain(scores, share) / self._discounted_gain(self._best, share)


def expected_discounts(depth: int, share: float) -> Doubles:
    """Return the expected discount in nDCG@10 of a relevant document, by its rank among all documents.

    The document is kept, and each document above it with probability `share`. The number of documents that remain above
    rank r therefore has the binomial distribution of r − 1 trials.

    Parameters
    ----------
    depth : int
        Number of ranks.
    share : float
        Share of the documents that are kept. With 1, the discounts equal the discounts of nDCG@10.

    Returns
    -------
    ndarray of shape (depth,), float64
    """
    above = np.arange(NDCG_DEPTH)
    discounts = 1 / np.log2(above + 2)
    return np.asarray(binom.pmf(above, np.arange(depth)[:, None], share) @ discounts)
