"""Hybrid search: the rankings of two retrievers as one."""

from collections.abc import Sequence
from typing import Self

import numpy as np

from vecsmith.array_types import Doubles, Floats, RowMask, RowNumbers
from vecsmith.errors import VecsmithError
from vecsmith.index import Index
from vecsmith.index.tie_order import RankOf, best_first
from vecsmith.retrievers.base import Embed, IndexRetriever, LexicalRetriever, Retriever

CANDIDATES = 1000
"""Documents of each retriever that are fused, as in Cormack et al. 2009 and Bruch et al. 2023."""
RRF_K = 60
"""Constant k of reciprocal rank fusion (Cormack et al. 2009)."""

Ranking = tuple[Floats, RowNumbers]
"""Scores and rows (m, k), as `Retriever.search` returns them."""


class Hybrid(Retriever):
    """The fusion of two retrievers over one corpus.

    Reciprocal rank fusion scores a document by Σ 1/(60 + rank), over the rankings that contain it. The convex
    combination scores it by w s₁ + (1 − w) s₂, where the scores of each ranking are scaled to the range from 0 to 1
    for each query, and a document that is not in a ranking has 0.

    Parameters
    ----------
    first, second : Retriever
        Retrievers of the same documents.
    weight : float, optional
        Weight w of the first retriever in the convex combination; reciprocal rank fusion by default.

    Raises
    ------
    VecsmithError
        If the weight is not from 0 to 1.

    References
    ----------
    Cormack, Clarke and Büttcher 2009, Reciprocal rank fusion outperforms Condorcet and individual rank learning
    methods, SIGIR. Bruch, Gai and Ingber 2023, An analysis of fusion functions for hybrid retrieval, TOIS 42.
    """

    def __init__(self, first: Retriever, second: Retriever, weight: float | None = None) -> None:
        check_weight(weight)
        self.first, self.second, self.weight = first, second, weight
        self.rank_of = first.rank_of
        self.lexical_bytes_per_document = first.lexical_bytes_per_document + second.lexical_bytes_per_document
        self.rescore_bytes_per_document = first.rescore_bytes_per_document + second.rescore_bytes_per_document

    @classmethod
    def of(cls, index: Index, embed: Embed, weight: float | None = None) -> Self:
        """Return the fusion of an index and the lexical index that is stored with its codes.

        Parameters
        ----------
        index : Index
            An index that `Index.load` opened.
        embed : callable
            Returns the vectors (m, d) of the texts of m queries.
        weight : float, optional
            As for `Hybrid`.

        Raises
        ------
        VecsmithError
            If the index has no lexical index, or the weight is not from 0 to 1.
        """
        if index.lexical is None:
            raise VecsmithError("The index has no lexical index; encode its vectors again with --lexical bm25.")
        return cls(IndexRetriever(index, embed), LexicalRetriever(index.lexical, index.rank_of, index), weight)

    def _search(self, queries: Sequence[str], k: int, allowed: RowMask | None) -> tuple[Floats, RowNumbers]:
        depth = max(k, CANDIDATES)
        first, second = (each.search(queries, depth, allowed) for each in (self.first, self.second))
        return fuse_rankings(first, second, self.weight, k, self.rank_of)


def check_weight(weight: float | None) -> None:
    """Check the weight of a convex combination; None stands for reciprocal rank fusion.

    Raises
    ------
    VecsmithError
        If the weight is not from 0 to 1.
    """
    if weight is not None and not 0 <= weight <= 1:
        raise VecsmithError(f"The weight of a convex combination must be from 0 to 1, not {weight:g}.")


def fuse_rankings(
    first: Ranking,
    second: Ranking,
    weight: float | None,
    k: int,
    rank_of: RankOf,
) -> tuple[Floats, RowNumbers]:
    """Return the best k documents of each query by fused score.

    Parameters
    ----------
    first, second : tuple of ndarray of shape (m, c), float32 and int64
        Scores and rows of two rankings, as `Retriever.search` returns them.
    weight : float or None
        Weight of the first ranking in the convex combination; None for reciprocal rank fusion.
    k : int
        Documents per query.
    rank_of : callable
        Returns the position of each row number among documents with equal scores.

    Returns
    -------
    scores, rows : ndarray of shape (m, k'), float32 and int64
        The fused rankings, where k' ≤ k is the length of the longest one; −inf and −1 behind the others.
    """
    weights = (1.0, 1.0) if weight is None else (weight, 1 - weight)
    parts: list[Ranking] = []
    for rankings in zip(*first, *second, strict=True):
        scores_a, rows_a, scores_b, rows_b = rankings
        points = np.concatenate(
            [
                share * (_reciprocal_ranks(rows) if weight is None else _min_max(scores[rows >= 0]))
                for share, scores, rows in ((weights[0], scores_a, rows_a), (weights[1], scores_b, rows_b))
            ]
        )
        rows, places = np.unique(np.concatenate([rows_a[rows_a >= 0], rows_b[rows_b >= 0]]), return_inverse=True)
        fused = np.bincount(places, points, len(rows)).astype(np.float32)
        parts.append(best_first(fused, rows, rank_of, k))
    width = max((len(rows) for _, rows in parts), default=0)
    scores, rows = np.full((len(parts), width), -np.inf, np.float32), np.full((len(parts), width), -1, np.int64)
    for place, (best, which) in enumerate(parts):
        scores[place, : len(best)], rows[place, : len(best)] = best, which
    return scores, rows


def _reciprocal_ranks(rows: RowNumbers) -> Doubles:
    return np.asarray(1 / (RRF_K + 1 + np.arange(np.count_nonzero(rows >= 0))), np.float64)


def _min_max(scores: Floats) -> Doubles:
    """Scale the scores of one ranking to the range from 0 to 1; equal scores become 1."""
    if not len(scores):
        return np.empty(0)
    low, high = float(scores.min()), float(scores.max())
    return np.asarray((scores - low) / (high - low) if high > low else np.ones(len(scores)), np.float64)
