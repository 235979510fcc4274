"""The contract of retrievers, and the two that search an index: by vectors, and by terms."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np

from vecsmith.array_types import Floats, RowMask, RowNumbers
from vecsmith.errors import VecsmithError
from vecsmith.index import Index
from vecsmith.index.bm25 import LexicalIndex
from vecsmith.index.tie_order import RankOf

Embed = Callable[[Sequence[str]], Floats]
"""A function that returns the vectors (m, d) of the texts of m queries."""


class Retriever(ABC):
    """Anything that ranks the documents of a corpus for the text of a query.

    Attributes
    ----------
    rank_of : callable
        Returns the position of each row number among documents with equal scores; the row number by default.
    lexical_bytes_per_document : float
        Bytes per document of lexical indexes.
    rescore_bytes_per_document : int
        Bytes per document of the vectors that reorder candidates.
    """

    rank_of: RankOf = staticmethod(np.asarray)
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
        self.rank_of = index.rank_of

    def _search(self, queries: Sequence[str], k: int, allowed: RowMask | None) -> tuple[Floats, RowNumbers]:
        return self.index.search(self.embed(queries), k, allowed)


class LexicalRetriever(Retriever):
    """Ranks documents by BM25; documents without a term of the query are not found.

    Parameters
    ----------
    lexical : LexicalIndex
        The lexical index.
    rank_of : callable
        See `Retriever`.
    index : Index, optional
        An index of the same documents, whose deleted documents are not returned.
    """

    def __init__(self, lexical: LexicalIndex, rank_of: RankOf = np.asarray, index: Index | None = None) -> None:
        self.lexical, self.rank_of, self.index = lexical, rank_of, index
        self.lexical_bytes_per_document = lexical.bytes_per_document

    def _search(self, queries: Sequence[str], k: int, allowed: RowMask | None) -> tuple[Floats, RowNumbers]:
        alive = self.index.alive if self.index else None
        if alive is not None:
            allowed = alive if allowed is None else allowed & alive
        return self.lexical.search(queries, k, allowed, self.rank_of)


class CachedRetriever(Retriever):
    """A retriever that caches its rankings in memory, for several fusions of the same queries.

    Parameters
    ----------
    retriever : Retriever
        The retriever.
    """

    def __init__(self, retriever: Retriever) -> None:
        self._retriever, self.rank_of = retriever, retriever.rank_of
        self._rankings: dict[tuple[object, ...], tuple[Floats, RowNumbers]] = {}

    def _search(self, queries: Sequence[str], k: int, allowed: RowMask | None) -> tuple[Floats, RowNumbers]:
        key = (tuple(queries), k, None if allowed is None else allowed.tobytes())
        if key not in self._rankings:
            self._rankings[key] = self._retriever.search(queries, k, allowed)
        return self._rankings[key]


def rank_by_id(ids: Sequence[str]) -> RankOf:
    """Return the `rank_of` of documents with these ids: by falling id, as in trec_eval."""
    by_id = sorted(range(len(ids)), key=ids.__getitem__, reverse=True)
    return np.argsort(np.fromiter(by_id, np.int64)).__getitem__
