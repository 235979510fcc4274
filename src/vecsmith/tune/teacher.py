"""Hybrid search as a teacher: its scores of the documents for each training query."""

from collections.abc import Sequence
from typing import NamedTuple

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.index.bm25 import Bm25
from vecsmith.retrievers import Hybrid
from vecsmith.tasks import Task
from vecsmith.tune.distillation import TEACHER_SCALE, WEIGHT
from vecsmith.tune.model_data import Source
from vecsmith.tune.negatives import retriever_of

DEPTH = 2000
"""Documents per query whose scores are kept."""


class TeacherScores(NamedTuple):
    """Scores of documents by a teacher for each query. All other documents have the score 0.

    Attributes
    ----------
    rows : ndarray of shape (m, k), int64
        Rows of the documents.
    scores : ndarray of shape (m, k), float32
        Their scores, on the scale of cosines.
    """

    rows: RowNumbers
    scores: Floats


def hybrid_scores(vectors: Source, task: Task, queries: Sequence[str]) -> TeacherScores:
    """Return the scores of the convex combination of vectors and BM25 (see `Hybrid`).

    Parameters
    ----------
    vectors : Source
        The vectors.
    task : Task
        The task whose corpus is searched.
    queries : sequence of str
        Texts of the m queries.

    Raises
    ------
    VecsmithError
        If a package of BM25 is missing, or precomputed vectors lack a query.
    """
    first = retriever_of(vectors.spec, task.corpus, task, vectors.options)
    teacher = Hybrid(first, retriever_of(Bm25().spec, task.corpus), WEIGHT)
    scores, rows = teacher.search(queries, min(DEPTH, len(task.corpus)))
    return TeacherScores(rows, TEACHER_SCALE * scores)
