"""Ranking: merging the scans of all partitions into the best documents of a snapshot, ties included."""

from collections.abc import Sequence

import numpy as np

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.index.row_filter import RowFilter
from vecsmith.index.scoring import ScanScoring
from vecsmith.index.snapshot import Snapshot
from vecsmith.index.tie_order import ROUNDING, sort_by_score


def rank(
    snapshot: Snapshot,
    Q: Floats,
    k: int,
    scoring: ScanScoring,
    filters: Sequence[RowFilter | None],
    probes: int | None,
) -> tuple[Floats, RowNumbers]:
    """Return the best k documents of each query in order, with ties broken at the cut too.

    Parameters
    ----------
    snapshot : Snapshot
        The documents.
    Q : ndarray of shape (n, d), float32
        Unit queries.
    k : int
        Documents per query, at most the number of allowed documents.
    scoring : {"symmetric", "asymmetric"}
        How a query is scored against a code.
    filters : sequence of RowFilter or None
        Filter of each partition for the documents that may be returned; None allows all.
    probes : int or None
        Number of inverted lists to scan per query, where there are lists; None scans all documents.

    Returns
    -------
    scores : ndarray of shape (n, k), float32
        Scores; −inf where the probed lists hold fewer than k documents.
    rows : ndarray of shape (n, k), int64
        Row numbers; −1 where the probed lists hold fewer than k documents.
    """
    n_candidates = k
    scores, rows, bound = _merge_partitions(snapshot, Q, n_candidates, scoring, filters, probes)
    scores, rows = scores[:, :k], rows[:, :k]
    tied = np.flatnonzero((bound >= scores[:, -1]) & np.isfinite(bound))
    while len(tied):
        n_candidates *= 2
        more = _merge_partitions(snapshot, Q[tied], n_candidates, scoring, filters, probes)
        scores[tied], rows[tied], bound = more[0][:, :k], more[1][:, :k], more[2]
        tied = tied[(bound >= scores[tied, -1]) & np.isfinite(bound)]
    return scores, rows


def _merge_partitions(
    snapshot: Snapshot,
    Q: Floats,
    k: int,
    scoring: ScanScoring,
    filters: Sequence[RowFilter | None],
    probes: int | None,
) -> tuple[Floats, RowNumbers, Floats]:
    """Scan all partitions and merge their documents.

    Returns
    -------
    scores : ndarray of shape (n, candidates), float32
        Scores of all scanned documents, best first.
    rows : ndarray of shape (n, candidates), int64
        Row numbers.
    bound : ndarray of shape (n,), float32
        Upper bound on the scores of the other documents, rounding included.
    """
    bound = np.full(len(Q), -np.inf, np.float32)
    scans = []
    for partition, allowed in zip(snapshot.partitions, filters, strict=True):
        count = len(partition.codes) if allowed is None else allowed.count
        if count:
            # one document more than k shows whether documents beyond the cut tie with those before it
            scores, rows = partition.scan(Q, min(k + 1, count), scoring, allowed, probes)
            if scores.shape[1] < count:
                np.maximum(bound, scores[:, -1], out=bound)
            scans.append((scores, rows))
    scores, rows = scans[0] if len(scans) == 1 else (np.hstack(arrays) for arrays in zip(*scans, strict=True))
    return *sort_by_score(scores, rows, snapshot.rank_of, snapshot.code_of), bound + np.float32(ROUNDING)
