"""Compiled loops that decode trellis codes and score candidates, used where numba is installed (extra ``fast``).

They give the same values as the NumPy loops of `vecsmith.codecs.quantizers.trellis`.
"""

import numpy as np
from numpy.typing import NDArray

from vecsmith.array_types import Codes, Floats, RowNumbers
from vecsmith.codecs._compiled import compiled, prefetch
from vecsmith.codecs.quantizers.early_termination import next_count

BLOCK_CODES = 64
"""Codes that are scored at a time, so that a table stays in the CPU cache."""
SMALLEST = np.finfo(np.float32).tiny

compiled_next_count = compiled(next_count)


@compiled
def reproduce(
    codes: Codes,
    ends: NDArray[np.int64],
    values: NDArray[np.int64],
    numbers: NDArray[np.int64],
    tables: Floats,
    gains: Floats,
    result: Floats,
) -> None:
    """Write the values of bit streams to `result`.

    Parameters
    ----------
    codes : ndarray of shape (n, bytes), uint8
        Bit streams.
    ends, values : ndarray of shape (steps,), int64
        Number of bits up to the end of each step, and number of values of each step.
    numbers : ndarray of shape (d,), int64
        Row of the table of each value.
    tables : ndarray of shape (m, S), float32
        Values at each state, whose bits are in reverse order, as in the bytes of the stream. All tables together fit in
        the first-level cache.
    gains : ndarray of shape (d,), float32
        Factor of each value.
    result : ndarray of shape (n, d), float32
        Result.
    """
    for row in range(len(codes)):
        first = 0
        for step in range(len(ends)):
            byte, shift = ends[step] >> 3, ends[step] & 7
            before = np.int64(codes[row, byte - 1]) if byte > 0 else 0
            after = np.int64(codes[row, byte]) if shift > 0 else 0
            state = (before >> shift | after << (8 - shift)) & 255
            for value in range(first, first + values[step]):
                result[row, value] = tables[numbers[value], state] * gains[value]
            first += values[step]


@compiled
def rescore(
    codes: Codes,
    ends: NDArray[np.int64],
    values: NDArray[np.int64],
    numbers: NDArray[np.int64],
    tables: Floats,
    gains: Floats,
    mean: Floats,
    Z: Floats,
    candidates: RowNumbers,
    estimates: Floats,
    scores: Floats,
    places: RowNumbers,
) -> None:
    """Write the best candidates of every query to `scores` and `places`, as `early_termination.rescore`.

    Parameters
    ----------
    codes, ends, values, numbers, tables, gains
        As in `reproduce`.
    mean : ndarray of shape (d + 1,), float32
        Mean of the vectors along the components, and its part orthogonal to them.
    Z : ndarray of shape (n, d + 1), float32
        Queries in the same basis.
    candidates : ndarray of shape (n, c), int64
        Positions of the candidates among the codes; −1 marks an empty place.
    estimates : ndarray of shape (n, c), float32
        Their estimated scores, best first.
    scores : ndarray of shape (n, k), float32
        Result: (⟨q, μ⟩ + ⟨q, v⟩) / √(‖μ‖² + ⟨2 μ + v, v⟩), where v are the values of a code; −inf at empty places.
    places : ndarray of shape (n, k), int64
        Result: positions of the codes; −1 at empty places.
    """
    n, k = scores.shape
    streams = np.zeros((codes.shape[1] + 1, BLOCK_CODES), np.uint16)
    products, norms = np.empty(BLOCK_CODES, np.float32), np.empty(BLOCK_CODES, np.float32)
    exact = np.empty(candidates.shape[1], np.float32)
    norm_of_mean = (mean * mean).sum()
    scores[:], places[:] = -np.inf, -1
    for query in range(n):
        n_candidates = np.count_nonzero(candidates[query] >= 0)
        q, found, estimated = Z[query], candidates[query, :n_candidates], estimates[query, :n_candidates]
        along_mean, scored = (q * mean).sum(), 0
        while True:
            count = compiled_next_count(exact, estimated, scored, k, scores[query, k - 1])
            if count == scored:
                break
            for start in range(scored, count, BLOCK_CODES):
                stop = min(start + BLOCK_CODES, count)
                _read_streams(codes, found[start:stop], streams)
                products[:], norms[:] = along_mean, norm_of_mean
                _add_values(streams, ends, values, numbers, tables, gains, q, mean, products, norms)
                for row in range(stop - start):
                    exact[start + row] = products[row] / np.sqrt(max(norms[row], SMALLEST))
                    if exact[start + row] > scores[query, k - 1]:
                        _insert(exact[start + row], found[start + row], scores[query], places[query])
            scored = count


@compiled
def _insert(score: float, place: int, scores: Floats, places: RowNumbers) -> None:
    """Insert a result in the list of the best, behind those of the same score; the last one drops out."""
    rank = len(scores) - 1
    while rank > 0 and scores[rank - 1] < score:
        scores[rank], places[rank] = scores[rank - 1], places[rank - 1]
        rank -= 1
    scores[rank], places[rank] = score, place


@compiled
def _read_streams(codes: Codes, rows: RowNumbers, streams: NDArray[np.uint16]) -> None:
    """Write each pair of adjacent bytes of the bit streams to `streams` (bytes + 1, m); a stream is between zeros."""
    n_bytes = codes.shape[1]
    for row in rows:  # all at once, because each is likely to be in another page of memory
        prefetch(codes, row * n_bytes)
        prefetch(codes, (row + 1) * n_bytes - 1)
    for column in range(len(rows)):
        code, before = codes[rows[column]], np.uint16(0)
        for byte in range(n_bytes):
            after = np.uint16(code[byte])
            streams[byte, column] = before | after << np.uint16(8)
            before = after
        streams[n_bytes, column] = before


@compiled
def _add_values(
    streams: NDArray[np.uint16],
    ends: NDArray[np.int64],
    values: NDArray[np.int64],
    numbers: NDArray[np.int64],
    tables: Floats,
    gains: Floats,
    q: Floats,
    along: Floats,
    scores: Floats,
    norms: Floats,
) -> None:
    """Add ⟨q, v⟩ to the scores and ⟨2 · along + v, v⟩ to the squared norms (m,) of bit streams."""
    states, found = np.empty(BLOCK_CODES, np.uint8), np.empty(BLOCK_CODES, np.float32)
    first = 0
    for step in range(len(ends)):
        pairs, shift = streams[ends[step] >> 3], np.uint16(ends[step] & 7)
        for row in range(BLOCK_CODES):
            states[row] = np.uint8(pairs[row] >> shift)
        for value in range(first, first + values[step]):
            table, gain = tables[numbers[value]], gains[value]
            weight, twice, square = q[value] * gain, np.float32(2) * along[value] * gain, gain * gain
            # lookups in a loop of their own: the compiler vectorizes the other loop
            for row in range(BLOCK_CODES):
                found[row] = table[states[row]]
            for row in range(BLOCK_CODES):
                x = found[row]
                scores[row] += weight * x
                norms[row] += (twice + square * x) * x
        first += values[step]
