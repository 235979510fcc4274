"""Two stages: a scan over codes, then a shortlist that is reordered with what is finer."""

from copy import copy

import numpy as np

from vecsmith.codecs import Codec
from vecsmith.codecs.base import Floats
from vecsmith.codecs.residual import Residual
from vecsmith.search.exact import Decoded, Rows, order, score_shortlist, slack_of
from vecsmith.search.segments import State

SHORTLIST = 100
"""Documents that `rescored` reorders."""


def coarse(codec: Codec) -> Codec | None:
    """Return the codec of the first codes, where a codec has two quantisers; these are scanned by themselves."""
    quantiser = codec.quantiser
    if not isinstance(quantiser, Residual):
        return None
    first = copy(codec)
    first.spec, first.quantiser = codec.spec.removesuffix(f"+{quantiser.second_spec}"), quantiser.first
    return first


def begins(codec: Codec, whole: Codec) -> bool:
    """Whether the codes of `whole` begin with what `codec` makes, as `coarse` says."""
    return isinstance(whole.quantiser, Residual) and whole.quantiser.first is codec.quantiser


def rescore(state: State, Q: Floats, scores: Floats, rows: Rows) -> tuple[Floats, Rows]:
    """Reorder the shortlist with the original vectors or finer codes, and shift the scores of the rest below it.

    Parameters
    ----------
    state : State
        What is searched.
    Q : ndarray of shape (n, d)
        Queries.
    scores, rows : ndarray of shape (n, k)
        What a scan found.
    """
    originals, short = state.segments[0].originals, rows[:, :SHORTLIST]
    projected = originals.project(Q) if isinstance(originals, Decoded) else Q
    exact = score_shortlist(projected, short, state.vectors)
    exact, short = order(exact, short, state.rank, slack_of(Q), state.original_of)
    if rows.shape[1] <= SHORTLIST:
        return exact, short
    rest = scores[:, SHORTLIST:] - scores[:, :1] + exact[:, -1:]
    return np.hstack([exact, rest]), np.hstack([short, rows[:, SHORTLIST:]])
