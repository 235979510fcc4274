"""Validation on unseen documents: queries that are held out together with all their relevant documents."""

from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.embeddings import normalize
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.translators import Translator

CANDIDATES = 100
"""Documents per validation query, the nearest before tuning, that an adapter reorders."""


def document_folds(relevant: NDArray[np.int64], count: int, seed: int) -> list[RowNumbers]:
    """Split queries into folds, so that no document is relevant to queries of two folds.

    Queries with a common relevant document, directly or through other queries, stay together: they are a connected
    component of the graph of judgements. The largest components are placed first, each in the smallest fold.

    Parameters
    ----------
    relevant : ndarray of shape (p, 2), int64
        Pairs of a query and a relevant document.
    count : int
        Maximum number of folds.
    seed : int
        Seed of the order of components of the same size.

    Returns
    -------
    list of ndarray of int64
        Numbers of the queries in each fold that is not empty, sorted.
    """
    queries, rows = np.unique(relevant[:, 0], return_inverse=True)
    documents, columns = np.unique(relevant[:, 1], return_inverse=True)
    graph = csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(queries), len(documents)))
    component = connected_components(graph @ graph.T)[1]
    sizes = np.bincount(component)
    order = np.random.default_rng(seed).permutation(len(sizes))
    filled, fold_of = np.zeros(count, np.int64), np.zeros(len(sizes), np.int64)
    for each in order[np.argsort(-sizes[order], kind="stable")]:
        fold_of[each] = filled.argmin()
        filled[fold_of[each]] += sizes[each]
    folds = [queries[fold_of[component] == fold] for fold in range(count)]
    return [fold for fold in folds if len(fold)]


@dataclass(frozen=True)
class Validation:
    """Validation queries, whose nearest documents an adapter reorders.

    Attributes
    ----------
    judged : JudgedQueries
        The judgements.
    queries, documents : ndarray of shape (m, d) and (n, d), float32
        Unit vectors of the judged queries and of the documents.
    rows : ndarray of shape (m, k), int64
        The nearest documents of each query before tuning.
    both : bool
        Whether documents are adapted too.
    """

    judged: JudgedQueries
    queries: Floats
    documents: Floats
    rows: RowNumbers
    both: bool

    def ndcg(self, adapter: Translator) -> float:
        """Return the mean nDCG@10 of the reordered candidates."""
        documents = adapter.transform(self.documents) if self.both else self.documents
        return self.rank(cosines(adapter.transform(self.queries), documents, self.rows))

    def rank(self, scores: Floats) -> float:
        """Return the mean nDCG@10 of the candidates by scores (m, k)."""
        order = np.argsort(-scores, axis=1, kind="stable")
        best, rows = np.take_along_axis(scores, order, axis=1), np.take_along_axis(self.rows, order, axis=1)
        return self.judged.evaluate(best, rows).mean_ndcg_at_10


def cosines(queries: Floats, documents: Floats, rows: RowNumbers) -> Floats:
    """Return the cosines (m, k) of unit vectors (m, d) with the unit vectors (n, d) of candidates (m, k)."""
    return np.stack([documents[row] @ query for query, row in zip(queries, rows, strict=True)])


def nearest(queries: Floats, documents: Floats) -> RowNumbers:
    """Return the rows (m, k) of the nearest documents."""
    index = faiss.IndexFlatIP(documents.shape[1])
    index.add(np.ascontiguousarray(documents))
    rows: RowNumbers = index.search(np.ascontiguousarray(normalize(queries)), min(CANDIDATES, len(documents)))[1]
    return rows
