"""Search of codes that FAISS cannot scan: a scan of short sketches, then exact scores of the candidates."""

from typing import Any, Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

from vecsmith.codecs.quantizers.hybrid import Hybrid
from vecsmith.codecs.quantizers.nibbles import product_index
from vecsmith.codecs.stages import BLOCK_ROWS, Codes, Floats
from vecsmith.progress import track

CANDIDATES, CANDIDATES_PER_RESULT = 320, 8
"""Candidates that are scored exactly: the larger of the first number and so many per result. On HotpotQA-2k (MiniLM,
trellis48B, sketches of 24 bytes) 300 candidates hold 99.5 % of the ten best documents, 200 hold 98.9 %."""
EXHAUSTIVE_ROWS = 2048
"""Number of codes up to which all are scored exactly, which takes milliseconds."""
TRAINING_ROWS = 20_000
"""Decoded vectors on which sketches are fitted."""


class ScoredQuantizer(Protocol):
    """A quantizer that scores codes exactly without an index."""

    input_dimensions_: int

    def decode(self, codes: Codes) -> Floats:
        """Return the decoded vectors (n, d)."""

    def scores(self, q: Floats, codes: Codes) -> Floats:
        """Return the inner products (n,) of a query (d,) with the decoded codes."""


class SketchIndex:
    """An index of codes that holds the codes and a sketch of each, and no floats.

    A sketch is a `Hybrid` code of the decoded vector. FAISS's 4-bit fast scan ranks the sketches, and the best
    candidates are scored exactly from the codes. So the scores are exact, and few of the best documents are missed.

    Parameters
    ----------
    quantizer : ScoredQuantizer
        The fitted quantizer.
    codes : ndarray of shape (n, bytes_per_vector), uint8
        Its codes; may be memory-mapped.
    size : int
        Bytes per sketch.
    """

    def __init__(self, quantizer: ScoredQuantizer, codes: Codes, size: int) -> None:
        self._quantizer, self._codes, self._size = quantizer, codes, size
        self.d, self.ntotal = quantizer.input_dimensions_, len(codes)
        if self.ntotal > EXHAUSTIVE_ROWS:
            self._sketch, self._scan = self._sketches()

    def _sketches(self) -> tuple[Hybrid, Any]:
        """Return the fitted sketch quantizer, and FAISS's fast scan of all sketches."""
        n = self.ntotal
        sample = np.sort(np.random.default_rng(0).permutation(n)[:TRAINING_ROWS])
        sketch = Hybrid(self._size).fit(self._quantizer.decode(self._codes[sample]))
        codes = np.empty((n, self._size), np.uint8)
        starts = range(0, n, BLOCK_ROWS)
        for start in track(starts, f"{n} sketches for the scan", len(starts)):
            block = slice(start, start + BLOCK_ROWS)
            codes[block] = sketch.encode(self._quantizer.decode(self._codes[block]))
        codes.flags.writeable = False  # so that FAISS reads them in place until they are laid out for the fast scan
        return sketch, faiss.IndexPQFastScan(product_index(codes, sketch.codebooks))

    def search(self, Q: Floats, k: int) -> tuple[Floats, NDArray[np.int64]]:
        """Return the scores (n, k), float32, and positions (n, k), int64, of the best codes for queries (n, d)."""
        if self.ntotal <= EXHAUSTIVE_ROWS:
            return self._search_all(Q, k)
        n_candidates = min(max(CANDIDATES, CANDIDATES_PER_RESULT * k), self.ntotal)
        places = self._scan.search(np.ascontiguousarray(self._sketch.project_queries(Q)[0]), n_candidates)[1]
        scores = np.empty((len(Q), k), np.float32)
        best = np.empty((len(Q), k), np.int64)
        for number, (q, candidates) in enumerate(zip(Q, places, strict=True)):
            if candidates[-1] < 0:  # a fast scan leaves out documents whose rounded score is 0
                scores[number], best[number] = (line[0] for line in self._search_all(q[None], k))
                continue
            exact = self._quantizer.scores(q, self._codes[candidates])
            order = np.argsort(-exact, kind="stable")[:k]
            scores[number], best[number] = exact[order], candidates[order]
        return scores, best

    def _search_all(self, Q: Floats, k: int) -> tuple[Floats, NDArray[np.int64]]:
        """Score all codes, a block at a time."""
        heap = faiss.ResultHeap(len(Q), k, keep_max=True)
        for start in range(0, self.ntotal, BLOCK_ROWS):
            block = self._codes[start : start + BLOCK_ROWS]
            exact = np.stack([self._quantizer.scores(q, block) for q in Q])
            positions = np.argsort(-exact, axis=1, kind="stable")[:, :k]
            heap.add_result(np.take_along_axis(exact, positions, axis=1), positions + start)
        heap.finalize()
        return heap.D, heap.I
