"""Rescoring: reordering a shortlist with original vectors or finer codes."""

import numpy as np

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.index.coded_vectors import project_to_coordinates
from vecsmith.index.shortlist import SHORTLIST, score_shortlist
from vecsmith.index.snapshot import Snapshot
from vecsmith.index.tie_order import sort_by_score


def rescore(snapshot: Snapshot, Q: Floats, scores: Floats, rows: RowNumbers) -> tuple[Floats, RowNumbers]:
    """Reorder the first `SHORTLIST` documents of each query by exact scores, and shift the other scores below them.

    Parameters
    ----------
    snapshot : Snapshot
        The documents, with originals.
    Q : ndarray of shape (n, d), float32
        Unit queries.
    scores : ndarray of shape (n, k), float32
        Scores from the codes, best first.
    rows : ndarray of shape (n, k), int64
        Row numbers; −1 marks an empty place.

    Returns
    -------
    scores : ndarray of shape (n, k), float32
        Scores in the new order.
    rows : ndarray of shape (n, k), int64
        Row numbers in the new order.
    """
    shortlist = rows[:, :SHORTLIST]
    projected = project_to_coordinates(snapshot.segments[0].originals, Q)
    exact = score_shortlist(projected, shortlist, snapshot.coordinates)
    exact, shortlist = sort_by_score(exact, shortlist, snapshot.rank_of, snapshot.original_of)
    if rows.shape[1] <= SHORTLIST:
        return exact, shortlist
    with np.errstate(invalid="ignore"):  # −inf minus −inf at empty places
        rest = scores[:, SHORTLIST:] - scores[:, :1] + exact[:, -1:]
    rest = np.where(rows[:, SHORTLIST:] >= 0, rest, -np.inf)
    return np.hstack([exact, rest]), np.hstack([shortlist, rows[:, SHORTLIST:]])
