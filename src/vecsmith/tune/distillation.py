"""Tune a query adapter without judgements: it imitates hybrid search."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vecsmith.array_types import Floats
from vecsmith.codecs import Codec
from vecsmith.encoders import EncoderOptions, embed_task
from vecsmith.errors import VecsmithError
from vecsmith.index import Index
from vecsmith.retrievers import IndexRetriever, Retriever
from vecsmith.retrievers.vector_sources import vector_source
from vecsmith.tasks import Task
from vecsmith.training import Candidates, JudgedPairs
from vecsmith.translators.adapter import NEGATIVES, Adapter, AdapterTraining
from vecsmith.translators.affine import hold_out
from vecsmith.tune.adapter import adapter_of
from vecsmith.tune.comparison import FLOAT, Baseline, Tuned
from vecsmith.tune.data import MIN_QUERIES as MIN_JUDGED
from vecsmith.tune.data import NO_SPLIT, TRAIN, TuningData, check_searched
from vecsmith.tune.generation import generate_pairs, normal
from vecsmith.tune.generators import load_generator
from vecsmith.tune.teacher import TEACHER_SCALE, hybrid_teacher

LOSS = "distillation"
QUERIES, QUERIES_PER_PASSAGE = 3000, 3
"""Maximum number of training queries, and of generated ones for one document."""
MIN_QUERIES = 100
"""Minimum number of training queries."""


@dataclass(frozen=True, kw_only=True)
class DistilledAdapter(Tuned):
    """An adapter that was trained without judgements, and its measurement.

    Attributes
    ----------
    adapter : Adapter
        The adapter.
    queries : int
        Number of training queries.
    generator : str or None
        Spec of the generator of the training queries; None for queries of the task.
    """

    adapter: Adapter
    queries: int
    generator: str | None

    @property
    def summary(self) -> str:
        """How the adapter was trained, in one line."""
        origin = f"made by {self.generator}" if self.generator else "of the task"
        return f"imitates hybrid search on {self.queries} queries {origin}, without judgements"


def distill_adapter(
    task: Task,
    encoder: str,
    test: str = "test",
    generator: str | None = None,
    method: str = "adapter",
    seed: int = 0,
    options: EncoderOptions | None = None,
) -> DistilledAdapter:
    """Train a query adapter to rank documents as hybrid search does, without judgements, and measure it.

    The teacher ranks the documents for each training query by the convex combination of cosines and BM25 (see
    `Hybrid`). The adapter learns the teacher's scores of the first documents (see
    `vecsmith.training.ranking_losses.distillation`). It then searches the same vectors or codes, without BM25.

    Parameters
    ----------
    task : Task
        The task.
    encoder : str
        Spec of the encoder.
    test : str
        Split of the judgements to measure on. Queries that it does not judge, by id and by text, are the training
        queries.
    generator : str, optional
        Spec of a generator of training queries (see `vecsmith.tune.generators`); precomputed vectors have none of them.
        By default, queries are extracted from the documents if the task has fewer than `MIN_QUERIES`.
    method : str
        Spec of the adapter.
    seed : int
        Seed of the training queries and of the batches.
    options : EncoderOptions, optional
        Options of the encoder.

    Raises
    ------
    VecsmithError
        If a name is unknown, the test split is missing, there are too few queries or documents, or precomputed vectors
        have none for a generated query.
    """
    adapter = adapter_of(method, seed)
    check_searched(task)
    tested = task.judgements(test)
    texts = dict(task.queries.rows())
    tested_texts = {normal(texts[id_]) for id_ in tested if id_ in texts}
    ids = [id_ for id_, text in texts.items() if normal(text) not in tested_texts]
    queries = [texts[id_] for id_ in ids]
    if generator is None and len(queries) < MIN_QUERIES:
        generator = "extract"
    if generator is not None:
        pairs, _ = generate_pairs(load_generator(generator), task.corpus, QUERIES_PER_PASSAGE, seed)
        queries = [pair.query for pair in pairs]
    drawn = np.sort(np.random.default_rng(seed).permutation(len(queries))[:QUERIES])
    queries = [queries[row] for row in drawn]
    judged = len(set(task.qrels.get(TRAIN, {})) - set(tested)) >= MIN_JUDGED
    data = TuningData(task, TRAIN if judged else NO_SPLIT, test, *embed_task(task, encoder, options), seed)
    before = Baseline(data)
    if generator is None:
        row_of = {id_: row for row, id_ in enumerate(data.queries.ids)}
        Q = data.queries.unit[np.array([row_of[ids[row]] for row in drawn], np.int64)]
    else:
        Q = vector_source(encoder, task, options).embed_queries(queries)
    index = Index(Codec(FLOAT).fit(before.documents), before.documents)
    teacher = hybrid_teacher(IndexRetriever(index, lambda _: Q), task.corpus)
    sources = None if generator is None else task.corpus.texts
    candidates = imitated(queries, teacher, Q, before.documents, sources)
    training, held_out = (candidates.of(rows) for rows in hold_out(len(candidates), seed))
    adapter.tune(training, AdapterTraining(LOSS), lambda: adapter.loss(held_out, LOSS))
    adapter.source = adapter.target = data.corpus.provenance.space
    return DistilledAdapter(
        adapter=adapter,
        queries=len(candidates),
        generator=generator,
        validated_on=f"{len(held_out)} of the training queries",
        comparisons=before.compare(adapter.transform(before.queries), before.documents)[FLOAT],
        seen_share=before.seen_share,
        popularity_weight=before.popularity[0],
    )


def imitated(
    queries: Sequence[str], teacher: Retriever, Q: Floats, D: Floats, sources: Sequence[str] | None = None
) -> Candidates:
    """Return the first documents of a teacher for each query, and its scores.

    A query with fewer documents than the others is left out.

    Parameters
    ----------
    queries : sequence of str
        The m queries.
    teacher : Retriever
        The teacher.
    Q, D : ndarray of shape (m, d) and (n, d), float32
        Unit vectors of the queries and documents.
    sources : sequence of str, optional
        Texts of the n documents from which the queries are taken. A document that contains a query is then no
        candidate for it.

    Raises
    ------
    VecsmithError
        If fewer than `MIN_QUERIES` queries are left.
    """
    size = min(NEGATIVES, len(D) // 2)
    scores, rows = teacher.search(queries, 2 * size)
    contents = [normal(text) for text in sources or ()]
    kept = dict[int, list[int]]()
    for number, text in enumerate(map(normal, queries)):
        found = [place for place, row in enumerate(rows[number]) if row >= 0]
        others = [place for place in found if not contents or text not in contents[rows[number, place]]][:size]
        if len(others) == size:
            kept[number] = others
    if len(kept) < MIN_QUERIES:
        raise VecsmithError(
            f"There are {len(kept)} training queries for which hybrid search finds {size} documents, which is too few; "
            f"give {MIN_QUERIES} or more."
        )
    numbers, places = np.array(list(kept), np.int64), np.array(list(kept.values()), np.int64)
    documents = np.take_along_axis(rows[numbers], places, axis=1)
    taught = TEACHER_SCALE * np.take_along_axis(scores[numbers], places, axis=1)
    first = np.zeros(documents.shape, np.bool_)
    first[:, 0] = True
    judged = JudgedPairs(Q, D, np.stack([numbers, documents[:, 0]], axis=1))
    return Candidates(judged, numbers, documents, first, taught)
