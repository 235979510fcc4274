"""Candidate documents of queries: the relevant ones, and hard negatives mined by cosine."""

from dataclasses import dataclass
from typing import Self

import faiss
import numpy as np
from numpy.typing import NDArray

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.training.pairs import JudgedPairs


@dataclass(frozen=True)
class Candidates:
    """Queries with at least one relevant document, and the same number of candidate documents for each.

    Attributes
    ----------
    pairs : JudgedPairs
        Vectors and judgements.
    queries : ndarray of shape (m,), int64
        Rows of the queries.
    documents : ndarray of shape (m, k), int64
        Rows of the candidates.
    relevant : ndarray of shape (m, k), bool
        Whether a candidate is relevant.
    teacher : ndarray of shape (m, k), float32, or None
        Scores of the candidates by a teacher, which some losses imitate; on the scale of cosines.
    """

    pairs: JudgedPairs
    queries: RowNumbers
    documents: RowNumbers
    relevant: NDArray[np.bool_]
    teacher: Floats | None = None

    @classmethod
    def mine(cls, pairs: JudgedPairs, negatives: int) -> Self:
        """Return the relevant documents of each query and those with the highest cosine among the others.

        Parameters
        ----------
        pairs : JudgedPairs
            Vectors and judgements.
        negatives : int
            Number of candidates k. A query with more relevant documents keeps k of them.
        """
        queries = np.unique(pairs.relevant[:, 0])
        k = min(negatives, len(pairs.documents))
        index = faiss.IndexFlatIP(pairs.documents.shape[1])
        index.add(pairs.documents)
        documents = index.search(np.ascontiguousarray(pairs.queries[queries]), k)[1]
        of = np.split(pairs.relevant[:, 1], np.flatnonzero(np.diff(pairs.relevant[:, 0])) + 1)
        for row, known in zip(documents, of, strict=True):
            missing = np.setdiff1d(known, row)[:k]
            # relevant documents replace the candidates of lowest cosine that are not relevant
            row[np.flatnonzero(~np.isin(row, known))[::-1][: len(missing)]] = missing
        relevant = np.array([np.isin(row, known) for row, known in zip(documents, of, strict=True)])
        return cls(pairs, queries, documents, relevant)

    def __len__(self) -> int:
        return len(self.queries)

    def of(self, rows: RowNumbers | NDArray[np.bool_]) -> Self:
        """Return the candidates of some of the queries, by position."""
        chosen = self.queries[rows], self.documents[rows], self.relevant[rows]
        return type(self)(self.pairs, *chosen, None if self.teacher is None else self.teacher[rows])

    def vectors(self, rows: RowNumbers) -> tuple[Floats, Floats]:
        """Return the vectors (b, d) and (b, k, d) of the queries at some positions and of their candidates."""
        return self.pairs.queries[self.queries[rows]], self.pairs.documents[self.documents[rows]]
