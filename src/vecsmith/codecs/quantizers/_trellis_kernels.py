"""Compiled loops of trellis codes, which are used where numba is installed (extra ``fast``).

They give the same codes as the NumPy loops of `vecsmith.codecs.quantizers.trellis_coding`. A compiled loop keeps the
costs of one vector in the CPU cache, where NumPy passes over arrays of many vectors.

The number of states is a constant here, so that the compiler unrolls the loops.
"""

import numpy as np
from numpy.typing import NDArray

from vecsmith.array_types import Codes, Floats, RowNumbers
from vecsmith.codecs._compiled import compiled, prefetch
from vecsmith.codecs.quantizers.early_termination import next_count
from vecsmith.codecs.quantizers.trellis_coding import STATE_BITS, STATES

BLOCK_CODES = 64
"""Codes that are scored at a time, so that a table stays in the CPU cache."""
BLOCK_VECTORS = 8
"""Vectors whose bit streams are searched at a time, so that a step's tables are read once for all of them."""
SMALLEST = np.finfo(np.float32).tiny

compiled_next_count = compiled(next_count)


@compiled
def viterbi(
    Z: Floats, bits: NDArray[np.int64], values: NDArray[np.int64], factors: Floats, states: NDArray[np.uint8]
) -> None:
    """Write the states of the bit streams of least cost to `states`.

    Parameters
    ----------
    Z : ndarray of shape (n, d), float32
        Values to code.
    bits, values : ndarray of shape (steps,), int64
        Number of bits k and of values v of each step.
    factors : ndarray of shape (steps + d, S), float32
        For each step 1 + v rows f of S states, which give the cost f₀ + Σ f_i z_i of a state. Column b · S / 2ᵏ + o
        belongs to the state o · 2ᵏ + b.
    states : ndarray of shape (n, steps), uint8
        Result: the state after each step.
    """
    n_steps = len(bits)
    costs = np.empty((BLOCK_VECTORS, STATES), np.float32)
    added, after = np.empty_like(costs), np.empty_like(costs)
    choices = np.zeros((n_steps, BLOCK_VECTORS, STATES), np.uint8)
    for start in range(0, len(Z), BLOCK_VECTORS):
        block = Z[start : start + BLOCK_VECTORS]
        costs[:] = np.inf
        costs[:, 0] = 0
        first, factor = 0, 0
        for step in range(n_steps):
            k, v = bits[step], values[step]
            table, z = factors[factor : factor + 1 + v], block[:, first : first + v]
            if k > 2:
                _state_costs(table, z, added)
                _add_best(costs, added, k, choices[step])
                for _ in range(k):
                    _interleave(added, after)
                    added, after = after, added
                added, after = after, added
            else:
                # the last product is added in the loop over predecessors, which saves a pass
                partial = table[:1]
                if v > 1:
                    _state_costs(table[:v], z[:, : v - 1], added)
                    partial = added
                if k == 1:
                    _advance_by_one_bit(costs, partial, table[v], z[:, v - 1], choices[step], after)
                else:
                    _advance_by_two_bits(costs, partial, table[v], z[:, v - 1], choices[step], after)
            costs, after = after, costs
            first, factor = first + v, factor + 1 + v
        for row in range(len(block)):
            state = np.argmin(costs[row])
            for step in range(n_steps - 1, -1, -1):
                states[start + row, step] = state
                lower = state >> bits[step]
                state = lower + (np.int64(choices[step, row, lower]) << (STATE_BITS - bits[step]))


@compiled
def _state_costs(factors: Floats, z: Floats, added: Floats) -> None:
    """Write the cost f₀ + Σ f_i z_i of every state in a step, for each vector of a block."""
    for row in range(len(z)):
        x = z[row, 0]
        for o in range(STATES):
            added[row, o] = factors[0, o] + factors[1, o] * x
        for value in range(1, z.shape[1]):
            x = z[row, value]
            for o in range(STATES):
                added[row, o] += factors[1 + value, o] * x


@compiled
def _advance_by_one_bit(
    costs: Floats, partial: Floats, factor: Floats, z: Floats, choices: NDArray[np.uint8], after: Floats
) -> None:
    """Add the last product f · z to the partial costs of all states, then do `_add_best` and `_interleave` in one loop.

    `partial` (1, S) are costs of all vectors, or (m, S) those of each vector.
    """
    n = STATES // 2
    for row in range(len(z)):
        cost, x = partial[min(row, len(partial) - 1)], z[row]
        for o in range(n):
            low, high = costs[row, o], costs[row, o + n]
            choices[row, o] = np.uint8(high < low)
            least = min(low, high)
            after[row, 2 * o] = cost[o] + factor[o] * x + least
            after[row, 2 * o + 1] = cost[o + n] + factor[o + n] * x + least


@compiled
def _advance_by_two_bits(
    costs: Floats, partial: Floats, factor: Floats, z: Floats, choices: NDArray[np.uint8], after: Floats
) -> None:
    """Do the same for steps of two bits."""
    n = STATES // 4
    for row in range(len(z)):
        cost, x = partial[min(row, len(partial) - 1)], z[row]
        for o in range(n):
            choice, least = np.uint8(costs[row, o + n] < costs[row, o]), min(costs[row, o], costs[row, o + n])
            choice, least = np.uint8(2) if costs[row, o + 2 * n] < least else choice, min(least, costs[row, o + 2 * n])
            choice, least = np.uint8(3) if costs[row, o + 3 * n] < least else choice, min(least, costs[row, o + 3 * n])
            choices[row, o] = choice
            after[row, 4 * o] = cost[o] + factor[o] * x + least
            after[row, 4 * o + 1] = cost[o + n] + factor[o + n] * x + least
            after[row, 4 * o + 2] = cost[o + 2 * n] + factor[o + 2 * n] * x + least
            after[row, 4 * o + 3] = cost[o + 3 * n] + factor[o + 3 * n] * x + least


@compiled
def _add_best(costs: Floats, added: Floats, k: int, choices: NDArray[np.uint8]) -> None:
    """Add the cost of the best of 2ᵏ predecessors to each group of states, and write its highest k bits."""
    n, best = STATES >> k, np.empty(STATES, np.float32)
    for row in range(BLOCK_VECTORS):
        for o in range(n):
            choices[row, o] = np.uint8(costs[row, n + o] < costs[row, o])
            best[o] = min(costs[row, o], costs[row, n + o])
        for highest in range(2, 1 << k):
            for o in range(n):
                cost = costs[row, highest * n + o]
                choices[row, o] = np.uint8(highest) if cost < best[o] else choices[row, o]
                best[o] = min(cost, best[o])
        for first in range(0, STATES, n):
            for o in range(n):
                added[row, first + o] += best[o]


@compiled
def _interleave(array: Floats, result: Floats) -> None:
    """Interleave the two halves of each row, which moves the highest bit of every index to the lowest place."""
    half = STATES // 2
    for row in range(BLOCK_VECTORS):
        for o in range(half):
            result[row, 2 * o] = array[row, o]
            result[row, 2 * o + 1] = array[row, half + o]


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
