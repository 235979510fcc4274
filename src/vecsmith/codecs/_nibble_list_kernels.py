"""Compiled scan of inverted lists of 4-bit codes; see `vecsmith.codecs._nibble_scan_kernels`.

numba does not notice changes of that file. After one, delete the functions that it stored for this file.
"""

import numpy as np

from vecsmith.array_types import Codes, Floats, RowMask, RowNumbers
from vecsmith.codecs._compiled import compiled
from vecsmith.codecs._nibble_intrinsics import BLOCK, BYTES_PER_STEP
from vecsmith.codecs._nibble_scan_kernels import (
    MAX_BYTES,
    MAX_STEP_SUM,
    multiply_entries,
    quantize_table,
    scan_blocks,
    sort_candidates,
)

__all__ = ["BLOCK", "BYTES_PER_STEP", "MAX_BYTES", "search"]


@compiled
def search(
    blocks: Codes,
    first_blocks: RowNumbers,
    ends: RowNumbers,
    members: RowNumbers,
    codebooks: Floats,
    Q: Floats,
    numbers: RowNumbers,
    allowed: RowMask,
    scores: Floats,
    candidates: RowNumbers,
    is_exact: bool,
) -> None:
    """Write the documents with the highest rounded scores in some inverted lists to `candidates`, and their scores.

    Parameters
    ----------
    blocks : ndarray of shape (n_blocks, n_bytes, 64), uint8
        Codes as in `vecsmith.codecs._nibble_scan_kernels.search`. Each list begins with a block of its own.
    first_blocks : ndarray of shape (n_lists + 1,), int64
        First block of each list, and the number of blocks.
    ends : ndarray of shape (n_lists + 1,), int64
        Where the members of each list start, and the last one ends.
    members : ndarray of shape (m,), int64
        Documents, sorted by list.
    codebooks : ndarray of shape (G, 16, v), float32
        Codebook entries of every group of four bits.
    Q : ndarray of shape (n, G · v), float32
        Queries.
    numbers : ndarray of shape (n, probes), int64
        Lists of each query.
    allowed : ndarray of shape (s,), bool
        Whether each member of the lists may be a candidate, list after list. A mask is for one query; without members,
        all documents may be candidates.
    scores : ndarray of shape (n, c), float32
        Result: scores, −inf at empty places. Rounded scores are best first.
    candidates : ndarray of shape (n, c), int64
        Result: documents; −1 at empty places.
    is_exact : bool
        Whether the scores of the candidates are computed exactly.
    """
    n, c = candidates.shape
    n_bytes, probes = blocks.shape[1], numbers.shape[1]
    products = np.empty(codebooks.shape[:2], np.float32)
    table, scale = np.empty((2 * n_bytes, 16), np.uint8), np.empty(2, np.float32)
    histogram = np.empty(MAX_STEP_SUM * n_bytes // BYTES_PER_STEP + 2, np.int32)
    places, values = np.empty(4 * c + BLOCK, np.int64), np.empty(4 * c + BLOCK, np.uint16)
    state, sums, starts = np.empty(3, np.int64), np.empty(BLOCK, np.uint16), np.empty(probes, np.int64)
    scores[:], candidates[:] = -np.inf, -1
    for row in range(n):
        multiply_entries(codebooks, Q[row], products)
        quantize_table(products, table, scale)
        histogram[:], state[:] = 0, 0
        scanned = 0
        for probe in range(probes):
            number = numbers[row, probe]
            first, stop = first_blocks[number], first_blocks[number + 1]
            starts[probe] = scanned
            shift = first * BLOCK - scanned
            scanned += ends[number + 1] - ends[number]
            scan_blocks(blocks, first, stop, shift, scanned, allowed, table, sums, c, histogram, places, values, state)
        count = state[2]
        sort_candidates(places[:count], values[:count], state[0], histogram, candidates[row], scores[row])
        for i in range(min(c, count)):
            place = candidates[row, i]
            probe = np.searchsorted(starts, place, side="right") - 1
            number, local = numbers[row, probe], place - starts[probe]
            candidates[row, i] = members[ends[number] + local]
            if is_exact:
                block = blocks[first_blocks[number] + local // BLOCK]
                scores[row, i] = _exact_score(block, local % BLOCK, products)
            else:
                scores[row, i] = scale[0] + scale[1] * scores[row, i]


@compiled
def _exact_score(block: Codes, code: int, products: Floats) -> np.float32:
    """Return the sum of the products (G, 16) of a query with the entries of a code in a block (bytes, 64)."""
    low, high = np.float32(0), np.float32(0)  # two sums, because an addition waits for the one before it
    for byte in range(len(products) // 2):
        value = block[byte, code]
        low += products[2 * byte, value & 15]
        high += products[2 * byte + 1, value >> 4]
    return low + high
