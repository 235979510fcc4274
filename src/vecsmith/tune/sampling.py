"""Samples of pairs of a query and a document for a cross-encoder to score: random, by BM25, and semantic."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from vecsmith.encoders import EncoderOptions
from vecsmith.errors import VecsmithError
from vecsmith.tasks import Task
from vecsmith.tune.examples import TrainingExamples
from vecsmith.tune.generation import normal
from vecsmith.tune.negatives import retriever_of

RANDOM = "random"
"""Sampling of documents with equal probability; others are named by the retriever whose first documents are taken."""


def sample_pairs(
    gold: TrainingExamples,
    task: Task,
    strategies: Sequence[str],
    count: int,
    seed: int = 0,
    options: EncoderOptions | None = None,
) -> list[tuple[str, str]]:
    """Return pairs of the queries of gold pairs with other documents of the corpus.

    Parameters
    ----------
    gold : TrainingExamples
        Pairs, which are left out of the sample.
    task : Task
        The task whose corpus is sampled.
    strategies : sequence of str
        ``random``, a spec of BM25, or a spec of an encoder (semantic sampling).
    count : int
        Documents per query and strategy.
    seed : int
        Seed of random sampling.
    options : EncoderOptions, optional
        Options of the encoders.

    Returns
    -------
    list of (str, str)
        Distinct pairs of a query and a document's text.

    Raises
    ------
    VecsmithError
        If there is no strategy, one is unknown, or `count` is less than 1.

    References
    ----------
    Thakur, Reimers, Daxenberger and Gurevych 2021, Augmented SBERT, https://arxiv.org/abs/2010.08240
    """
    if count < 1 or not strategies:
        raise VecsmithError("Give a sampling strategy and at least 1 document per query and strategy.")
    corpus, rng = task.corpus, np.random.default_rng(seed)
    excluded = defaultdict[str, set[str]](lambda: {""})
    for pair in gold:
        excluded[pair["query"]] |= {normal(pair["query"]), normal(pair["positive"])}
    queries, texts = list(excluded), list(map(normal, corpus.texts))
    depth = min(len(corpus), count + max(map(len, excluded.values())))
    sampled = dict[tuple[str, str], None]()
    for strategy in strategies:
        if strategy == RANDOM:
            ranked = [rng.choice(len(corpus), depth, replace=False).tolist() for _ in queries]
        else:
            ranked = retriever_of(strategy, corpus, task, options).search(queries, depth)[1].tolist()
        for query, rows in zip(queries, ranked, strict=True):
            others = [row for row in rows if row >= 0 and texts[row] not in excluded[query]]
            sampled |= dict.fromkeys((query, corpus.texts[row]) for row in others[:count])
    return list(sampled)
