"""Order of a ranking: by falling score, ties by rank, with scores that differ only by rounding made equal first."""

from collections.abc import Callable
from typing import Any

import numpy as np

from vecsmith.array_types import Floats, RowNumbers

RankOf = Callable[[RowNumbers], RowNumbers]
"""A function that returns the position of each row number among documents with equal scores."""
ROUNDING = 1e-6
"""Maximum difference of a document's scores for a unit query that are computed in different batches."""


def sort_by_score(
    scores: Floats,
    rows: RowNumbers,
    rank_of: RankOf,
    content_of: Callable[[int], object],
    tolerance: float = ROUNDING,
) -> tuple[Floats, RowNumbers]:
    """Sort the documents of each query by falling score, ties by rank.

    Documents with equal content tie. The rounding of a score depends on the batch in which the document was decoded, so
    the scores of documents with equal content that lie within `tolerance` of each other are made equal first.

    Parameters
    ----------
    scores : ndarray of shape (n, k), float32
        Scores, nearly sorted or not.
    rows : ndarray of shape (n, k), int64
        Row numbers of the documents.
    rank_of : callable
        Returns the position of each row number among documents with equal scores; called only if there are such.
    content_of : callable
        Returns the content that determines the score of a row, such as its code.
    tolerance : float
        Maximum rounding difference of scores.

    Returns
    -------
    scores : ndarray of shape (n, k), float32
        Sorted scores.
    rows : ndarray of shape (n, k), int64
        Sorted row numbers.
    """
    # comparisons rather than differences, because empty places have the score −∞
    separated = scores[:, :-1] - tolerance > scores[:, 1:]
    if separated.all():
        return scores, rows
    if not (scores[:, :-1] > scores[:, 1:]).all():
        scores, rows = _sort(scores, rows, rank_of)
        separated = scores[:, :-1] - tolerance > scores[:, 1:]
    for query in np.flatnonzero(((scores[:, :-1] > scores[:, 1:]) & ~separated).any(axis=1)):
        equalized = _equalize(scores[query], rows[query], separated[query], content_of)
        scores[query], rows[query] = (sorted_[0] for sorted_ in _sort(equalized[None], rows[None, query], rank_of))
    return scores, rows


def best_first(scores: Floats, rows: RowNumbers, rank_of: RankOf, k: int) -> tuple[Floats, RowNumbers]:
    """Return the best k documents of one query; ties, at the cut too, are broken by rank.

    Parameters
    ----------
    scores : ndarray of shape (n,), float32
        Scores of documents.
    rows : ndarray of shape (n,), int64
        Their row numbers.
    rank_of : callable
        Returns the position of each row number among documents with equal scores.
    k : int
        Number of documents.

    Returns
    -------
    scores, rows : ndarray of shape (min(k, n),)
        The highest scores and their row numbers, best first.
    """
    if len(scores) > k:
        candidates = scores >= np.partition(scores, -k)[-k]
        scores, rows = scores[candidates], rows[candidates]
    scores, rows = (sorted_[0] for sorted_ in _sort(scores[None], rows[None], rank_of))
    return scores[:k], rows[:k]


def _sort(scores: Floats, rows: RowNumbers, rank_of: RankOf) -> tuple[Floats, RowNumbers]:
    """Sort documents by falling score, exact ties by rank."""
    places = np.lexsort((rank_of(rows), -scores), axis=1)
    return np.take_along_axis(scores, places, axis=1), np.take_along_axis(rows, places, axis=1)


def _equalize(scores: Floats, rows: RowNumbers, separated: Any, content_of: Callable[[int], object]) -> Floats:
    """Give documents with equal content in one run of close scores (k,) the highest score among them.

    A run ends where `separated` (k − 1,) says that the next score is further away than the tolerance.
    """
    equalized, highest = scores.copy(), dict[object, Any]()
    runs = np.concatenate([[0], np.cumsum(separated)])
    for place in np.flatnonzero(np.bincount(runs)[runs] > 1):
        key = runs[place], content_of(int(rows[place]))
        equalized[place] = highest.setdefault(key, equalized[place])
    return equalized
