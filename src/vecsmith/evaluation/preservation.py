"""Similarity preservation: how closely the scores of a codec follow the cosines of the float vectors."""

import math
from collections.abc import Sequence

import numpy as np

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.codecs import Codec
from vecsmith.embeddings import sample_rows
from vecsmith.evaluation.ranked_lists import overlap
from vecsmith.index import SHORTLIST, Index, subset

NEIGHBORS = 10
"""Number of nearest documents per query that are compared."""
SAMPLE = 1000
"""Maximum documents whose scores are correlated."""


class SimilarityPreservation:
    """The cosines of queries and documents, with which the scores of an index of the same documents are compared.

    Parameters
    ----------
    Q, D : ndarray of shape (m, d) and (n, d), float32
        Unit vectors of the queries and of the documents.
    ids : sequence of str
        Ids of the documents.
    seed : int
        Seed of the sample of documents.
    """

    def __init__(self, Q: Floats, D: Floats, ids: Sequence[str], seed: int) -> None:
        self._queries = Q
        codec = Codec("float32").fit(D)
        self._neighbors = Index(codec, codec.encode(D), ids=ids).search(Q, NEIGHBORS)[1]
        nonzero = np.flatnonzero(D.any(axis=1))
        self._sample: RowNumbers = np.sort(nonzero[sample_rows(len(nonzero), SAMPLE, seed)])
        self._cosines = Q @ D[self._sample].T

    def neighbors_kept(self, rows: RowNumbers) -> float:
        """Return the share of the ten nearest documents that rankings (m, k) have in their first ten places.

        Parameters
        ----------
        rows : ndarray of shape (m, k), int64
            Row numbers of the retrieved documents of each query, best first; −1 marks an empty place.
        """
        return float(overlap(self._neighbors, rows[:, : self._neighbors.shape[1]]).mean())

    def score_correlation(self, index: Index) -> float:
        """Return the mean over queries of Pearson's correlation of the scores of an index with the cosines.

        It is computed on the same random documents for all queries, at most `SAMPLE`. Queries for which all scores are
        equal do not count; NaN if none remains.
        """
        ours = np.full(self._cosines.shape, np.nan)
        # parts of the length of a shortlist, so that every document is rescored
        for start in range(0, len(self._sample), SHORTLIST):
            part = subset(index, self._sample[start : start + SHORTLIST])
            scores, rows = part.search(self._queries, SHORTLIST)
            query, place = np.nonzero(rows >= 0)
            ours[query, start + rows[query, place]] = scores[query, place]
        correlations = [
            np.corrcoef(a[kept], b[kept])[0, 1]
            for a, b in zip(ours, self._cosines, strict=True)
            if (kept := np.isfinite(a)).sum() > 1 and np.ptp(a[kept]) and np.ptp(b[kept])
        ]
        return float(np.mean(correlations)) if correlations else math.nan
