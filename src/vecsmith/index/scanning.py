"""Scanning the codes of one codec by FAISS."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import faiss
import numpy as np

from vecsmith.array_types import Codes, Floats, RowNumbers
from vecsmith.cached import DropsCache
from vecsmith.codecs import Codec
from vecsmith.codecs.projection import projection
from vecsmith.codecs.quantizers.bits import sign_index, signs
from vecsmith.codecs.quantizers.nibbles import codebooks_of
from vecsmith.codecs.quantizers.sketch import SketchIndex
from vecsmith.codecs.scan import (
    MAX_GROUPS,
    REFINE_FACTOR,
    DecodedIndex,
    attach_codes,
    refined_fast_scan,
    without_overflow,
)
from vecsmith.index.inverted_lists import InvertedLists
from vecsmith.index.list_scan import flat_codes_of, score_candidates
from vecsmith.index.list_search import DecodedLists, InvertedIndex, SketchLists, inverted_index
from vecsmith.index.row_filter import RowFilter
from vecsmith.index.score_factors import EXTRA_RESULTS, candidates_per_result, rank_by_scaled_score
from vecsmith.index.scoring import ScanScoring, is_bit_code
from vecsmith.index.shortlist import best_candidates

SearchLists = Callable[[Floats, Floats, int, int], tuple[Floats, RowNumbers]]
"""`InvertedIndex.search` of queries, projected queries, k and the candidates per result that are scored exactly."""

MAX_FILTER_CANDIDATES = 4096
"""Maximum candidates scanned for a filter before falling back to a scan of the allowed rows alone."""
FAST_SCAN_ONLY = faiss.IndexRefineSearchParameters(k_factor=1.0)  # type: ignore[call-arg]  # FAISS wraps it at import
"""Search parameters by which FAISS scores exactly the requested number of candidates, without its own oversampling."""


@dataclass(frozen=True)
class CodePartition(DropsCache):
    """Codes of one codec, and the row numbers of their documents in the corpus.

    Attributes
    ----------
    codec : Codec
        The fitted codec.
    codes : ndarray of shape (n, bytes_per_vector), uint8
        Codes of the documents; may be memory-mapped.
    rows : ndarray of shape (n,), int64, or range
        Row numbers of the documents in the corpus.
    score_factors : ndarray of shape (n,), float32, optional
        Score factors of the codes as the quantizer computes them, where they are known already.
    lists : InvertedLists, optional
        The inverted list of each document.
    content_hash : str, optional
        Hash of the codes and their codec, by which sketches of the codes are cached.
    """

    codec: Codec
    codes: Codes
    rows: RowNumbers | range
    score_factors: Floats | None = None
    lists: InvertedLists | None = None
    content_hash: str | None = None

    def scan(
        self, Q: Floats, k: int, scoring: ScanScoring, allowed: RowFilter | None = None, probes: int | None = None
    ) -> tuple[Floats, RowNumbers]:
        """Return the best k documents of each query, best first; ties at the cut are broken in FAISS's order.

        Parameters
        ----------
        Q : ndarray of shape (n, d), float32
            Queries.
        k : int
            Documents per query, at most the number of allowed documents.
        scoring : {"symmetric", "asymmetric"}
            How a query is scored against a code.
        allowed : RowFilter, optional
            Filter of the positions of the documents that may be returned; all by default.
        probes : int, optional
            Number of inverted lists to scan per query. All documents are scanned by default, and where there are no
            lists.

        Returns
        -------
        scores : ndarray of shape (n, k), float32
            Scores; −inf where the probed lists hold fewer than k documents.
        rows : ndarray of shape (n, k), int64
            Row numbers in the corpus; −1 where the probed lists hold fewer than k documents.
        """
        if probes is not None and self.lists is not None:
            inverted = self._inverted_signs if self._compares_bits(scoring) else self._inverted_index
            search_lists = partial(inverted.search, probes=probes, allowed=allowed)
            scores, places = self._scan(Q, k, scoring, search_lists)
        elif allowed is not None:
            scores, places = self._scan_allowed(Q, k, scoring, allowed)
        else:
            scores, places = self._scan(Q, k, scoring)
        if isinstance(self.rows, range):
            return scores, places + np.where(places >= 0, self.rows.start, 0) if self.rows.start else places
        return scores, np.where(places >= 0, self.rows[places], -1)

    def with_codes(
        self, codes: Codes, rows: RowNumbers | range, score_factors: Floats | None = None
    ) -> "CodePartition":
        """Return a partition of other codes of the same codec; it shares the projection, which is slow to set up."""
        partition = CodePartition(self.codec, codes, rows, score_factors)
        vars(partition)["_projection"] = self._projection
        return partition

    def with_lists(self, lists: InvertedLists) -> "CodePartition":
        """Return the same documents in other inverted lists; it shares the FAISS index that scans all codes."""
        partition = replace(self, lists=lists)
        shared = {
            name: value for name, value in vars(self).items() if not name.startswith("_inverted") and name != "lists"
        }
        vars(partition).update(shared)
        return partition

    def _scan_allowed(self, Q: Floats, k: int, scoring: ScanScoring, allowed: RowFilter) -> tuple[Floats, RowNumbers]:
        """Scan all codes for ever more candidates until k of them are allowed, or else the allowed codes alone.

        FAISS's fast scan takes no ``IDSelector``, and the indexes that take one are several times slower with it. Codes
        that are decoded to be scored are decoded only if they are allowed.
        """
        flat = None if self._compares_bits(scoring) else self._flat_index
        n_candidates = 2 * k * len(self.codes) // allowed.count
        while n_candidates <= MAX_FILTER_CANDIDATES and (not isinstance(flat, DecodedIndex) or flat.sketched):
            scores, places = self._scan(Q, min(n_candidates, len(self.codes)), scoring)
            inside = allowed.contains(places)
            if np.count_nonzero(inside, axis=1).min(initial=k) >= k:
                first = np.argsort(~inside, axis=1, kind="stable")[:, :k]
                return np.take_along_axis(scores, first, axis=1), np.take_along_axis(places, first, axis=1)
            n_candidates *= 4
        rows = allowed.rows
        if isinstance(flat, DecodedIndex):
            return self._scan(Q, k, scoring, lambda _, projected, k, refine: flat.search_at(projected, rows, k))
        factors = None if self._score_factors is None else self._score_factors[rows]
        return self.with_codes(self.codes[rows], rows, factors).scan(Q, k, scoring)

    def _compares_bits(self, scoring: ScanScoring) -> bool:
        return scoring == "symmetric" and is_bit_code(self.codec)

    def _scan(
        self, Q: Floats, k: int, scoring: ScanScoring, search_lists: SearchLists | None = None
    ) -> tuple[Floats, RowNumbers]:
        """Return scores (n, k) and positions among the codes (n, k), of all documents or of the probed lists."""
        if self._compares_bits(scoring):
            return self._scan_bits(self.codec.encode(Q), k, search_lists)
        if scoring == "symmetric":
            Q = self.codec.decode(self.codec.encode(Q))
        projected, shift, offset = self._project(Q)
        search, factors = search_lists or self._scan_all, self._score_factors
        if factors is None:
            scores, places = search(Q, projected, k, REFINE_FACTOR)
            if search_lists:  # only the documents of lists are not sorted
                scores, places = best_candidates(scores, places, k)
            scores, places = scores[:, :k], places[:, :k]
            return scores + (shift + offset)[:, None], places
        n_candidates = min(self._candidates_per_result * (k + EXTRA_RESULTS), len(self.codes))
        scores, places = search(Q, projected, n_candidates, 1)
        scores, places = rank_by_scaled_score(scores, places, shift, factors, k)
        return scores + offset[:, None], places

    def _scan_bits(self, codes: Codes, k: int, search_lists: SearchLists | None) -> tuple[Floats, RowNumbers]:
        """Return minus the Hamming distances (n, k) of query codes, and positions among the codes."""
        if search_lists is None:
            distances, places = self._hamming_index.search(codes, k)
            return -distances.astype(np.float32), places
        # the inner product of two sign vectors is the number of bits minus twice the Hamming distance
        products, places = search_lists(self.codec.decode(codes), signs(codes), k, REFINE_FACTOR)
        products, places = best_candidates(products, places, k)
        return (products - 8 * codes.shape[1]) / 2, places

    def _scan_all(self, Q: Floats, projected: Floats, k: int, refine: int) -> tuple[Floats, RowNumbers]:
        """Return the scores and positions of the best documents: k, or `refine` · k candidates of a fast scan.

        `Q` is not used. It is a parameter because `InvertedIndex.search` needs it.

        FAISS's fast scan rounds scores to integers from 0 and never returns a document whose sum is 0, as all sums are
        for a query of zeros. Queries with such empty places are scored exactly instead.
        """
        index = self._flat_index
        if not isinstance(index, faiss.IndexRefine):
            flat: tuple[Floats, RowNumbers] = index.search(projected, k)
            return flat
        n_candidates, exact = min(refine * k, len(self.codes)), flat_codes_of(index)
        if exact.pq.M <= MAX_GROUPS:
            scores, places = index.search(projected, n_candidates, params=FAST_SCAN_ONLY)
        else:
            _, places = index.base_index.search(without_overflow(projected, self._codebooks), n_candidates)
            scores, places = best_candidates(score_candidates(exact, projected, places), places, n_candidates)
        incomplete = (places < 0).any(axis=1)
        if incomplete.any():
            scores[incomplete], places[incomplete] = exact.search(projected[incomplete], n_candidates)
        return scores, places

    def _project(self, Q: Floats) -> tuple[Floats, Floats, Floats]:
        """Project queries for the scan.

        Returns
        -------
        projected : ndarray of shape (n, e), float32
            Queries in the space of the FAISS index.
        shift, offset : ndarray of shape (n,), float32
            Values to add to the scores before and after the multiplication by score factors.
        """
        columns = self._projection(Q)
        return np.ascontiguousarray(columns[:, :-2]), columns[:, -2], columns[:, -1]

    @cached_property
    def _projection(self) -> Callable[[Floats], Floats]:
        def project(Q: Floats) -> Floats:
            reduced, offset = self.codec.reduce_queries(Q)
            projected, shift = self.codec.quantizer.project_queries(reduced)
            return np.hstack([projected, shift[:, None], offset[:, None]])

        return projection(project, self.codec.input_dimensions)

    @cached_property
    def _inverted_index(self) -> InvertedIndex | DecodedLists | SketchLists:
        assert self.lists is not None
        return inverted_index(self._flat_index, self.lists)

    @cached_property
    def _inverted_signs(self) -> InvertedIndex | DecodedLists | SketchLists:
        """Inverted lists of the bits of the codes."""
        assert self.lists is not None
        if self.codec.quantizer.scanned:
            return self._inverted_index
        return InvertedIndex(refined_fast_scan(sign_index(self.codes)), self.lists)

    @cached_property
    def _flat_index(self) -> Any:
        index = self.codec.quantizer.index(self.codes)
        if self.content_hash and isinstance(index, SketchIndex):
            index.use_cache(self.content_hash)
        return index

    @cached_property
    def _codebooks(self) -> Floats:
        """Codebooks (G, 16, v) of the fast scan."""
        return codebooks_of(flat_codes_of(self._flat_index))

    @cached_property
    def _score_factors(self) -> Floats | None:
        return self.codec.quantizer.score_factors(self.codes) if self.score_factors is None else self.score_factors

    @cached_property
    def _candidates_per_result(self) -> int:
        assert self._score_factors is not None
        return candidates_per_result(self._score_factors)

    @cached_property
    def _hamming_index(self) -> Any:
        return attach_codes(faiss.IndexBinaryFlat(8 * self.codes.shape[1]), self.codes)
