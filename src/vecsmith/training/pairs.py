"""Queries with documents that are judged relevant to them, from which a contrastive loss learns."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from vecsmith.array_types import Floats, RowNumbers


@dataclass(frozen=True)
class JudgedPairs:
    """Vectors of queries and documents, and the pairs of them that judgements call relevant.

    Attributes
    ----------
    queries : ndarray of shape (m, d), float32
        Unit vectors of the queries.
    documents : ndarray of shape (n, d), float32
        Unit vectors of the documents: the relevant ones, and others that serve as negatives.
    relevant : ndarray of shape (p, 2), int64
        Pairs of the row of a query and the row of a document.
    """

    queries: Floats
    documents: Floats
    relevant: NDArray[np.int64]

    def split(self, fraction: float, rng: np.random.Generator) -> tuple["JudgedPairs", "JudgedPairs"]:
        """Return the pairs of most queries, for training, and those of a `fraction` of the queries, for validation.

        A single query is used for both.
        """
        queries = rng.permutation(np.unique(self.relevant[:, 0]))
        unseen = np.isin(self.relevant[:, 0], queries[: max(1, round(fraction * len(queries)))])
        parts = (self.relevant[~unseen], self.relevant[unseen])
        training, validation = (replace(self, relevant=part) for part in parts)
        return (training, validation) if len(training.relevant) else (validation, validation)

    def judged_relevant(self, queries: RowNumbers, documents: RowNumbers) -> NDArray[np.bool_]:
        """Return whether documents are relevant to queries, of shape (len(queries), len(documents))."""
        shape = (len(self.queries), len(self.documents))
        matrix = csr_array((np.ones(len(self.relevant), bool), tuple(self.relevant.T)), shape=shape)
        return np.asarray(matrix[queries][:, documents].toarray(), dtype=bool)
