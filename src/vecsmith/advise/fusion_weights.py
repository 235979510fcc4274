"""Weights of fused models, chosen on judged queries."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from vecsmith.advise.prediction import ValidationTask
from vecsmith.codecs.reducers.fuse import DOCUMENTS, FittedFuse, choose_weights
from vecsmith.embeddings import normalize
from vecsmith.encoders import embed_task
from vecsmith.evaluation.judged_queries import JudgedQueries

Floats = NDArray[np.float32]

RANKING_DEPTH = 11
"""Documents per ranking: nDCG@10 counts ten, and one may be the query itself."""


def weights_on_queries(validation: ValidationTask, seed: int = 0) -> Callable[[FittedFuse], Floats]:
    """Return a function that chooses the weights of a fusion by nDCG@10, for `FittedFuse.judged`.

    Parameters
    ----------
    validation : ValidationTask
        The validation queries, which must not be those of a reported result. The encoder is the fused one.
    seed : int
        Seed of the sample of documents without judgements that is searched in a large corpus.
    """
    corpus, queries = embed_task(validation.task, validation.encoder)
    judgements = validation.task.judgements(validation.split)
    judged_documents = {document for gains in judgements.values() for document in gains}
    ids = corpus.ids
    order = np.random.default_rng(seed).permutation(len(ids))
    size = max(DOCUMENTS, len(judged_documents))
    searched = np.sort(sorted(order, key=lambda row: ids[row] not in judged_documents)[:size])
    judged = JudgedQueries(validation.task, validation.split, queries.ids, [ids[row] for row in searched])

    def choose(stage: FittedFuse) -> Floats:
        Q, D = stage.blocks(queries.unit[judged.rows]), stage.blocks(corpus.unit[searched])
        cosines = [q @ normalize(d).T for q, d in zip(Q, D, strict=True)]

        def measure(weights: Sequence[float]) -> NDArray[np.float64]:
            scores = np.sum([weight * cosine for weight, cosine in zip(weights, cosines, strict=True)], axis=0)
            top = np.argsort(-scores, axis=1, kind="stable")[:, :RANKING_DEPTH]
            return judged.evaluate(np.take_along_axis(scores, top, axis=1), top).ndcg_at_10

        return choose_weights(measure, len(cosines))

    return choose
