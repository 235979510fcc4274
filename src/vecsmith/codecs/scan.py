"""Flat indexes of codes: FAISS's fast scan, and a search that decodes the codes block by block."""

from collections.abc import Callable
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from vecsmith.array_types import Codes, Floats, RowNumbers

REFINE_FACTOR = 4
"""Candidates per result that a fast scan passes to exact rescoring."""
FAST_SCAN_BLOCK = 64
"""Codes that a fast scan scores at a time; with FAISS's default of 32, a scan takes a fifth longer."""
MAX_GROUPS = 256
"""Maximum groups of four bits whose rounded scores FAISS's fast scan always adds without overflow."""
SEARCH_BLOCK_ROWS = 4096
"""Codes that a search decodes at a time: their vectors fit in the CPU cache."""


def refined_fast_scan(exact: Any) -> Any:
    """Return FAISS's 4-bit fast scan over the codes of the ``IndexPQ`` `exact`, rescored with `exact`.

    The fast scan rounds scores to 8-bit tables, so its best `REFINE_FACTOR` · k candidates are scored exactly.
    """
    index = faiss.IndexRefine(fast_scan(exact), exact)
    index.k_factor = REFINE_FACTOR
    return index


def fast_scan(exact: Any) -> Any:
    """Return FAISS's 4-bit fast scan over the codes of an ``IndexPQ``."""
    return faiss.IndexPQFastScan(exact, FAST_SCAN_BLOCK)


def without_overflow(Q: Floats, codebooks: Floats) -> Floats:
    """Return queries for which the sums of FAISS's fast scan do not overflow.

    FAISS rounds the scores of a group's entries to 8 bits, so that the scores of the group with the widest range are
    from 0 to 255, and adds the groups as integers of 16 bits. Codes of more than `MAX_GROUPS` groups may overflow, and
    are then lost, however high their scores. Here the group with the widest range is made wider, as far as needed. That
    changes the scores of the scan a little, so candidates must be scored with the original queries.

    Parameters
    ----------
    Q : ndarray of shape (n, G · v), float32
        Queries.
    codebooks : ndarray of shape (G, 16, v), float32
        Codebook entries of every group.
    """
    groups, _, width = codebooks.shape
    if groups <= MAX_GROUPS:
        return Q
    parts = Q.reshape(len(Q), groups, width).copy()
    for part in parts:  # one query at a time, because the scores of all entries take much more memory than a query
        ranges = np.ptp(np.einsum("gev,gv->ge", codebooks, part), axis=1)
        widest = ranges.argmax()
        others = ranges.sum() - ranges[widest]
        largest_sum = 2**16 - 1 - 255 - groups / 2  # of the others; rounding adds up to half to each group
        if others * 255 > ranges[widest] * largest_sum:
            part[widest] *= others * 255 / (ranges[widest] * largest_sum)
    return parts.reshape(Q.shape)


def attach_codes(index: Any, codes: NDArray[np.uint8]) -> Any:
    """Add codes (n, bytes) to an empty FAISS index that stores codes unchanged, and return the index.

    Read-only contiguous codes, such as those of a memory-mapped file, are not copied: FAISS reads them in place.
    """
    binary = isinstance(index, faiss.IndexBinaryFlat)
    if codes.flags.writeable or not codes.flags.c_contiguous:
        (index.add if binary else index.add_sa_codes)(np.ascontiguousarray(codes))
        return index
    view, start = index.xb if binary else index.codes, faiss.swig_ptr(codes)
    view.is_owned = False
    view.view_data = view.c_ptr = start
    view.view_size = view.c_size = codes.size
    index.ntotal, index.referenced_objects = len(codes), [codes]
    return index


class DecodedIndex:
    """A flat index of codes that FAISS cannot scan: it holds the codes, and a search decodes them block by block.

    Parameters
    ----------
    decode : callable
        Function that returns the vectors (n, d), float32, of codes (n, bytes_per_vector).
    codes : ndarray of shape (n, bytes_per_vector), uint8
        Codes; may be memory-mapped.
    d : int
        Dimensions of the decoded vectors and of the queries.
    """

    sketched = False
    """Whether short sketches of the codes find candidates, so that not all codes are decoded; see `SketchIndex`."""

    def __init__(self, decode: Callable[[Codes], Floats], codes: Codes, d: int) -> None:
        self._decode, self._codes = decode, codes
        self.d, self.ntotal = d, len(codes)

    def search(self, Q: Floats, k: int) -> tuple[Floats, RowNumbers]:
        """Return the best k codes of each query, as `search_decoded`."""
        return search_decoded(self._decode, self._codes, Q, k)

    def search_at(self, Q: Floats, places: RowNumbers, k: int) -> tuple[Floats, RowNumbers]:
        """Return the best k of the codes at `places` (m,) for each query, as `search_decoded`."""
        return search_decoded(self._decode, self._codes, Q, k, places)


def search_decoded(
    decode: Callable[[Codes], Floats], codes: Codes, Q: Floats, k: int, places: RowNumbers | None = None
) -> tuple[Floats, RowNumbers]:
    """Return the best k codes of each query by their inner products with the decoded vectors.

    At most `SEARCH_BLOCK_ROWS` codes are decoded at a time.

    Parameters
    ----------
    decode : callable
        Function that returns the vectors (n, d), float32, of codes (n, bytes_per_vector).
    codes : ndarray of shape (n, bytes_per_vector), uint8
        Codes; may be memory-mapped.
    Q : ndarray of shape (q, d), float32
        Queries.
    k : int
        Results per query, at most the number of codes that are searched.
    places : ndarray of shape (m,), int64, optional
        Positions of the codes to search; all codes by default.

    Returns
    -------
    scores : ndarray of shape (q, k), float32
        Inner products, best first.
    places : ndarray of shape (q, k), int64
        Positions of the codes.
    """
    count = len(codes) if places is None else len(places)
    best = faiss.ResultHeap(len(Q), k, keep_max=True)
    for start in range(0, count, SEARCH_BLOCK_ROWS):
        block = slice(start, start + SEARCH_BLOCK_ROWS)
        decoded = decode(codes[block if places is None else places[block]])
        scores, found = faiss.knn(Q, decoded, min(k, len(decoded)), metric=faiss.METRIC_INNER_PRODUCT)
        best.add_result(scores, found + start)
    best.finalize()
    return best.D, best.I if places is None else places[best.I]
