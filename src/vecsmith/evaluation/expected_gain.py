"""Estimate of the retention of nDCG@10 without judgements: gains are computed from float scores."""

import numpy as np

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
    best : ndarray of shape (n_queries, 10)
        The ten highest float scores of each query, in descending order.
    """

    def __init__(self, best: Floats) -> None:
        self._best = best
        self._temperature = TEMPERATURE * float((best[:, 0] - best[:, -1]).mean()) or 1.0
        self._ideal = self._discounted_gain(best)

    def _discounted_gain(self, scores: Floats) -> Doubles:
        discounts = 1 / np.log2(np.arange(NDCG_DEPTH) + 2)
        return np.asarray(np.exp((scores - self._best[:, :1]) / self._temperature) @ discounts)

    def retention(self, scores: Floats) -> Doubles:
        """Return the discounted gain of each query divided by that of the float ranking, (n_queries,).

        Parameters
        ----------
        scores : ndarray of shape (n_queries, 10)
            Float scores of the ranked documents, in the order of the ranking.
        """
        return np.asarray(self._discounted_gain(scores) / self._ideal)
