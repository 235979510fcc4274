"""Measures of the similarity of ranked lists.

Arrays (m, k) hold m lists of k different row numbers, best first.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from vecsmith.array_types import Doubles, RowNumbers

PERSISTENCE = 0.9
"""Parameter p of `rank_biased_overlap`: with 0.9, the first ten ranks have 86 % of the weight."""


def jaccard(a: RowNumbers, b: RowNumbers) -> Doubles:
    """Return |A ∩ B| / |A ∪ B| for the sets in each row of a and b (m, k)."""
    shared = _shared(a, b).sum(axis=1)
    return np.asarray(shared / (2 * a.shape[1] - shared))


def overlap(a: RowNumbers, b: RowNumbers) -> Doubles:
    """Return the share of the entries in each row of a (m, j) that are also in the same row of b (m, k)."""
    return np.asarray(_shared(a, b).mean(axis=1))


def edit_distance(a: RowNumbers, b: RowNumbers) -> Doubles:
    """Return the edit distance of the lists in each row of a and b (m, k), divided by k.

    The edit distance is the minimum number of insertions, deletions and substitutions that turn one list into the
    other.

    References
    ----------
    Levenshtein 1966, Binary codes capable of correcting deletions, insertions, and reversals, Soviet Physics
    Doklady 10.
    """
    k = a.shape[1]
    costs = np.broadcast_to(np.arange(k + 1), (len(a), k + 1)).astype(np.int64)
    for i in range(k):
        previous, costs = costs, np.empty_like(costs)
        costs[:, 0] = i + 1
        for j in range(k):
            changed = previous[:, j] + (a[:, i] != b[:, j])
            costs[:, j + 1] = np.minimum(changed, np.minimum(previous[:, j + 1], costs[:, j]) + 1)
    return np.asarray(costs[:, -1] / k)


def rank_biased_overlap(a: RowNumbers, b: RowNumbers, persistence: float = PERSISTENCE) -> Doubles:
    """Return the extrapolated rank-biased overlap of the lists in each row of a and b (m, k).

    RBO_ext = X_k/k · pᵏ + (1 − p)/p · Σ_d X_d/d · pᵈ, where X_d is the size of the intersection of the first d entries.

    Parameters
    ----------
    a, b : ndarray of shape (m, k), int64
        Ranked lists of row numbers.
    persistence : float
        p, between 0 and 1; the smaller it is, the more weight the first entries have.

    References
    ----------
    Webber, Moffat and Zobel 2010, A similarity measure for indefinite rankings, TOIS 28, equation 23 (equal to 32
    for lists of equal length).
    """
    k = a.shape[1]
    same = a[:, :, None] == b[:, None, :]
    depths = np.arange(1, k + 1)
    shared = np.array([same[:, :depth, :depth].sum(axis=(1, 2)) for depth in depths]).T
    agreement = shared / depths
    weights = persistence**depths
    rest = agreement[:, -1] * weights[-1]
    return np.asarray(rest + (1 - persistence) / persistence * (agreement * weights).sum(axis=1))


def kendall_tau(a: RowNumbers, b: RowNumbers) -> Doubles:
    """Return Kendall's τ with ties (τ_b) of the lists in each row of a and b (m, k), over the union of both lists.

    Entries that a list lacks are tied behind its last rank.

    References
    ----------
    Kendall 1945, The treatment of ties in ranking problems, Biometrika 33. Fagin, Kumar and Sivakumar 2003, Comparing
    top k lists, SIAM Journal on Discrete Mathematics 17.
    """
    from scipy.stats import kendalltau

    taus = []
    for ours, theirs in zip(a.tolist(), b.tolist(), strict=True):
        either = list(dict.fromkeys(ours + theirs))
        places = [[list_.index(row) if row in list_ else len(list_) for row in either] for list_ in (ours, theirs)]
        # τ is 1 by definition for a single entry
        taus.append(1.0 if len(either) < 2 else float(kendalltau(*places).statistic))
    return np.asarray(np.nan_to_num(np.array(taus), nan=1.0), dtype=np.float64)


def rank_similarity(a: RowNumbers, b: RowNumbers) -> Doubles:
    """Return the harmonic rank similarity of the lists in each row of a and b (m, k); 0 if they share no entry.

    1 / H · Σ_j 2 / ((1 + |r(j) − s(j)|) (r(j) + s(j))) over the shared entries j with ranks r(j) and s(j), where H is
    the harmonic number of their count. Entries at the first ranks have the most weight.

    References
    ----------
    Wang et al. 2022, Towards understanding the instability of network embedding, IEEE TKDE 34. Caspari et al. 2024,
    Beyond benchmarks: evaluating embedding model similarity for retrieval augmented generation systems.
    """
    ranks = np.arange(1, a.shape[1] + 1)
    r, s = ranks[:, None], ranks[None, :]
    weights = 2 / ((1 + np.abs(r - s)) * (r + s))
    sums = ((a[:, :, None] == b[:, None, :]) * weights).sum(axis=(1, 2))
    harmonic_numbers = np.cumsum(np.concatenate([[1.0], 1 / ranks])) - 1
    shared = _shared(a, b).sum(axis=1)
    return np.asarray(sums / np.where(shared, harmonic_numbers[shared], 1))


MEASURES: Mapping[str, Callable[[RowNumbers, RowNumbers], Doubles]] = {
    "jaccard": jaccard,
    "edit_distance": edit_distance,
    "rbo": rank_biased_overlap,
    "kendall_tau": kendall_tau,
    "rank_similarity": rank_similarity,
}
"""Measures of the similarity of ranked lists, by name."""


def _shared(a: RowNumbers, b: RowNumbers) -> NDArray[np.bool_]:
    """Return a mask (m, j) of the entries of a (m, j) that are also in the same row of b (m, k)."""
    return np.asarray((a[:, :, None] == b[:, None, :]).any(axis=2))
