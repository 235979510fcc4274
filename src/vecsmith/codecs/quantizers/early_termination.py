"""Early termination of rescoring: candidates are scored exactly until the others are unlikely to be results."""

from collections.abc import Callable, Iterable

import numpy as np

from vecsmith.array_types import Floats, RowNumbers

FIRST_CANDIDATES = 192
"""Number of candidates that are scored before a search checks for the first time whether it may stop."""
CANDIDATE_BLOCK = 64
"""The number of scored candidates grows by about half until the next check, to a multiple of this number."""
DEVIATIONS = 3.25
"""Standard deviations by which the estimate of a document is expected to underrate it at most."""


def next_count(exact: Floats, estimates: Floats, scored: int, k: int, kth: float) -> int:
    """Return the number of candidates that should be scored before the next call, or `scored` if these suffice.

    They suffice if the next estimate is lower than the k-th best exact score by more than `DEVIATIONS` standard
    deviations of the errors of the estimates so far. This function is also compiled by numba.

    Parameters
    ----------
    exact : ndarray of shape (c,), float32
        Exact scores, of which the first `scored` are set.
    estimates : ndarray of shape (c,), float32
        Estimated scores of all candidates, best first.
    scored : int
        Number of candidates that are scored; 0 at first.
    k : int
        Number of results.
    kth : float
        The k-th best exact score, if as many candidates are scored.
    """
    count = len(estimates)
    if scored == 0:
        return min(max(FIRST_CANDIDATES, 2 * k), count)
    if scored == count:
        return count
    errors = exact[:scored].astype(np.float64) - estimates[:scored]
    highest = estimates[scored] + errors[scored // 2 :].mean() + DEVIATIONS * errors.std()
    if highest < kth:
        return scored
    return min(scored + -(-scored // 2 // CANDIDATE_BLOCK) * CANDIDATE_BLOCK, count)


def rescore(
    scorers: Iterable[Callable[[RowNumbers], Floats]], candidates: RowNumbers, estimates: Floats, k: int
) -> tuple[Floats, RowNumbers]:
    """Return the best k candidates of each query, best first; candidates that are unlikely to be results are skipped.

    Parameters
    ----------
    scorers : iterable of callable
        For each query, the function that returns the exact scores (m,) of candidates (m,).
    candidates : ndarray of shape (n, c), int64
        Positions of the candidates; −1 marks an empty place.
    estimates : ndarray of shape (n, c), float32
        Their estimated scores, best first.
    k : int
        Results per query. If it is c, all candidates are scored.

    Returns
    -------
    scores : ndarray of shape (n, k), float32
        Exact scores; −inf at empty places.
    places : ndarray of shape (n, k), int64
        Positions of the candidates; −1 at empty places.
    """
    scores = np.full((len(candidates), k), -np.inf, np.float32)
    places = np.full((len(candidates), k), -1, np.int64)
    for row, score in enumerate(scorers):
        found = candidates[row][candidates[row] >= 0]
        exact, scored, best, kth = np.empty(len(found), np.float32), 0, np.empty(0, np.int64), -np.inf
        while (count := next_count(exact, estimates[row, : len(found)], scored, k, kth)) > scored:
            exact[scored:count] = score(found[scored:count])
            scored = count
            best = np.argsort(-exact[:scored], kind="stable")[:k]
            kth = exact[best[-1]]
        scores[row, : len(best)], places[row, : len(best)] = exact[best], found[best]
    return scores, places
