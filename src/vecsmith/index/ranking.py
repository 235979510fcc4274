"""The best documents of a state, over all its parts and in order, ties included."""

import numpy as np

from vecsmith.codecs.stages import Floats
from vecsmith.index.exact import CodedVectors, Rows, order, score_shortlist, slack_of
from vecsmith.index.part import Mask, ScanScoring
from vecsmith.index.segments import Snapshot

SHORTLIST = 100
"""Documents that `rescored` reorders with the original vectors."""


def best(
    state: Snapshot, Q: Floats, count: int, scoring: ScanScoring, mask: Mask | None, probes: int | None
) -> tuple[Floats, Rows]:
    """Return the scores (n, count) and rows of the best documents in order; −∞ and −1 where `probes` find fewer.

    Parameters
    ----------
    state : Snapshot
        What is searched.
    Q : ndarray of shape (n, d)
        Queries.
    count : int
        Documents a query, at most as many as may be found.
    scoring : {"symmetric", "asymmetric"}
        How a query is scored against a code.
    mask : ndarray of shape (rows,), bool, or None
        Which rows may be found; None for all.
    probes : int or None
        How many inverted lists are scanned where there are some; None for all documents.
    """
    depth = count
    scores, rows, unseen = _scan(state, Q, depth, scoring, mask, probes)
    scores, rows = scores[:, :count], rows[:, :count]
    tied = np.flatnonzero((unseen >= scores[:, -1]) & np.isfinite(unseen))
    while len(tied):
        depth *= 2
        deeper, deeper_rows, unseen = _scan(state, Q[tied], depth, scoring, mask, probes)
        scores[tied], rows[tied] = deeper[:, :count], deeper_rows[:, :count]
        tied = tied[(unseen >= scores[tied, -1]) & np.isfinite(unseen)]
    return scores, rows


def rescore(state: Snapshot, Q: Floats, scores: Floats, rows: Rows) -> tuple[Floats, Rows]:
    """Reorder the shortlist with the original vectors or finer codes, and shift the scores of the rest below it."""
    originals, short = state.segments[0].originals, rows[:, :SHORTLIST]
    projected = originals.project(Q) if isinstance(originals, CodedVectors) else Q
    exact = score_shortlist(projected, short, state.vectors)
    with np.errstate(invalid="ignore"):  # −∞ less −∞, where probed lists have fewer documents
        exact, short = order(exact, short, state.rank, slack_of(Q), state.original_of)
        if rows.shape[1] <= SHORTLIST:
            return exact, short
        rest = scores[:, SHORTLIST:] - scores[:, :1] + exact[:, -1:]
    rest = np.where(rows[:, SHORTLIST:] >= 0, rest, -np.inf)
    return np.hstack([exact, rest]), np.hstack([short, rows[:, SHORTLIST:]])


def _scan(
    state: Snapshot, Q: Floats, depth: int, scoring: ScanScoring, mask: Mask | None, probes: int | None
) -> tuple[Floats, Rows, Floats]:
    """Return scores and rows in order, and what the score (n,) of a document not among them may be taken for."""
    slack = slack_of(Q)
    unseen = np.full(len(Q), -np.inf, np.float32)
    found = []
    for part in state.parts:
        allowed, count = part.allowed(mask)
        if count:
            # one more than asked for shows whether documents beyond the cut tie with those before it
            scores, rows = part.scan(Q, min(depth + 1, count), scoring, allowed, probes)
            if scores.shape[1] < count:
                np.maximum(unseen, scores[:, -1], out=unseen)
            found.append((scores, rows))
    scores, rows = found[0] if len(found) == 1 else (np.hstack(arrays) for arrays in zip(*found, strict=True))
    with np.errstate(invalid="ignore"):  # −∞ less −∞
        return *order(scores, rows, state.rank, slack, state.code_of), unseen + slack
