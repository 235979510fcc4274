"""Retention without judgements: gains that float scores make likely."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

DEPTH = 10
"""Ranks that count, as in nDCG@10."""
TEMPERATURE = 0.4
"""Of a gain, in mean differences between a query's first and tenth score: with it, losses come true on the average."""


class ExpectedGain:
    """Judges rankings of documents for queries that have no judgements, by the float scores s of what they found.

    How likely a document is to be relevant, and so its gain, is taken to be exp((s − s₁)/τ), s₁ being the best score of
    the query, and τ 0.4 times the mean of s₁ − s₁₀ over the queries (docs/studies/prediction.md).

    Parameters
    ----------
    best : ndarray of shape (n_queries, 10)
        The ten best float scores of every query, best first.
    """

    def __init__(self, best: Floats) -> None:
        self._best = best
        self._temperature = TEMPERATURE * float((best[:, 0] - best[:, -1]).mean()) or 1.0
        self._ideal = self._gained(best)

    def _gained(self, scores: Floats) -> NDArray[np.float64]:
        discounts = 1 / np.log2(np.arange(DEPTH) + 2)
        return np.asarray(np.exp((scores - self._best[:, :1]) / self._temperature) @ discounts)

    def retention(self, scores: Floats) -> NDArray[np.float64]:
        """Return the discounted gain of each query over that of the float ranking, (n_queries,).

        Parameters
        ----------
        scores : ndarray of shape (n_queries, 10)
            Float scores of the documents that were found, in the order in which they were.
        """
        return np.asarray(self._gained(scores) / self._ideal)
