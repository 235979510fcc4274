"""`Index`: codes, the codec that made them, and a FAISS scan."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self, get_args

import faiss
import numpy as np

from vecsmith.codecs import Codec
from vecsmith.codecs.base import Codes, Floats
from vecsmith.embeddings import Vectors
from vecsmith.errors import VecsmithError, unknown
from vecsmith.search.exact import Rows, is_bit_code, score_shortlist

Scoring = Literal["symmetric", "asymmetric", "rescored"]
SCORINGS: tuple[Scoring, ...] = get_args(Scoring)
SHORTLIST = 100
"""Documents that `rescored` reorders with the original vectors."""
SCALED = 16
"""How many times k documents are looked at where scores still have to be scaled."""


@dataclass(frozen=True)
class Part:
    """Codes of one codec, and where their documents stand in the corpus.

    Attributes
    ----------
    codec : Codec
        The fitted codec.
    codes : ndarray of shape (n, bytes_per_vector), uint8
        What it made of the documents.
    rows : ndarray of shape (n,), int64
        The documents' rows in the corpus.
    """

    codec: Codec
    codes: Codes
    rows: Rows

    def scan(self, Q: Floats, k: int, scoring: Scoring) -> tuple[Floats, Rows]:
        """Return the scores (n, k) and corpus rows of each query's best k documents here, best first.

        Ties at the cut are broken as FAISS happens to.
        """
        if scoring == "symmetric" and is_bit_code(self.codec):
            scores, found = self._hamming_scan(Q, k)
        else:
            scores, found = self._inner_product_scan(Q, k, scoring)
        return scores, np.where(found >= 0, self.rows[found], -1)

    def _hamming_scan(self, Q: Floats, k: int) -> tuple[Floats, Rows]:
        distances, found = self._hamming.search(self.codec.encode(Q), k)
        return -distances.astype(np.float32), found

    def _inner_product_scan(self, Q: Floats, k: int, scoring: Scoring) -> tuple[Floats, Rows]:
        if scoring == "symmetric":
            Q = self.codec.decode(self.codec.encode(Q))
        reduced, offset = self.codec.reduce_queries(Q)
        projected, shift = self.codec.quantiser.project_queries(reduced)
        depth = k if self._scales is None else min(SCALED * k, len(self.codes))
        scores, found = self._inner_product.search(projected, depth)
        scores = scores + shift[:, None]
        if self._scales is not None:
            scores = np.where(found >= 0, scores, -np.inf) * self._scales[found]
            best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
            scores, found = np.take_along_axis(scores, best, axis=1), np.take_along_axis(found, best, axis=1)
        return scores + offset[:, None], found

    @cached_property
    def _inner_product(self) -> Any:
        return self.codec.quantiser.index(self.codes)

    @cached_property
    def _scales(self) -> Floats | None:
        return self.codec.quantiser.scales(self.codes)

    @cached_property
    def _hamming(self) -> Any:
        index = faiss.IndexBinaryFlat(8 * self.codes.shape[1])
        index.add(np.ascontiguousarray(self.codes))
        return index


class Index:
    """Searches codes.

    Scores are ⟨q, decode(code)⟩ for ``asymmetric``, the same with the query encoded and decoded for ``symmetric``
    (for codes of bits: minus the Hamming distance), and ⟨q, d⟩ with the original vectors for the first documents of
    ``rescored``.

    Parameters
    ----------
    codec : Codec
        A fitted codec.
    codes : ndarray of shape (n, bytes_per_vector), uint8
        What `codec` made of the documents.
    scoring : {"symmetric", "asymmetric", "rescored"}
        How a query is scored against a code.
    originals : ndarray of shape (n, d), optional
        The documents' float vectors, memory-mapped or not; needed by ``rescored``, of which only the shortlist is read.
    ids : sequence of str, optional
        Document ids; ties break by falling id, as in trec_eval. Without them, by rising row.

    Raises
    ------
    VecsmithError
        If `scoring` is unknown, or is ``rescored`` without `originals`.

    Examples
    --------
    >>> import numpy as np, vecsmith
    >>> X = np.random.default_rng(0).standard_normal((1000, 64)).astype("float32")
    >>> codec = vecsmith.codec("binary").fit(X)
    >>> scores, rows = vecsmith.Index(codec, codec.encode(X)).search(X[:3], k=5)
    >>> rows[:, 0]
    array([0, 1, 2])
    """

    def __init__(
        self,
        codec: Codec,
        codes: Codes,
        scoring: Scoring = "asymmetric",
        originals: Vectors | None = None,
        ids: Sequence[str] | None = None,
    ) -> None:
        self._set_up([Part(codec, codes, np.arange(len(codes)))], scoring, originals, ids)

    @classmethod
    def of_parts(
        cls,
        parts: Sequence[Part],
        scoring: Scoring = "asymmetric",
        originals: Vectors | None = None,
        ids: Sequence[str] | None = None,
    ) -> Self:
        """Make an index over documents that several codecs encoded, as cross-fitting does; their scores are merged."""
        index = cls.__new__(cls)
        index._set_up(list(parts), scoring, originals, ids)
        return index

    def _set_up(
        self, parts: list[Part], scoring: Scoring, originals: Vectors | None, ids: Sequence[str] | None
    ) -> None:
        if scoring not in SCORINGS:
            raise unknown("scoring", scoring, SCORINGS)
        if scoring == "rescored" and originals is None:
            raise VecsmithError("Scoring 'rescored' reorders with the original vectors; give them as `originals`.")
        self.parts = parts
        self.scoring = scoring
        self.originals = originals
        # a row of rising rank comes first among equals
        by_id = range(len(self)) if ids is None else sorted(range(len(self)), key=lambda row: ids[row], reverse=True)
        self._rank = np.argsort(np.fromiter(by_id, np.int64))

    def __len__(self) -> int:
        return sum(len(part.codes) for part in self.parts)

    def search(self, Q: Vectors, k: int = 10) -> tuple[Floats, Rows]:
        """Return the scores (n, k), float32, and rows (n, k), int64, of the best documents of queries (n, d).

        There are fewer columns where there are fewer documents. Ties break by id, also at the cut.

        Raises
        ------
        VecsmithError
            If `k` is not positive, or the queries have other dimensions than the codec's.
        """
        if k < 1:
            raise VecsmithError(f"k must be at least 1, not {k}.")
        Q = np.ascontiguousarray(Q, dtype=np.float32)
        wanted = depth = min(max(k, SHORTLIST) if self.scoring == "rescored" else k, len(self))
        scores, rows, unseen = self._scan(Q, depth)
        scores, rows = scores[:, :wanted], rows[:, :wanted]
        tied = np.flatnonzero(unseen >= scores[:, -1])
        while len(tied):
            depth *= 2
            deeper, deeper_rows, unseen = self._scan(Q[tied], depth)
            scores[tied], rows[tied] = deeper[:, :wanted], deeper_rows[:, :wanted]
            tied = tied[unseen >= scores[tied, -1]]
        if self.originals is not None and self.scoring == "rescored":
            scores, rows = self._rescore(Q, self.originals, scores, rows)
        return scores[:, :k], rows[:, :k]

    def _scan(self, Q: Floats, depth: int) -> tuple[Floats, Rows, Floats]:
        """Return scores and rows in order, and the best score (n,) that a document not among them may have."""
        scoring: Scoring = "symmetric" if self.scoring == "symmetric" else "asymmetric"
        # one more than asked for shows whether documents beyond the cut tie with those before it
        found = [part.scan(Q, min(depth + 1, len(part.codes)), scoring) for part in self.parts]
        unseen = np.full(len(Q), -np.inf, np.float32)
        for part, (scores, _) in zip(self.parts, found, strict=True):
            if scores.shape[1] < len(part.codes):
                unseen = np.maximum(unseen, scores[:, -1])
        scores, rows = (np.concatenate(arrays, axis=1) for arrays in zip(*found, strict=True))
        return *self._order(scores, rows), unseen

    def _order(self, scores: Floats, rows: Rows) -> tuple[Floats, Rows]:
        order = np.lexsort((self._rank[rows], -scores), axis=1)
        return np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)

    def _rescore(self, Q: Floats, originals: Vectors, scores: Floats, rows: Rows) -> tuple[Floats, Rows]:
        """Reorder the shortlist with the original vectors, and shift the scores of the rest below it."""
        short = rows[:, :SHORTLIST]
        exact = score_shortlist(Q, short, lambda wanted: np.asarray(originals[wanted], dtype=np.float32))
        exact, short = self._order(exact, short)
        rest = scores[:, SHORTLIST:] - scores[:, :1] + exact[:, -1:]
        return np.hstack([exact, rest]), np.hstack([short, rows[:, SHORTLIST:]])
