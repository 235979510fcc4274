"""FAISS indexes that scan codes."""

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

REFINE_FACTOR = 4
"""Candidates per result that a fast scan passes to exact rescoring."""


def refined_fast_scan(exact: Any) -> Any:
    """Return FAISS's 4-bit fast scan over the codes of the ``IndexPQ`` `exact`, rescored with `exact`.

    The fast scan rounds scores to 8-bit tables, so its best `REFINE_FACTOR` · k candidates are scored exactly.
    """
    index = faiss.IndexRefine(faiss.IndexPQFastScan(exact), exact)
    index.k_factor = REFINE_FACTOR
    return index


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
