"""Scan of 4-bit codes by table lookups, which ranks codes approximately: vecsmith's compiled scan, or FAISS's."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import faiss
import numpy as np

from vecsmith.array_types import Codes, Floats, RowNumbers
from vecsmith.codecs.compiled_modules import compiled_module
from vecsmith.codecs.quantizers.nibbles import codebooks_of
from vecsmith.codecs.scan import fast_scan

QUERIES_PER_BATCH = 16
"""Queries that scan the codes together, in one thread."""


class Scan(Protocol):
    """What `CompiledScan` and FAISS's ``IndexPQFastScan`` have in common."""

    def search(self, Q: Floats, k: int) -> tuple[Floats, RowNumbers]:
        """Return rounded scores (n, k) and positions (n, k) of the best k codes of each query, best first.

        A position of −1 marks an empty place.
        """


class CompiledScan:
    """Scan of 4-bit codes by a function that numba compiles.

    Scores are rounded to integers of 16 bits, as by FAISS's fast scan, which takes longer.

    Parameters
    ----------
    index : faiss.IndexPQ
        Codes and codebooks of groups of four bits.
    kernels : module
        `vecsmith.codecs._nibble_scan_kernels`.
    """

    def __init__(self, index: Any, kernels: Any) -> None:
        self._kernels, self.ntotal = kernels, index.ntotal
        codes = faiss.rev_swig_ptr(index.codes.data(), index.ntotal * index.code_size).reshape(index.ntotal, -1)
        self._blocks = blocks_of(codes, kernels)
        self._codebooks = codebooks_of(index)

    def search(self, Q: Floats, k: int) -> tuple[Floats, RowNumbers]:
        """Return rounded scores (n, k) and positions (n, k) of the best k codes of each query, best first.

        Parameters
        ----------
        Q : ndarray of shape (n, d), float32
            Queries in the space of the codebooks.
        k : int
            Candidates per query, at most the number of codes.
        """
        estimates, candidates = np.empty((len(Q), k), np.float32), np.empty((len(Q), k), np.int64)

        def fill(rows: slice) -> None:
            self._kernels.search(self._blocks, self.ntotal, self._codebooks, Q[rows], estimates[rows], candidates[rows])

        in_batches(fill, len(Q))
        return estimates, candidates


def in_batches(fill: Callable[[slice], None], n: int, size: int = QUERIES_PER_BATCH) -> None:
    """Call a function for the rows of each batch of n queries, in as many threads as FAISS uses."""
    batches = [slice(start, start + size) for start in range(0, n, size)]
    n_threads = min(faiss.omp_get_max_threads(), len(batches))
    if n_threads > 1:
        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(fill, batches))
    else:
        for rows in batches:
            fill(rows)


def blocks_of(codes: Codes, kernels: Any) -> Codes:
    """Return codes (n, bytes) in blocks (⌈n / 64⌉, bytes', 64), where bytes' is a multiple of the bytes per step.

    Codes beyond n are not initialized.
    """
    n_bytes, size = codes.shape[1], kernels.BLOCK
    n_whole, rest = divmod(len(codes), size)
    # not np.zeros, whose memory is not in huge pages
    blocks = np.empty((n_whole + (rest > 0), n_bytes + -n_bytes % kernels.BYTES_PER_STEP, size), np.uint8)
    blocks[:n_whole, :n_bytes] = codes[: n_whole * size].reshape(n_whole, size, n_bytes).transpose(0, 2, 1)
    blocks[:, n_bytes:] = 0
    if rest:
        blocks[-1, :n_bytes, :rest] = codes[n_whole * size :].T
    return blocks


def nibble_scan(index: Any) -> Scan:
    """Return a scan of the codes of a FAISS ``IndexPQ`` of four bits per group."""
    kernels = compiled_module(f"{__package__}._nibble_scan_kernels")
    if kernels is None:
        scan: Scan = fast_scan(index)
        return scan
    return CompiledScan(index, kernels)
