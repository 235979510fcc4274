"""Retrieval quality of rankings, computed by pytrec_eval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pytrec_eval

from vecsmith.array_types import Doubles, Floats, RowNumbers
from vecsmith.errors import VecsmithError

DEPTH = 100
"""Evaluated documents per ranking; recall@100 requires 100."""


@dataclass(frozen=True)
class Quality:
    """Retrieval quality of one run.

    Attributes
    ----------
    query_ids : list of str
        Ids of the judged queries, sorted.
    ndcg_at_10, recall_at_100 : ndarray of shape (n_queries,), float64
        Measures of each of these queries.
    """

    query_ids: list[str]
    ndcg_at_10: Doubles
    recall_at_100: Doubles

    @property
    def mean_ndcg_at_10(self) -> float:
        """Mean nDCG@10 over the judged queries."""
        return float(self.ndcg_at_10.mean())


def evaluate(
    scores: Floats,
    rows: RowNumbers,
    query_ids: Sequence[str],
    document_ids: Sequence[str],
    qrels: Mapping[str, Mapping[str, int]],
    ignore_identical_ids: bool = False,
) -> Quality:
    """Compute nDCG@10 and recall@100 of rankings.

    Parameters
    ----------
    scores, rows : ndarray of shape (n_queries, k)
        Scores and rows of the retrieved documents, as `Index.search` returns them; k should be at least `DEPTH`, and
        one more with `ignore_identical_ids`. Negative rows are skipped.
    query_ids : sequence of str
        Id of the query of each ranking.
    document_ids : sequence of str
        Id of each row of the corpus.
    qrels : mapping
        Relevance judgements: query id → document id → gain. Queries without judgements are skipped.
    ignore_identical_ids : bool
        Whether to remove the document whose id is the query's own id.

    Raises
    ------
    VecsmithError
        If none of the queries has judgements.
    """
    run = {}
    for query, query_scores, query_rows in zip(query_ids, scores.tolist(), rows.tolist(), strict=True):
        ranking = {document_ids[row]: score for score, row in zip(query_scores, query_rows, strict=True) if row >= 0}
        if ignore_identical_ids:
            ranking.pop(query, None)
        run[query] = dict(list(ranking.items())[:DEPTH])
    evaluator = pytrec_eval.RelevanceEvaluator(
        {query: dict(gains) for query, gains in qrels.items()}, {"ndcg_cut.10", "recall.100"}
    )
    measures = evaluator.evaluate(run)
    if not measures:
        raise VecsmithError("None of the queries is judged in this split; choose another split.")
    judged = sorted(measures)
    ndcg, recall = ([measures[query][name] for query in judged] for name in ("ndcg_cut_10", "recall_100"))
    return Quality(judged, np.array(ndcg), np.array(recall))
