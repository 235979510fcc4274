"""`CodePartition`: the codes of one codec, scanned by FAISS."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Literal

import faiss
import numpy as np
from numpy.typing import NDArray

from vecsmith.cached import DropsCache
from vecsmith.codecs import Codec
from vecsmith.codecs.projection import projection
from vecsmith.codecs.quantizers.bits import signs
from vecsmith.codecs.scan import REFINE_FACTOR, attach_codes
from vecsmith.codecs.stages import Codes, Floats
from vecsmith.index.exact import Rows, is_bit_code
from vecsmith.index.inverted_lists import InvertedIndex, Lists, with_codes

Mask = NDArray[np.bool_]
ScanScoring = Literal["symmetric", "asymmetric"]
Probe = Callable[[Floats, Floats, int, int], tuple[Floats, Rows]]
"""`InvertedIndex.search` of queries, the same projected, k and how deep to refine."""

SCALED, SCALED_WIDE, SPARE = 4, 16, 32
"""Where scores are to be scaled, so many times k + `SPARE` documents are looked at; more if scales differ much."""
WIDE = 1.25
"""What the 99.9 % quantile of scales that differ much is above their median: of real embeddings it is up to 1.2."""
SAMPLE = 10_000
ONCE = faiss.IndexRefineSearchParameters(k_factor=1.0)  # type: ignore[call-arg]  # FAISS wraps it at import
"""All that a fast scan finds is scored exactly; so many more than k are asked of it here."""
DEEPEST = 4096
"""Documents that are looked at, at most, for those that a filter allows; beyond, only the allowed are scanned."""


@dataclass(frozen=True)
class CodePartition(DropsCache):
    """Codes of one codec, and where their documents stand in the corpus.

    Attributes
    ----------
    codec : Codec
        The fitted codec.
    codes : ndarray of shape (n, bytes_per_vector), uint8
        What it made of the documents; memory-mapped or not.
    rows : ndarray of shape (n,), int64, or range
        The documents' rows in the corpus.
    scales : ndarray of shape (n,), float32, optional
        What the quantizer's `score_factors` returns, where it is known already.
    lists : Lists, optional
        The inverted list of every document.
    """

    codec: Codec
    codes: Codes
    rows: Rows | range
    scales: Floats | None = None
    lists: Lists | None = None

    def scan(
        self, Q: Floats, k: int, scoring: ScanScoring, allowed: Mask | None = None, probes: int | None = None
    ) -> tuple[Floats, Rows]:
        """Return the scores (n, k) and corpus rows of each query's best k documents here, best first.

        Ties at the cut are broken as FAISS happens to.

        Parameters
        ----------
        Q : ndarray of shape (n, d)
            Queries.
        k : int
            Documents a query, at most as many as may be found.
        scoring : {"symmetric", "asymmetric"}
            How a query is scored against a code.
        allowed : ndarray of shape (documents here,), bool, optional
            Which documents may be found; all by default.
        probes : int, optional
            How many of the lists nearest to a query are scanned; all documents by default, and where there are no
            lists. −∞ and −1 stand for documents that these lists do not have.
        """
        if probes is not None and self.lists is not None:
            scores, found = self._scan(Q, k, scoring, partial(self._inverted.search, probes=probes, allowed=allowed))
        elif allowed is not None:
            scores, found = self._filtered(Q, k, scoring, allowed)
        else:
            scores, found = self._scan(Q, k, scoring)
        if isinstance(self.rows, range):
            return scores, found + np.where(found >= 0, self.rows.start, 0) if self.rows.start else found
        return scores, np.where(found >= 0, self.rows[found], -1)

    def allowed(self, mask: Mask | None) -> tuple[Mask | None, int]:
        """Return which documents here a mask of the corpus allows, None for all, and how many."""
        if mask is None:
            return None, len(self.codes)
        here = mask[self.rows.start : self.rows.stop] if isinstance(self.rows, range) else mask[self.rows]
        count = int(np.count_nonzero(here))
        return None if count == len(here) else here, count

    def _filtered(self, Q: Floats, k: int, scoring: ScanScoring, allowed: Mask) -> tuple[Floats, Rows]:
        """Scan as deep as it takes to find k allowed documents; where few are allowed, scan only these.

        FAISS's fast scan takes no ``IDSelector``, and the indexes that do are several times slower with one.
        """
        depth = 2 * k * len(self.codes) // int(np.count_nonzero(allowed))
        while depth <= DEEPEST:
            scores, found = self._scan(Q, min(depth, len(self.codes)), scoring)
            inside = allowed[found] & (found >= 0)
            if np.count_nonzero(inside, axis=1).min(initial=k) >= k:
                first = np.argsort(~inside, axis=1, kind="stable")[:, :k]
                return np.take_along_axis(scores, first, axis=1), np.take_along_axis(found, first, axis=1)
            depth *= 4
        places = np.flatnonzero(allowed)
        scales = None if self._scales is None else self._scales[places]
        return self.like(self.codes[places], places, scales).scan(Q, k, scoring)

    def like(self, codes: Codes, rows: Rows | range, scales: Floats | None = None) -> "CodePartition":
        """Return other codes of the same codec; how queries are projected is shared, for it takes long to set up."""
        part = CodePartition(self.codec, codes, rows, scales)
        vars(part)["_projection"] = self._projection
        return part

    def listed(self, lists: Lists) -> "CodePartition":
        """Return the same documents in other lists; what is laid out for scanning all of them is shared."""
        part = replace(self, lists=lists)
        vars(part).update({name: value for name, value in vars(self).items() if name not in ("_inverted", "lists")})
        return part

    def _scan(self, Q: Floats, k: int, scoring: ScanScoring, probe: Probe | None = None) -> tuple[Floats, Rows]:
        """Return the scores and places here, −1 for none; of all documents, or of those that `probe` finds."""
        if scoring == "symmetric" and is_bit_code(self.codec):
            codes = self.codec.encode(Q)
            if probe is None:
                distances, found = self._hamming.search(codes, k)
                return -distances.astype(np.float32), found
            # the inner product of signs is the number of bits less twice the distance
            products, found = probe(self.codec.decode(codes), signs(codes), k, REFINE_FACTOR)
            return (products - 8 * codes.shape[1]) / 2, found
        if scoring == "symmetric":
            Q = self.codec.decode(self.codec.encode(Q))
        projected, shift, offset = self._project(Q)
        scales = self._scales
        if scales is None:
            scores, found = probe(Q, projected, k, REFINE_FACTOR) if probe else self._all(projected, k, REFINE_FACTOR)
            return scores[:, :k] + (shift + offset)[:, None], found[:, :k]
        depth = min(self._scaled * (k + SPARE), len(self.codes))
        scores, found = probe(Q, projected, depth, 1) if probe else self._all(projected, depth, 1)
        scores = np.where(found >= 0, (scores + shift[:, None]) * scales.take(found), -np.inf)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k] + depth * np.arange(len(Q))[:, None]
        return scores.take(best) + offset[:, None], found.take(best)

    def _all(self, projected: Floats, k: int, rounds: int) -> tuple[Floats, Rows]:
        """Return the scores (n, k) and places of the best of all documents; of a fast scan so many times k.

        FAISS's fast scan rounds scores to whole numbers from 0, and never finds a document whose sum is 0, as all are
        for a query of zeros: where it had to find some, all are scored exactly.
        """
        index = self._inner_product
        if not isinstance(index, faiss.IndexRefine):
            found: tuple[Floats, Rows] = index.search(projected, k)
            return found
        depth = min(rounds * k, len(self.codes))
        scores, places = index.search(projected, depth, params=ONCE)
        short = (places < 0).any(axis=1)
        if short.any():
            scores[short], places[short] = with_codes(index).search(projected[short], depth)
        return scores, places

    def _project(self, Q: Floats) -> tuple[Floats, Floats, Floats]:
        """Return queries as they are scanned, and what is added to their scores before and after these are scaled."""
        found = self._projection(Q)
        return np.ascontiguousarray(found[:, :-2]), found[:, -2], found[:, -1]

    @cached_property
    def _projection(self) -> Callable[[Floats], Floats]:
        def project(Q: Floats) -> Floats:
            reduced, offset = self.codec.reduce_queries(Q)
            projected, shift = self.codec.quantizer.project_queries(reduced)
            return np.hstack([projected, shift[:, None], offset[:, None]])

        return projection(project, self.codec.input_dimensions)

    @cached_property
    def _inverted(self) -> InvertedIndex:
        assert self.lists is not None
        return InvertedIndex(self._inner_product, self.lists)

    @cached_property
    def _inner_product(self) -> Any:
        return self.codec.quantizer.index(self.codes)

    @cached_property
    def _scales(self) -> Floats | None:
        return self.codec.quantizer.score_factors(self.codes) if self.scales is None else self.scales

    @cached_property
    def _scaled(self) -> int:
        """How many times k + `SPARE` documents are looked at."""
        assert self._scales is not None
        middle, high = np.quantile(self._scales[:: -(-len(self._scales) // SAMPLE)], [0.5, 0.999])
        return SCALED if high < WIDE * middle else SCALED_WIDE

    @cached_property
    def _hamming(self) -> Any:
        return attach_codes(faiss.IndexBinaryFlat(8 * self.codes.shape[1]), self.codes)
