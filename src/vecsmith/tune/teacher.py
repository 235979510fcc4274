"""Hybrid search as a teacher of adapters and models."""

from collections.abc import Sequence
from typing import NamedTuple

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.index.bm25 import Bm25
from vecsmith.retrievers import Hybrid, Retriever
from vecsmith.tasks import Task, Texts
from vecsmith.tune.model_data import Source
from vecsmith.tune.negatives import retriever_of

WEIGHT = 0.5
"""Weight of the vectors in the teacher's convex combination with BM25."""
TEACHER_SCALE = 0.5
"""Factor of the teacher's scores, which are from 0 to 1, that gives them about the spread of cosines."""
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


def hybrid_teacher(vectors: Retriever, corpus: Texts) -> Hybrid:
    """Return the convex combination of a search with vectors and BM25 over a corpus (see `Hybrid`)."""
    return Hybrid(vectors, retriever_of(Bm25().spec, corpus), WEIGHT)


def hybrid_scores(vectors: Source, task: Task, queries: Sequence[str]) -> TeacherScores:
    """Return the scores of the teacher (see `hybrid_teacher`).

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
    teacher = hybrid_teacher(retriever_of(vectors.spec, task.corpus, task, vectors.options), task.corpus)
    scores, rows = teacher.search(queries, min(DEPTH, len(task.corpus)))
    return TeacherScores(rows, TEACHER_SCALE * scores)
