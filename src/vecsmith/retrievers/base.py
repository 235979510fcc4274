"""The contract of retrievers, and the two that search an index: by vectors, and by terms."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np

from vecsmith.array_types import Floats, RowMask, RowNumbers
from vecsmith.errors import VecsmithError
from vecsmith.index import Index
from vecsmith.index.bm25 import LexicalIndex

Embed = Callable[[Sequence[str]], Floats]
"""A function that returns the vectors (m, d) of the texts of m queries."""


class Retriever(ABC):
    """Anything that ranks the documents of a corpus for the text of a query.

    Attributes
    ----------
    tie_rank : ndarray of shape (n,), int64, or None
        Position of each document among documents with equal scores; the row number if None.
    lexical_bytes_per_document : float
        Bytes per document of lexical indexes.
    rescore_bytes_per_document : int
        Bytes per document of the vectors that reorder candidates.
    """

    tie_rank: RowNumbers | None = None
    lexical_bytes_per_document: float = 0.0
    rescore_bytes_per_document: int = 0

    def search(self, queries: Sequence[str], k: int = 10, allowed: RowMask | None = None) -> tuple[Floats, RowNumbers]:
        """Return the best k documents of each query.

        Parameters
        ----------
        queries : sequence of str
            Texts of m queries.
        k : int
            Documents per query.
        allowed : ndarray of shape (n,), bool, optional
            Mask of the documents that may be returned; all documents by default.

        Returns
        -------
        scores : ndarray of shape (m, k), float32
            Scores, best first. There are fewer columns if there are fewer than k documents.
        rows : ndarray of shape (m, k), int64
            Row numbers. Where the retriever finds fewer than k documents, the remaining scores are −inf and the
            remaining row numbers −1.

        Raises
        ------
        VecsmithError
            If k is less than 1, or `queries` is a single text.
        """
        if isinstance(queries, str):
            raise VecsmithError("The queries must be a list of texts; put the text of a single query in a list.")
        if k < 1:
            raise VecsmithError(f"k must be at least 1, not {k}.")
        if not queries:
            return np.empty((0, 0), np.float32), np.empty((0, 0), np.int64)
        return self._search(queries, k, allowed)

    @abstractmethod
    def _search(self, queries: Sequence[str], k: int, allowed: RowMask | None) -> tuple[Floats, RowNumbers]:
        """Return the best k documents of each query; the arguments are checked."""


class IndexRetriever(Retriever):
    """Ranks documents by the vector of the query.

    Parameters
    ----------
    index : Index
        The index.
    embed : callable
        Returns the vectors (m, d) of the texts of m queries, by the encoder of the documents.
    """

    def __init__(self, index: Index, embed: Embed) -> None:
        self.index, self.embed = index, embed
        self.tie_rank = index.tie_rank

    def _search(self, queries: Sequence[str], k: int, allowed: RowMask | None) -> tuple[Floats, RowNumbers]:
        return self.index.search(self.embed(queries), k, allowed)


class LexicalRetriever(Retriever):
    """Ranks documents by BM25; documents without a term of the query are not found.

    Parameters
    ----------
    lexical : LexicalIndex
        The lexical index.
    tie_rank : ndarray of shape (n,), int64, optional
        See `Retriever`.
    index : Index, optional
        An index of the same documents, whose deleted documents are not returned.
    """

    def __init__(self, lexical: LexicalIndex, tie_rank: RowNumbers | None = None, index: Index | None = None) -> None:
        self.lexical, self.tie_rank, self.index = lexical, tie_rank, index
        self.lexical_bytes_per_document = lexical.bytes_per_document

    def _search(self, queries: Sequence[str], k: int, allowed: RowMask | None) -> tuple[Floats, RowNumbers]:
        alive = self.index.alive if self.index else None
        if alive is not None:
            allowed = alive if allowed is None else allowed & alive
        return self.lexical.search(queries, k, allowed, self.tie_rank)


class Remembered(Retriever):
    """A retriever that keeps its rankings in memory, for several fusions of the same queries.

    Parameters
    ----------
    retriever : Retriever
        The retriever.
    """

    def __init__(self, retriever: Retriever) -> None:
        self._retriever, self.tie_rank = retriever, retriever.tie_rank
        self._rankings: dict[tuple[object, ...], tuple[Floats, RowNumbers]] = {}

    def _search(self, queries: Sequence[str], k: int, allowed: RowMask | None) -> tuple[Floats, RowNumbers]:
        key = (tuple(queries), k, None if allowed is None else allowed.tobytes())
        if key not in self._rankings:
            self._rankings[key] = self._retriever.search(queries, k, allowed)
        return self._rankings[key]


def rank_of_ids(ids: Sequence[str]) -> RowNumbers:
    """Return the `tie_rank` of documents with these ids: by falling id, as in trec_eval."""
    by_id = sorted(range(len(ids)), key=ids.__getitem__, reverse=True)
    return np.asarray(np.argsort(np.fromiter(by_id, np.int64)))
