"""Queries with relevance judgements, and the quality of rankings for them."""

from collections.abc import Callable, Sequence

import faiss
import numpy as np

from vecsmith.array_types import Floats, RowMask, RowNumbers
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.metrics import Quality, evaluate, required_depth
from vecsmith.index import Index
from vecsmith.index.shortlist import score_shortlist
from vecsmith.tasks import Task

Search = Callable[[slice, int, RowMask | None], tuple[Floats, RowNumbers]]
"""A function that returns the scores and rows of k of the allowed documents for a slice of the judged queries."""
ALL = slice(None)
TOP = 10
"""Documents per query that are kept to look at."""


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
        self._candidates = None if task.candidates is None else self._candidate_rows(task)
        self.depth = required_depth(metrics) + task.ignore_identical_ids

    def _candidate_rows(self, task: Task) -> list[RowNumbers]:
        rows = {id_: row for row, id_ in enumerate(self._document_ids)}
        candidates = task.candidates or {}
        return [
            np.array([rows[id_] for id_ in candidates.get(query, ()) if id_ in rows], np.int64) for query in self.ids
        ]

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

    def top(self, scores: Floats, rows: RowNumbers) -> tuple[list[list[int]], list[list[float]]]:
        """Return the rows and scores of the first `TOP` documents of each query, in the order of the sorted ids.

        Parameters
        ----------
        scores, rows : ndarray of shape (m, k)
            As for `evaluate`. Scores are rounded to five digits.
        """
        top_rows, top_scores = [], []
        for place in sorted(range(len(self.ids)), key=self.ids.__getitem__):
            skipped = self.ids[place] if self._ignore_identical_ids else None
            ranking = zip(rows[place].tolist(), scores[place].tolist(), strict=True)
            best = [each for each in ranking if each[0] >= 0 and self._document_ids[each[0]] != skipped][:TOP]
            top_rows.append([row for row, _ in best])
            top_scores.append([float(f"{score:.5g}") for _, score in best])
        return top_rows, top_scores

    def retrieve(self, search: Search, some: slice = ALL) -> tuple[Floats, RowNumbers]:
        """Return scores and rows (m, k) of the documents that a search ranks first for the judged queries.

        In a reranking task only the candidates of a query are ranked; −1 marks empty places.

        Parameters
        ----------
        search : callable
            Searches for a slice of the judged queries, with k and a mask of the allowed documents or None.
        some : slice
            The queries; all of them by default.
        """
        if self._candidates is None:
            return search(some, self.depth, None)
        numbers = range(len(self.ids))[some]
        shape = len(numbers), self.depth
        scores, rows = np.full(shape, -np.inf, np.float32), np.full(shape, -1, np.int64)
        for place, number in enumerate(numbers):
            allowed = np.zeros(len(self._document_ids), np.bool_)
            allowed[self._candidates[number]] = True
            ranked = search(slice(number, number + 1), self.depth, allowed)
            count = ranked[1].shape[1]
            scores[place, :count], rows[place, :count] = ranked[0][0], ranked[1][0]
        return scores, rows

    def search(self, index: Index, Q: Floats) -> Quality:
        """Search an index for the vectors (m, d) of the judged queries and return the quality of the rankings."""
        return self.evaluate(*self.retrieve(lambda some, k, allowed: index.search(Q[some], k, allowed)))

    def rank(self, scores: Floats) -> Quality:
        """Return the quality of the rankings by scores (m, n) of all documents."""
        if self._candidates is not None:
            masked = np.full_like(scores, -np.inf)
            for place, allowed in enumerate(self._candidates):
                masked[place, allowed] = scores[place, allowed]
            scores = masked
        depth = min(self.depth + 1, scores.shape[1])
        rows = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
        best = np.take_along_axis(scores, rows, axis=1)
        return self.evaluate(best, np.where(np.isfinite(best), rows, -1))

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

        Raises
        ------
        VecsmithError
            If the task is a reranking task.
        """
        if self._candidates is not None:
            raise VecsmithError("This needs a task whose queries search all documents, not a reranking task.")
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
