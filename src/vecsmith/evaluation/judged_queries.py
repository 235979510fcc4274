"""Queries with relevance judgements, and the quality of rankings for them."""

from collections.abc import Sequence

import faiss
import numpy as np

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.evaluation.metrics import Quality, evaluate, required_depth
from vecsmith.index import Index
from vecsmith.index.shortlist import score_shortlist
from vecsmith.tasks import Task


class JudgedQueries:
    """Queries of a task that have relevance judgements in a split.

    All measurements of retrieval quality in this package use this class, so that they agree on which queries count,
    how many documents are retrieved, and how a document with the query's own id is treated.

    Parameters
    ----------
    task : Task
        The task.
    split : str
        The split, or several splits joined by ``+``.
    query_ids : sequence of str
        Ids of all embedded queries, in the order of their vectors.
    document_ids : sequence of str, optional
        Ids of the documents that are ranked; all documents of the task by default.
    metrics : sequence of str
        Names of metrics to compute besides `DEFAULT_METRICS`.

    Attributes
    ----------
    rows : ndarray of shape (m,), int64
        Rows of the judged queries among `query_ids`.
    ids : list of str
        Ids of the judged queries.
    depth : int
        Documents to retrieve for each query.

    Raises
    ------
    VecsmithError
        If the task has no such split, or a metric is unknown.
    """

    def __init__(
        self,
        task: Task,
        split: str,
        query_ids: Sequence[str],
        document_ids: Sequence[str] | None = None,
        metrics: Sequence[str] = (),
    ) -> None:
        self._judgements = task.judgements(split)
        self._ignore_identical_ids = task.ignore_identical_ids
        self._document_ids = task.corpus.ids if document_ids is None else document_ids
        judged = [row for row, id_ in enumerate(query_ids) if id_ in self._judgements]
        self.rows: RowNumbers = np.array(judged, np.int64)
        self.ids = [query_ids[row] for row in self.rows]
        self._metrics = metrics
        self.depth = required_depth(metrics) + task.ignore_identical_ids

    def evaluate(self, scores: Floats, rows: RowNumbers) -> Quality:
        """Return the quality of rankings.

        Parameters
        ----------
        scores, rows : ndarray of shape (m, k)
            Scores and rows of the retrieved documents of each judged query, best first.

        Raises
        ------
        VecsmithError
            If no query is judged.
        """
        return evaluate(
            scores, rows, self.ids, self._document_ids, self._judgements, self._ignore_identical_ids, self._metrics
        )

    def search(self, index: Index, Q: Floats) -> Quality:
        """Search an index for the vectors (m, d) of the judged queries and return the quality of the rankings."""
        return self.evaluate(*index.search(Q, self.depth))

    def rank(self, scores: Floats) -> Quality:
        """Return the quality of the rankings by scores (m, n) of all documents."""
        depth = min(self.depth + 1, scores.shape[1])
        rows = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
        return self.evaluate(np.take_along_axis(scores, rows, axis=1), rows)

    def search_exactly(
        self, Q: Floats, D: Floats, rescoring: tuple[Floats, Floats] | None = None, shortlist: int = 0
    ) -> Quality:
        """Rank documents by inner product, exhaustively, and return the quality of the rankings.

        Parameters
        ----------
        Q, D : ndarray of shape (m, d) and (n, d), float32
            Vectors of the judged queries and of the documents, of any length.
        rescoring : (queries, documents), optional
            Other vectors, of shape (m, e) and (n, e), that reorder the shortlist.
        shortlist : int
            Documents per query that are reordered.
        """
        index = faiss.IndexFlatIP(D.shape[1])
        index.add(np.ascontiguousarray(D))
        k = shortlist if rescoring else self.depth + 1
        scores, rows = index.search(np.ascontiguousarray(Q), min(k, len(D)))
        if rescoring:
            queries, documents = rescoring
            scores = score_shortlist(queries, rows, lambda chosen: documents[chosen])
            order = np.argsort(-scores, axis=1, kind="stable")[:, : self.depth + 1]
            scores, rows = np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)
        return self.evaluate(scores, rows)
