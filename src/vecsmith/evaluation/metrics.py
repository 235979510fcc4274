"""Metrics of retrieval quality by the names of ir_measures, computed by pytrec_eval.

References
----------
MacAvaney, Macdonald and Ounis 2022, Streamlining evaluation with ir-measures, ECIR. Van Gysel and de Rijke 2018,
Pytrec_eval, SIGIR.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pytrec_eval

from vecsmith.array_types import Doubles, Floats, RowNumbers
from vecsmith.errors import VecsmithError, unknown

DEPTH = 100
"""Minimum documents per evaluated ranking; R@100 requires 100."""
FULL_DEPTH = 1000
"""Documents per evaluated ranking for metrics without a cutoff, as trec_eval's option -M and mteb have it."""
DEFAULT_METRICS = ("nDCG@10", "R@100")
"""Metrics that are always measured."""
JUDGED = "judged"
TREC_EVAL_NAMES: Mapping[str, tuple[str | None, str | None]] = {
    "nDCG": ("ndcg_cut", "ndcg"),
    "R": ("recall", None),
    "P": ("P", None),
    "RR": ("recip_rank", "recip_rank"),
    "AP": ("map_cut", "map"),
    "Success": ("success", None),
    "Judged": (JUDGED, None),
    "Rprec": (None, "Rprec"),
    "Bpref": (None, "bpref"),
}
"""Names in trec_eval of each metric with and without a cutoff; None where the metric does not exist. trec_eval has no
Judged, and no cutoff of RR."""
UNGRADED = ("nDCG", "Judged")
"""Metrics that have no minimum gain of a relevant document."""


@dataclass(frozen=True)
class Metric:
    """A metric of retrieval quality.

    Attributes
    ----------
    name : str
        Name in ir_measures, such as ``nDCG@10``, ``AP`` or ``P(rel=2)@10``.
    measure : str
        Name of the measure in trec_eval, without the cutoff.
    cutoff : int or None
        Number of documents that count; None for all retrieved documents.
    relevance : int
        Minimum gain of a relevant document. nDCG uses the gains themselves.
    """

    name: str
    measure: str
    cutoff: int | None
    relevance: int = 1

    @property
    def depth(self) -> int:
        """Documents per query that the metric requires."""
        return self.cutoff or FULL_DEPTH

    @property
    def parameters(self) -> str:
        """The measure and cutoff as pytrec_eval requests them."""
        return self.measure if self.cutoff is None or self.measure == "recip_rank" else f"{self.measure}.{self.cutoff}"


@dataclass(frozen=True)
class Quality:
    """Retrieval quality of one run.

    Attributes
    ----------
    query_ids : list of str
        Ids of the judged queries, sorted.
    values : dict of str to ndarray of shape (n_queries,), float64
        Values of each metric for these queries, by the metric's name.
    """

    query_ids: list[str]
    values: dict[str, Doubles]

    @property
    def ndcg_at_10(self) -> Doubles:
        """nDCG@10 of each query."""
        return self.values["nDCG@10"]

    @property
    def recall_at_100(self) -> Doubles:
        """R@100 of each query."""
        return self.values["R@100"]

    @property
    def mean_ndcg_at_10(self) -> float:
        """Mean nDCG@10 over the judged queries."""
        return float(self.ndcg_at_10.mean())


def metric(name: str) -> Metric:
    """Return the metric of a name of ir_measures, such as ``nDCG@10``, ``RR@10``, ``AP`` or ``P(rel=2)@10``.

    Raises
    ------
    VecsmithError
        If there is no such metric, or it must have a cutoff, or has none.
    """
    parsed = re.fullmatch(r"(\w+)(?:\(rel=([1-9]\d*)\))?(?:@([1-9]\d*))?", name)
    kind, relevance, cutoff = parsed.groups() if parsed else (name, None, None)
    if name.lower() in ("p-mrr", "pmrr"):
        raise VecsmithError(
            "p-MRR compares the rankings of two instructions, which only mteb measures; run compare with --mteb-out "
            "DIR, whose result files contain it."
        )
    if kind not in TREC_EVAL_NAMES:
        raise unknown("metric", name, metric_names())
    measure = TREC_EVAL_NAMES[kind][cutoff is None]
    if measure is None:
        problem = f"needs a cutoff; write {kind}@10" if cutoff is None else f"has no cutoff; write {kind}"
        raise VecsmithError(f"The metric {name} {problem}.")
    if relevance and kind in UNGRADED:
        raise VecsmithError(f"The metric {kind} has no minimum gain; leave out (rel={relevance}).")
    return Metric(name, measure, int(cutoff) if cutoff else None, int(relevance or 1))


def metric_names() -> list[str]:
    """Return the names of all metrics, with 10 for the cutoff."""
    return [
        kind + ending
        for kind, (cut, whole) in TREC_EVAL_NAMES.items()
        for ending, measure in (("@10", cut), ("", whole))
        if measure
    ]


def required_depth(metrics: Iterable[str]) -> int:
    """Return the number of documents per query that metrics require, at least `DEPTH`."""
    return max([DEPTH, *(metric(name).depth for name in metrics)])


def evaluate(
    scores: Floats,
    rows: RowNumbers,
    query_ids: Sequence[str],
    document_ids: Sequence[str],
    qrels: Mapping[str, Mapping[str, int]],
    ignore_identical_ids: bool = False,
    metrics: Sequence[str] = (),
) -> Quality:
    """Compute metrics of rankings.

    Parameters
    ----------
    scores, rows : ndarray of shape (n_queries, k)
        Scores and rows of the retrieved documents, as `Index.search` returns them; k should be at least the
        `required_depth` of the metrics, and one more with `ignore_identical_ids`. Negative rows are skipped.
    query_ids : sequence of str
        Id of the query of each ranking.
    document_ids : sequence of str
        Id of each row of the corpus.
    qrels : mapping
        Relevance judgements: query id → document id → gain. Queries without judgements are skipped.
    ignore_identical_ids : bool
        Whether to remove the document whose id is the query's own id.
    metrics : sequence of str
        Names of metrics besides `DEFAULT_METRICS`. Ties break by falling document id, as in trec_eval.

    Raises
    ------
    VecsmithError
        If a metric is unknown, or none of the queries has judgements.
    """
    chosen = [metric(name) for name in dict.fromkeys([*DEFAULT_METRICS, *metrics])]
    depth = max(each.depth for each in chosen)
    run = {}
    for query, query_scores, query_rows in zip(query_ids, scores.tolist(), rows.tolist(), strict=True):
        ranking = {document_ids[row]: score for score, row in zip(query_scores, query_rows, strict=True) if row >= 0}
        if ignore_identical_ids:
            ranking.pop(query, None)
        run[query] = dict(list(ranking.items())[:depth])
    judgements = {query: dict(gains) for query, gains in qrels.items()}
    judged: list[str] = []
    values: dict[str, Doubles] = {}
    for relevance, group in groupby(sorted(chosen, key=lambda each: each.relevance), lambda each: each.relevance):
        together = list(group)
        names = {each.parameters for each in together if each.measure != JUDGED} or {"num_ret"}
        measures = pytrec_eval.RelevanceEvaluator(judgements, names, relevance_level=relevance).evaluate(run)
        if not measures:
            raise VecsmithError("None of the queries is judged in this split; choose another split.")
        judged = sorted(measures)
        for each in together:
            values[each.name] = np.array([_value(each, measures[query], run[query], qrels[query]) for query in judged])
    return Quality(judged, {each.name: values[each.name] for each in chosen})


def _value(
    chosen: Metric, measures: Mapping[str, float], ranking: Mapping[str, float], gains: Mapping[str, int]
) -> float:
    """Return the value of a metric for one query, from the measures of pytrec_eval or from the ranking."""
    if chosen.measure == JUDGED:
        best = sorted(ranking, key=lambda id_: (ranking[id_], id_), reverse=True)[: chosen.cutoff]
        return sum(id_ in gains for id_ in best) / len(best) if best else 0.0
    value = measures[chosen.parameters.replace(".", "_")]
    if chosen.measure == "recip_rank" and chosen.cutoff and value and round(1 / value) > chosen.cutoff:
        return 0.0
    return value
