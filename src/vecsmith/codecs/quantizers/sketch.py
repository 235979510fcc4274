"""Search of codes that FAISS cannot scan: a fast scan of short sketches, then exact scores of the candidates."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from vecsmith.array_types import Codes, Floats, RowNumbers
from vecsmith.codecs.nibble_scan import Scan, nibble_scan
from vecsmith.codecs.projection import linear_map
from vecsmith.codecs.quantizers.hybrid import Hybrid
from vecsmith.codecs.quantizers.nibbles import product_index
from vecsmith.codecs.quantizers.sketch_cache import cache_file, read_sketches, write_sketches
from vecsmith.codecs.scan import DecodedIndex
from vecsmith.codecs.stages import for_each_block
from vecsmith.embeddings import sample_rows

MAX_CANDIDATES = 1024
"""Maximum number of candidates of a query, in sets of up to a million codes."""
CODES_PER_CANDIDATE = 1024
"""Codes per candidate in larger sets, in which more sketches score nearly as high as those of the results."""
CANDIDATES_PER_RESULT = 8
"""Candidates per result, if that is more."""
CANDIDATES_PER_QUERY = 400
"""Expected number of candidates that are scored exactly. With more queries, decoding all codes takes less time."""
TRAINING_ROWS = 20_000
"""Maximum number of decoded vectors that a sketch is fitted on."""
MIN_CACHED_ROWS = 100_000
"""Minimum number of codes whose sketches are cached; fewer are computed in less than a second."""


class ScoredQuantizer(Protocol):
    """A quantizer of principal components that scores codes exactly without decoding them.

    Queries are given in the basis of `coordinates`, as `project_queries` returns them.
    """

    spec: str

    def coordinates(self, codes: Codes) -> Floats:
        """Return the decoded vectors (n, e) in an orthonormal basis of the space that they span."""

    def rescore(
        self, Z: Floats, codes: Codes, candidates: RowNumbers, estimates: Floats, k: int
    ) -> tuple[Floats, RowNumbers]:
        """Return the exact scores (n, k) and positions (n, k) of the best candidates of queries (n, e).

        `codes` (m, bytes_per_vector) are all codes; `early_termination.rescore` describes the other parameters.
        """


class SketchIndex(DecodedIndex):
    """An index that holds codes and a sketch of each code, and no floats.

    A sketch is a `Hybrid` code of the decoded vector. A scan (see `nibble_scan`) ranks the sketches, and the best
    candidates are scored from the codes, until the remaining candidates are unlikely to be among the results (see
    `early_termination`). Scores are therefore exact, but a few of the best documents may be missed.

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
        codes = np.asarray(codes).view()
        codes.flags.writeable = False  # as codes in a mapped file are, so that loops are compiled for one kind of array
        super().__init__(quantizer.coordinates, codes, quantizer.coordinates(codes[:1]).shape[1])
        self._quantizer, self._size = quantizer, size
        self._cache: Path | None = None

    def use_cache(self, content_hash: str) -> None:
        """Keep the sketches in the cache, and read them from it. The hash identifies the codes and their codec."""
        if self.ntotal >= MIN_CACHED_ROWS:
            self._cache = cache_file(content_hash, self._quantizer.spec, self._size)

    @cached_property
    def _sketch(self) -> Hybrid:
        """The sketch quantizer, which `product_index` sets too."""
        return self._sketches()[0]

    def _sketches(self) -> tuple[Hybrid, Codes]:
        """Return the sketch quantizer, fitted on a sample of the decoded vectors, and the sketches (n, size)."""
        coordinates = self._quantizer.coordinates
        if self._cache:
            cached = read_sketches(self._cache, self.ntotal, self._size, self.d)
            if cached:
                return cached
        sketch = Hybrid(self._size).fit(coordinates(self._codes[sample_rows(self.ntotal, TRAINING_ROWS, 0)]))
        codes = np.empty((self.ntotal, self._size), np.uint8)

        def fill(block: slice) -> None:
            codes[block] = sketch.encode(coordinates(self._codes[block]))

        for_each_block(fill, self.ntotal, f"{self.ntotal} sketches of codes")
        if self._cache:
            write_sketches(self._cache, sketch, codes)
        return sketch, codes

    def product_index(self) -> Any:
        """Return a FAISS ``IndexPQ`` of the sketches."""
        sketch, codes = self._sketches()
        self._sketch = sketch
        codes.flags.writeable = False  # FAISS then reads the codes in place
        return product_index(codes, sketch.codebooks)

    @cached_property
    def _scan(self) -> Scan:
        """A fast scan of the sketches."""
        return nibble_scan(self.product_index())

    @cached_property
    def project(self) -> Callable[[Floats], Floats]:
        """Function that projects queries (n, e) to the space of the sketches."""
        return linear_map(self._sketch.project_queries(np.eye(self.d, dtype=np.float32))[0].T)

    def n_candidates(self, k: int) -> int:
        """Return the maximum number of candidates for k results."""
        most = max(MAX_CANDIDATES, self.ntotal // CODES_PER_CANDIDATE, CANDIDATES_PER_RESULT * k)
        return min(most, self.ntotal)

    def search(self, Q: Floats, k: int) -> tuple[Floats, RowNumbers]:
        """Return the best k codes of each query, best first.

        Parameters
        ----------
        Q : ndarray of shape (n, e), float32
            Queries in the basis of the coordinates.
        k : int
            Results per query, at most the number of codes.

        Returns
        -------
        scores : ndarray of shape (n, k), float32
            Inner products of queries and decoded vectors.
        places : ndarray of shape (n, k), int64
            Positions of the codes.
        """
        if self.ntotal <= len(Q) * max(CANDIDATES_PER_QUERY, CANDIDATES_PER_RESULT * k):
            # decoding all codes once costs no more than scoring the candidates of every query
            return super().search(Q, k)
        scan = self._scan  # before `project`, because both need the sketch quantizer, and only this one the sketches
        estimates, candidates = scan.search(self.project(Q), self.n_candidates(k))
        scores, places = self.rescore(Q, candidates, estimates, k)
        # a fast scan never returns codes whose rounded score is 0, such as any code for a query of zeros
        incomplete = candidates[:, -1] < 0
        if incomplete.any():
            scores[incomplete], places[incomplete] = super().search(Q[incomplete], k)
        return scores, places

    def rescore(self, Q: Floats, candidates: RowNumbers, estimates: Floats, k: int) -> tuple[Floats, RowNumbers]:
        """Return the best k candidates of queries (n, e) by their exact scores, as `early_termination.rescore`."""
        return self._quantizer.rescore(Q, self._codes, candidates, estimates, k)
