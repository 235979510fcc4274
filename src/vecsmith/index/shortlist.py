"""Shortlists: the exact scores of each query's own candidates, and the best of them."""

from collections.abc import Callable

import numpy as np

from vecsmith.array_types import Floats, RowNumbers

SHORTLIST = 100
"""Number of candidates per query that scoring ``rescored`` reorders with original vectors or finer codes."""
BLOCK_FLOATS = 1 << 25
"""Maximum number of floats that are gathered at a time: 128 MiB."""


def score_shortlist(queries: Floats, rows: RowNumbers, vectors_of: Callable[[RowNumbers], Floats]) -> Floats:
    """Return the inner products of each query with its own candidates.

    Parameters
    ----------
    queries : ndarray of shape (n, d), float32
        Queries, projected into the space of `vectors_of`.
    rows : ndarray of shape (n, s), int64
        Row numbers of the candidates of each query; −1 marks an empty place.
    vectors_of : callable
        Returns the vectors (m, d), float32, of row numbers (m,).

    Returns
    -------
    ndarray of shape (n, s), float32
        Scores; −inf at empty places.
    """
    scores = np.empty(rows.shape, np.float32)
    step = max(1, BLOCK_FLOATS // (rows.shape[1] * queries.shape[1]))
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        vectors = vectors_of(np.maximum(block, 0).ravel()).reshape(*block.shape, -1)
        np.einsum("nsd,nd->ns", vectors, queries[start : start + step], out=scores[start : start + step])
    scores[rows < 0] = -np.inf
    return scores


def best_candidates(scores: Floats, rows: RowNumbers, k: int) -> tuple[Floats, RowNumbers]:
    """Return the best k candidates of each query: their scores (n, k), best first, and their row numbers (n, k).

    Parameters
    ----------
    scores : ndarray of shape (n, s), float32
        Scores.
    rows : ndarray of shape (n, s), int64
        Row numbers.
    k : int
        Results per query, at most s.
    """
    n, width = scores.shape
    # for one query, this takes half as long as np.take_along_axis
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k] + width * np.arange(n)[:, None]
    return scores.take(best), rows.take(best)
