"""Vectors of queries and of the documents that a split judges relevant to them, for training."""

import numpy as np

from vecsmith.array_types import RowNumbers
from vecsmith.embeddings import EmbeddingSet
from vecsmith.errors import VecsmithError
from vecsmith.tasks import Task
from vecsmith.training import JudgedPairs

TEST = "test"
"""The split that is kept for reported results."""
MAX_DOCUMENTS = 50_000
"""Maximum documents of `training_rows`, unless more are relevant."""


def judged_pairs(task: Task, split: str, queries: EmbeddingSet, corpus: EmbeddingSet, rows: RowNumbers) -> JudgedPairs:
    """Return the queries of a split with the documents that are judged relevant to them.

    Parameters
    ----------
    task : Task
        The task.
    split : str
        The split of the judgements, or several joined by ``+``, which may not include ``test``.
    queries, corpus : EmbeddingSet
        Vectors of the task's queries and documents.
    rows : ndarray of shape (n,), int64
        Rows of the documents in the corpus. A pair with another document is left out.

    Raises
    ------
    VecsmithError
        If the task has no such split, or the split is ``test``.
    """
    if TEST in split.split("+"):
        raise VecsmithError("The judgements of the split test are for reported results; train on train or dev.")
    judgements = task.judgements(split)
    document_at = {corpus.ids[row]: position for position, row in enumerate(rows.tolist())}
    judged = [row for row, id_ in enumerate(queries.ids) if id_ in judgements]
    relevant = [
        (number, document_at[document])
        for number, row in enumerate(judged)
        for document, gain in sorted(judgements[queries.ids[row]].items())
        if gain > 0 and document in document_at
    ]
    pairs = np.array(relevant, np.int64).reshape(-1, 2)
    return JudgedPairs(queries.unit[np.array(judged, np.int64)], corpus.unit[rows], pairs)


def training_rows(task: Task, split: str, corpus: EmbeddingSet, seed: int) -> RowNumbers:
    """Return the rows of the documents that a split judges, and of other documents drawn at random, in rising order."""
    judged = {document for gains in task.judgements(split).values() for document in gains}
    order = np.random.default_rng(seed).permutation(len(corpus))
    size = max(MAX_DOCUMENTS, len(judged))
    return np.sort(np.array(sorted(order, key=lambda row: corpus.ids[row] not in judged)[:size], np.int64))
