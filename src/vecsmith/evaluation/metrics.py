"""Retrieval quality of rankings, by pytrec_eval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pytrec_eval
from numpy.typing import NDArray

from vecsmith.errors import VecsmithError

DEPTH = 100
"""Documents of a ranking that are judged: as many as recall@100 needs."""


@dataclass(frozen=True)
class Quality:
    """Retrieval quality of one run.

    Attributes
    ----------
    query_ids : list of str
        The judged queries, sorted.
    ndcg_at_10, recall_at_100 : ndarray of shape (n_queries,), float64
        The measures of each of them.
    """

    query_ids: list[str]
    ndcg_at_10: NDArray[np.float64]
    recall_at_100: NDArray[np.float64]


def evaluate(
    scores: NDArray[np.float32],
    rows: NDArray[np.int64],
    query_ids: Sequence[str],
    document_ids: Sequence[str],
    qrels: Mapping[str, Mapping[str, int]],
    ignore_identical_ids: bool = False,
) -> Quality:
    """Judge rankings.

    Parameters
    ----------
    scores, rows : ndarray of shape (n_queries, k)
        What `Index.search` found, with k of `DEPTH` or more (one more where identical ids are left out).
    query_ids : sequence of str
        One a ranking.
    document_ids : sequence of str
        One a row of the corpus.
    qrels : mapping
        Query id → document id → gain. Only queries in it count.
    ignore_identical_ids : bool
        Leave out the document that has the query's own id.

    Raises
    ------
    VecsmithError
        If no query is judged.
    """
    run = {}
    for query, query_scores, query_rows in zip(query_ids, scores.tolist(), rows.tolist(), strict=True):
        found = {document_ids[row]: score for score, row in zip(query_scores, query_rows, strict=True) if row >= 0}
        if ignore_identical_ids:
            found.pop(query, None)
        run[query] = dict(list(found.items())[:DEPTH])
    evaluator = pytrec_eval.RelevanceEvaluator(
        {query: dict(gains) for query, gains in qrels.items()}, {"ndcg_cut.10", "recall.100"}
    )
    measures = evaluator.evaluate(run)
    if not measures:
        raise VecsmithError("None of the queries is judged in this split; choose another split.")
    judged = sorted(measures)
    ndcg, recall = ([measures[query][name] for query in judged] for name in ("ndcg_cut_10", "recall_100"))
    return Quality(judged, np.array(ndcg), np.array(recall))
