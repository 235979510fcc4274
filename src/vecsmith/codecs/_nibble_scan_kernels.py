"""Compiled scan of 4-bit codes, which is used where numba is installed (extra ``fast``) and the CPU can shuffle bytes.

The scan follows Quicker ADC (André, Kermarrec and Le Scouarnec 2019), as FAISS's fast scan does: the 16 table entries
of a group fit in a register, and one byte shuffle looks up the entries of many codes. It differs in the candidates: a
histogram of the scores gives the exact threshold after every code, so no candidates are kept that are no longer among
the best.
"""

import numpy as np
from numpy.typing import NDArray

from vecsmith.array_types import Codes, Floats, RowMask, RowNumbers
from vecsmith.codecs._compiled import compiled
from vecsmith.codecs._nibble_intrinsics import (
    BLOCK,
    BYTES_PER_STEP,
    GROUPS_PER_STEP,
    fastest_shuffle,
    lowest_bit,
    score_block,
)

if fastest_shuffle() is None:
    raise ImportError("The CPU cannot shuffle bytes.")

MAX_STEP_SUM = 255
"""Maximum sum of the table entries of a step, which must not overflow."""
MAX_BYTES = (2**16 - 2) // MAX_STEP_SUM * BYTES_PER_STEP
"""Maximum bytes of a code, whose sum of all steps must be below the largest integer of 16 bits."""
ALL = np.empty(0, np.bool_)
"""A mask without members, which allows all codes."""
CHUNK_BYTES = 1 << 18
"""Bytes of codes that all queries scan before the next ones: they stay in the second-level cache."""


@compiled
def search(
    blocks: Codes, n_codes: int, codebooks: Floats, Q: Floats, estimates: Floats, candidates: RowNumbers
) -> None:
    """Write the codes of the highest scores to `estimates` and `candidates`.

    Parameters
    ----------
    blocks : ndarray of shape (n_blocks, n_bytes, 64), uint8
        Codes in blocks of 64, with a multiple of `BYTES_PER_STEP` bytes; the last block may have more than codes.
    n_codes : int
        Number of codes, at least c.
    codebooks : ndarray of shape (G, 16, v), float32
        Codebook entries of every group of four bits, the low bits of a byte first; there may be more bytes than groups.
    Q : ndarray of shape (n, G · v), float32
        Queries.
    estimates : ndarray of shape (n, c), float32
        Result: scores, rounded, best first.
    candidates : ndarray of shape (n, c), int64
        Result: positions of the codes; of equal scores, the lowest positions first.
    """
    n, c = candidates.shape
    n_blocks, n_bytes, _ = blocks.shape
    tables, scales = np.empty((n, 2 * n_bytes, 16), np.uint8), np.empty((n, 2), np.float32)
    histograms = np.zeros((n, MAX_STEP_SUM * n_bytes // BYTES_PER_STEP + 2), np.int32)
    places, values = np.empty((n, 4 * c + BLOCK), np.int64), np.empty((n, 4 * c + BLOCK), np.uint16)
    state = np.zeros((n, 3), np.int64)
    products, scores = np.empty(codebooks.shape[:2], np.float32), np.empty(BLOCK, np.uint16)
    for row in range(n):
        multiply_entries(codebooks, Q[row], products)
        quantize_table(products, tables[row], scales[row])
    chunk = max(1, CHUNK_BYTES // (BLOCK * n_bytes))
    for start in range(0, n_blocks, chunk):
        stop = min(start + chunk, n_blocks)
        for row in range(n):
            found = histograms[row], places[row], values[row], state[row]
            scan_blocks(blocks, start, stop, 0, n_codes, ALL, tables[row], scores, c, *found)
    for row in range(n):
        threshold, _, count = state[row]
        sort_candidates(
            places[row, :count], values[row, :count], threshold, histograms[row], candidates[row], estimates[row]
        )
        estimates[row] = scales[row, 0] + scales[row, 1] * estimates[row]


@compiled
def multiply_entries(codebooks: Floats, q: Floats, products: Floats) -> None:
    """Write the inner products of a query (G · v,) with all codebook entries (G, 16, v) to `products` (G, 16)."""
    n_groups, n_entries, width = codebooks.shape
    for group in range(n_groups):
        for entry in range(n_entries):
            product = np.float32(0)
            for slot in range(width):
                product += codebooks[group, entry, slot] * q[group * width + slot]
            products[group, entry] = product


@compiled
def quantize_table(exact: Floats, table: Codes, scale: Floats) -> None:
    """Write products of a query with all entries (G, 16), rounded, to `table`; a sum s stands for scale₀ + scale₁ s.

    The entries of a group count from its lowest. The unit is the smallest for which no step exceeds `MAX_STEP_SUM`.
    """
    n_groups, n_entries = exact.shape
    lowest = np.empty(n_groups, np.float32)
    widest, total = np.float32(0), np.float32(0)
    for group in range(n_groups):
        low, high = exact[group].min(), exact[group].max()
        lowest[group] = low
        total = high - low if group % GROUPS_PER_STEP == 0 else total + high - low
        widest = max(widest, total)
    # rounding may add half a unit to each entry
    unit = widest / np.float32(MAX_STEP_SUM - GROUPS_PER_STEP // 2)
    scale[0], scale[1] = 0, unit
    table[:] = 0
    for group in range(n_groups):
        scale[0] += lowest[group]
        for entry in range(n_entries):
            if exact[group, entry] > lowest[group]:
                table[group, entry] = np.uint8((exact[group, entry] - lowest[group]) / unit + np.float32(0.5))


@compiled
def scan_blocks(
    blocks: Codes,
    start: int,
    stop: int,
    shift: int,
    n_codes: int,
    allowed: RowMask,
    table: Codes,
    scores: NDArray[np.uint16],
    c: int,
    histogram: NDArray[np.int32],
    places: RowNumbers,
    values: NDArray[np.uint16],
    state: NDArray[np.int64],
) -> None:
    """Scan the blocks from `start` to `stop`, and update the candidates of a query.

    The place of a code is its position in the blocks minus `shift`. Places from `n_codes` on are not used, nor those
    that are not allowed; an empty `allowed` allows all.

    `state` has the threshold, the number of candidates that reach it, always less than c, and the number of all in
    `places` and `values`. At least c codes reach the threshold minus 1, except at the start, when the threshold is 0.
    """
    n_bytes = blocks.shape[1]
    threshold, reached, count = state
    for block in range(start, stop):
        mask = score_block(blocks, block * n_bytes * BLOCK, n_bytes, table, np.uint16(threshold), scores)
        if mask == 0:
            continue
        while mask != 0:
            code = lowest_bit(mask)
            mask &= mask - np.uint64(1)
            place, value = block * BLOCK + code - shift, np.int64(scores[code])
            if value < threshold or place >= n_codes or (len(allowed) and not allowed[place]):
                continue
            places[count], values[count] = place, value
            count, reached = count + 1, reached + 1
            histogram[value] += 1
            while reached >= c:
                reached -= histogram[threshold]
                threshold += 1
        if count + BLOCK > len(places):
            kept = 0
            for i in range(count):
                if values[i] >= threshold - 1:
                    places[kept], values[kept] = places[i], values[i]
                    kept += 1
            count = kept
    state[0], state[1], state[2] = threshold, reached, count


@compiled
def sort_candidates(
    places: RowNumbers,
    values: NDArray[np.uint16],
    threshold: np.int64,
    histogram: NDArray[np.int32],
    candidates: RowNumbers,
    estimates: Floats,
) -> None:
    """Write the places and values of the c highest values, highest first, by counting; overwrites the histogram."""
    c, before = len(candidates), 0
    for value in range(len(histogram) - 1, -1, -1):
        if value < threshold - 1:
            break
        equal = histogram[value]
        histogram[value] = before
        before += equal
    for i in range(len(places)):
        value = values[i]
        if value >= threshold - 1 and histogram[value] < c:
            candidates[histogram[value]], estimates[histogram[value]] = places[i], value
            histogram[value] += 1
