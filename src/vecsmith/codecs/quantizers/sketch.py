"""Search of codes that FAISS cannot scan: a fast scan of short sketches, then exact scores of the candidates."""

from functools import cached_property
from typing import Any, Protocol

import faiss
import numpy as np

from vecsmith.array_types import Codes, Floats, RowNumbers
from vecsmith.codecs.quantizers.hybrid import Hybrid
from vecsmith.codecs.quantizers.nibbles import product_index
from vecsmith.codecs.scan import DecodedIndex
from vecsmith.codecs.stages import CODE_BLOCK_ROWS
from vecsmith.embeddings import sample_rows
from vecsmith.progress import track

CANDIDATE_BYTES = 10_000
"""Minimum number of candidates that are scored exactly, times the bytes per sketch: shorter sketches rank less well."""
CANDIDATES_PER_RESULT = 8
"""Minimum number of candidates per result."""
TRAINING_ROWS = 20_000
"""Maximum number of decoded vectors that a sketch is fitted on."""


class ScoredQuantizer(Protocol):
    """A quantizer that scores codes exactly without decoding them."""

    input_dimensions_: int

    def decode(self, codes: Codes) -> Floats:
        """Return the decoded vectors (n, d)."""

    def scores(self, q: Floats, codes: Codes) -> Floats:
        """Return the inner products (n,) of a query (d,) with the decoded vectors."""


class SketchIndex(DecodedIndex):
    """An index that holds codes and a sketch of each code, and no floats.

    A sketch is a `Hybrid` code of the decoded vector. FAISS's 4-bit fast scan ranks the sketches, and the best
    candidates are scored from the codes. Scores are therefore exact, but a few of the best documents may be missed.

    Parameters
    ----------
    quantizer : ScoredQuantizer
        The fitted quantizer.
    codes : ndarray of shape (n, bytes_per_vector), uint8
        Codes; may be memory-mapped.
    size : int
        Bytes per sketch.
    """

    sketched = True

    def __init__(self, quantizer: ScoredQuantizer, codes: Codes, size: int) -> None:
        super().__init__(quantizer.decode, codes, quantizer.input_dimensions_)
        self._quantizer, self._size = quantizer, size

    @cached_property
    def _sketch(self) -> Hybrid:
        """The sketch quantizer, fitted on a sample of the decoded vectors."""
        return Hybrid(self._size).fit(self._quantizer.decode(self._codes[sample_rows(self.ntotal, TRAINING_ROWS, 0)]))

    def product_index(self) -> Any:
        """Return a FAISS ``IndexPQ`` of the sketches."""
        codes = np.empty((self.ntotal, self._size), np.uint8)
        starts = range(0, self.ntotal, CODE_BLOCK_ROWS)
        for start in track(starts, f"{self.ntotal} sketches of codes", len(starts)):
            block = slice(start, start + CODE_BLOCK_ROWS)
            codes[block] = self._sketch.encode(self._quantizer.decode(self._codes[block]))
        codes.flags.writeable = False  # FAISS then reads the codes in place
        return product_index(codes, self._sketch.codebooks)

    @cached_property
    def _scan(self) -> Any:
        """FAISS's fast scan of the sketches."""
        return faiss.IndexPQFastScan(self.product_index())

    def project(self, Q: Floats) -> Floats:
        """Return queries (n, d) in the space of the sketches."""
        return np.ascontiguousarray(self._sketch.project_queries(Q)[0])

    def n_candidates(self, k: int) -> int:
        """Return the number of candidates that are scored exactly for k results."""
        return min(max(CANDIDATE_BYTES // self._size, CANDIDATES_PER_RESULT * k), self.ntotal)

    def search(self, Q: Floats, k: int) -> tuple[Floats, RowNumbers]:
        """Return the best k codes of each query, best first.

        Parameters
        ----------
        Q : ndarray of shape (n, d), float32
            Queries.
        k : int
            Results per query, at most the number of codes.

        Returns
        -------
        scores : ndarray of shape (n, k), float32
            Inner products of queries and decoded vectors.
        places : ndarray of shape (n, k), int64
            Positions of the codes.
        """
        if self.ntotal <= len(Q) * self.n_candidates(k):
            # decoding all codes once costs no more than scoring the candidates of every query
            return super().search(Q, k)
        candidates = self._scan.search(self.project(Q), self.n_candidates(k))[1]
        scores, places = self.rescore(Q, candidates, k)
        # a fast scan never returns codes whose rounded score is 0, such as any code for a query of zeros
        incomplete = candidates[:, -1] < 0
        if incomplete.any():
            scores[incomplete], places[incomplete] = super().search(Q[incomplete], k)
        return scores, places

    def rescore(self, Q: Floats, candidates: RowNumbers, k: int) -> tuple[Floats, RowNumbers]:
        """Return the best k candidates of each query by their exact scores, best first.

        Parameters
        ----------
        Q : ndarray of shape (n, d), float32
            Queries.
        candidates : ndarray of shape (n, c), int64
            Positions of the candidates; −1 marks an empty place.
        k : int
            Results per query, at most c.

        Returns
        -------
        scores : ndarray of shape (n, k), float32
            Inner products of queries and decoded vectors; −inf at empty places.
        places : ndarray of shape (n, k), int64
            Positions of the codes; −1 at empty places.
        """
        scores = np.full((len(Q), k), -np.inf, np.float32)
        places = np.full((len(Q), k), -1, np.int64)
        for row, (q, here) in enumerate(zip(Q, candidates, strict=True)):
            here = here[here >= 0]
            if len(here):
                exact = self._scores(q, here)
                best = np.argsort(-exact, kind="stable")[:k]
                scores[row, : len(best)], places[row, : len(best)] = exact[best], here[best]
        return scores, places

    def _scores(self, q: Floats, places: RowNumbers) -> Floats:
        """Return the exact scores (m,) of the codes at `places` (m,)."""
        blocks = range(0, len(places), CODE_BLOCK_ROWS)
        return np.concatenate(
            [self._quantizer.scores(q, self._codes[places[start : start + CODE_BLOCK_ROWS]]) for start in blocks]
        )
