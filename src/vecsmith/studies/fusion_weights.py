"""Weights of a fusion, chosen on judged queries."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from vecsmith.advise.prediction import Judged
from vecsmith.codecs.reducers.fuse import DOCUMENTS, FittedFuse, choose_weights
from vecsmith.embeddings import normalize
from vecsmith.encoders import embed_task
from vecsmith.evaluation import evaluate

Floats = NDArray[np.float32]

DEPTH = 11
"""Documents of a ranking: ten count, and one may be the query itself."""


def on_queries(judged: Judged, seed: int = 0) -> Callable[[FittedFuse], Floats]:
    """Return what `FittedFuse.judged` takes: weights by nDCG@10 of judged queries.

    Parameters
    ----------
    judged : Judged
        The queries, not those that a figure is reported on later; the encoder is the fused one.
    seed : int
        Seeds the sample of unjudged documents that large corpora are searched in.
    """
    corpus, queries = embed_task(judged.task, judged.encoder)
    judgements = judged.task.judgements(judged.split)
    asked = np.array([row for row, id_ in enumerate(queries.ids) if id_ in judgements], dtype=np.int64)
    named = {document for gains in judgements.values() for document in gains}
    ids = corpus.ids
    order = np.random.default_rng(seed).permutation(len(ids))
    searched = np.sort(sorted(order, key=lambda row: ids[row] not in named)[: max(DOCUMENTS, len(named))])
    query_ids, document_ids = [queries.ids[row] for row in asked], [ids[row] for row in searched]

    def choose(stage: FittedFuse) -> Floats:
        Q, D = stage.blocks(queries.unit[asked]), stage.blocks(corpus.unit[searched])
        found = [q @ normalize(d).T for q, d in zip(Q, D, strict=True)]

        def measure(weights: Sequence[float]) -> NDArray[np.float64]:
            scores = np.sum([weight * scores for weight, scores in zip(weights, found, strict=True)], axis=0)
            top = np.argsort(-scores, axis=1, kind="stable")[:, :DEPTH]
            best = np.take_along_axis(scores, top, axis=1)
            identical = judged.task.ignore_identical_ids
            return evaluate(best, top, query_ids, document_ids, judgements, identical).ndcg_at_10

        return choose_weights(measure, len(found))

    return choose
