"""Scores of hybrid search, which a model learns."""

from typing import Any

import numpy as np
from scipy.sparse import csr_array

from vecsmith.index.bm25 import Bm25
from vecsmith.retrievers import Hybrid
from vecsmith.tasks import Task
from vecsmith.tune.distillation import TEACHER_SCALE, WEIGHT
from vecsmith.tune.examples import TrainingExamples
from vecsmith.tune.losses.batch_ranking import numbered
from vecsmith.tune.model_data import Source
from vecsmith.tune.negatives import retriever_of

DEPTH = 2000
"""Documents per query that have a score other than 0: those of both rankings, see `vecsmith.retrievers.fusion`."""


def hybrid_scores(guide: Source, examples: TrainingExamples, task: Task) -> Any:
    """Return the scores of hybrid search of the documents of training examples for their queries.

    Parameters
    ----------
    guide : Source
        The vectors, which are fused with BM25.
    examples : TrainingExamples
        Pairs or triplets.
    task : Task
        The task whose corpus is searched. Other documents have the score 0.

    Returns
    -------
    csr_array of shape (t, t), float32
        Scores by the numbers of query and document (see `numbered`), on the scale of cosines.

    Raises
    ------
    VecsmithError
        If the encoder is unknown, or precomputed vectors lack a query.
    """
    _, relevant, texts = numbered(examples)
    number_of = {text: number for number, text in enumerate(texts)}
    numbers = np.full(len(task.corpus) + 1, -1)  # the last one stands for an empty place
    for row, text in enumerate(task.corpus.texts):
        numbers[row] = number_of.pop(text, -1)  # of several documents with one text, the first
    vectors = retriever_of(guide.spec, task.corpus, task, guide.options)
    teacher = Hybrid(vectors, retriever_of(Bm25().spec, task.corpus), WEIGHT)
    queries = np.array(list(relevant))
    scores, rows = teacher.search([texts[number] for number in queries], DEPTH)
    columns = numbers[rows]
    places = np.nonzero(columns >= 0)
    values = (TEACHER_SCALE * scores[places]).astype(np.float32)
    return csr_array((values, (queries[places[0]], columns[places])), shape=(len(texts), len(texts)))
