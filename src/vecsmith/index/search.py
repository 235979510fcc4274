"""Search of a snapshot: checks of the arguments, then ranking by the codes, then rescoring."""

from collections.abc import Iterable
from operator import index as as_integer
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.codecs.checks import refuse_infinite
from vecsmith.embeddings import MultiModelVectors, VectorsLike
from vecsmith.errors import VecsmithError
from vecsmith.index.ranking import rank
from vecsmith.index.rescoring import rescore
from vecsmith.index.scoring import ScanScoring, Scoring
from vecsmith.index.shortlist import SHORTLIST
from vecsmith.index.snapshot import Snapshot


def search(
    snapshot: Snapshot,
    Q: VectorsLike | MultiModelVectors,
    k: int,
    scoring: Scoring,
    allowed: Iterable[Any] | NDArray[Any] | None,
    probes: int | None,
) -> tuple[Floats, RowNumbers]:
    """Return the best k documents of a snapshot for each query; see `Index.search`.

    Parameters
    ----------
    snapshot : Snapshot
        The documents.
    Q : array-like of shape (n, d), or EmbeddingSet
        Float queries.
    k : int
        Documents per query.
    scoring : {"symmetric", "asymmetric", "rescored"}
        How a query is scored against a document.
    allowed : set or sequence of str, of int, or ndarray of shape (rows,), bool, or None
        The documents that may be returned; None allows all.
    probes : int or None
        Number of inverted lists to scan per query; None scans all documents.

    Returns
    -------
    scores : ndarray of shape (n, k), float32
        Scores, best first.
    rows : ndarray of shape (n, k), int64
        Row numbers.

    Raises
    ------
    VecsmithError
        As for `Index.search`.
    """
    k, probes = as_integer(k), None if probes is None else as_integer(probes)
    if k < 1:
        raise VecsmithError(f"k must be at least 1, not {k}.")
    if probes is not None and probes < 1:
        raise VecsmithError(f"probes must be at least 1, not {probes}.")
    if probes is not None and snapshot.centroids is None:
        raise VecsmithError("There are no inverted lists to probe; make them by build_lists, or leave out probes.")
    codec = snapshot.partitions[0].codec
    unit = codec.unit(Q, "the queries")
    codec.check_dimensions(unit)
    queries = unit[:]
    refuse_infinite(queries, np.arange(len(queries)), "queries")
    filters, count = snapshot.filters(allowed)
    n_candidates = min(max(k, SHORTLIST) if scoring == "rescored" else k, count)
    if not n_candidates or not len(queries):
        shape = len(queries), min(k, count)
        return np.empty(shape, np.float32), np.empty(shape, np.int64)
    scan_scoring: ScanScoring = "symmetric" if scoring == "symmetric" else "asymmetric"
    scores, rows = rank(snapshot, queries, n_candidates, scan_scoring, filters, probes)
    if scoring == "rescored":
        scores, rows = rescore(snapshot, queries, scores, rows)
    return scores[:, :k], rows[:, :k]
