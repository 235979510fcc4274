"""Early termination of rescoring: candidates are scored exactly until the others are unlikely to be results."""

from collections.abc import Callable

import numpy as np

from vecsmith.array_types import Floats, RowNumbers

FIRST_CANDIDATES = 192
"""Number of candidates that are scored before a search checks for the first time whether it may stop."""
CANDIDATE_BLOCK = 64
"""The number of scored candidates grows by about half until the next check, to a multiple of this number."""
DEVIATIONS = 3.25
"""Standard deviations by which the estimate of a document is expected to underrate it at most."""


def next_count(exact: Floats, estimates: Floats, scored: int, k: int) -> int:
    """Return the number of candidates that should be scored before the next call, or `scored` if these suffice.

    They suffice if the next estimate is lower than the k-th exact score by more than `DEVIATIONS` standard deviations
    of the errors of the estimates so far. This function is also compiled by numba.

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
    """
    count = len(estimates)
    if scored == 0:
        return min(max(FIRST_CANDIDATES, 2 * k), count)
    if scored == count:
        return count
    errors = exact[:scored].astype(np.float64) - estimates[:scored]
    highest = estimates[scored] + errors[scored // 2 :].mean() + DEVIATIONS * errors.std()
    if highest < np.partition(exact[:scored], scored - k)[scored - k]:
        return scored
    return min(scored + -(-scored // 2 // CANDIDATE_BLOCK) * CANDIDATE_BLOCK, count)


def score_candidates(
    score: Callable[[RowNumbers], Floats], candidates: RowNumbers, estimates: Floats, k: int
) -> Floats:
    """Return the exact scores (m,), float32, of the first m candidates; the others are unlikely to be results.

    Parameters
    ----------
    score : callable
        Function that returns the exact scores (n,) of candidates (n,).
    candidates : ndarray of shape (c,), int64
        Positions of the candidates.
    estimates : ndarray of shape (c,), float32
        Their estimated scores, best first.
    k : int
        Number of results. If it is c, all candidates are scored.
    """
    exact, scored = np.empty(len(candidates), np.float32), 0
    while (count := next_count(exact, estimates, scored, k)) > scored:
        exact[scored:count] = score(candidates[scored:count])
        scored = count
    return exact[:scored]
