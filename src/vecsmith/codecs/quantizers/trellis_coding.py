"""Trellis-coded quantization of white Gaussian vectors: tables, Viterbi search, bit streams and bit allocation.

The code of a vector is a bit stream. A *step* appends k bits to it and reproduces v values, which are read from a table
at the *state*: the last `STATE_BITS` bits of the stream. So a value depends on the bits of previous steps too, and the
Viterbi algorithm finds the stream of least squared error. At one bit per value the error is 0.29; the optimal scalar
quantizer has 0.36, and the rate-distortion bound is 0.25.

References
----------
Marcellin and Fischer 1990, Trellis coded quantization of memoryless and Gauss-Markov sources, IEEE Transactions on
Communications 38(1). Tseng et al. 2024, QTIP, https://arxiv.org/abs/2406.11235, for the state as a window of bits.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from vecsmith.array_types import Codes, Doubles, Floats
from vecsmith.codecs.compiled_modules import compiled_module

STATE_BITS = 8
STATES = 1 << STATE_BITS
TABLES = Path(__file__).with_name("trellis_tables.safetensors")
"""Tables from ``benchmarks/trellis_tables.py``: Lloyd's algorithm on white Gaussian noise, for each rate."""

Step = tuple[int, int]
"""Number of bits k and of values v."""
RATES: tuple[Step, ...] = ((4, 1), (3, 1), (2, 1), (1, 1), (1, 2), (1, 3), (1, 4))
"""All steps, by decreasing rate k/v."""

REVERSED_BYTES = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)), bitorder="little")
"""All bytes, with the order of their bits reversed."""
VITERBI_BLOCK_ROWS = 256
"""Vectors that the Viterbi search codes at a time, so that its arrays fit in the CPU cache."""


@cache
def tables() -> dict[Step, Floats]:
    """Return the table (v, `STATES`) of each step."""
    stored = load_file(TABLES)
    return {(k, v): stored[f"{k}/{v}"] for k, v in RATES}


@cache
def distortions() -> dict[Step, float]:
    """Return the mean squared error of each step on white Gaussian values of variance 1."""
    return dict(zip(RATES, load_file(TABLES)["distortions"].tolist(), strict=True))


def viterbi(
    Z: Floats, steps: Sequence[Step], weights: Floats, values: dict[Step, Floats] | None = None
) -> NDArray[np.uint8]:
    """Return the states of the bit streams whose values have the least weighted squared distance to `Z`.

    Parameters
    ----------
    Z : ndarray of shape (n, d)
        Values of variance 1; d is the number of values of all `steps`.
    steps : sequence of Step
        The steps in order. The stream before the first is zeros.
    weights : ndarray of shape (d,)
        Weights of the squared errors.
    values : dict of Step to ndarray of shape (v, `STATES`), optional
        Tables to use instead of `tables`.

    Returns
    -------
    ndarray of shape (n, len(steps)), uint8
        The state after each step.
    """
    factors = list(_cost_factors(steps, weights, values or tables()))
    states = np.empty((len(Z), len(steps)), np.uint8)
    kernels = compiled_module(f"{__package__}._viterbi_kernels")
    if kernels is not None:
        bits, counts = np.array(steps, np.int64).T.copy()
        kernels.viterbi(np.ascontiguousarray(Z), bits, counts, np.vstack(factors), states)
        return states
    for start in range(0, len(Z), VITERBI_BLOCK_ROWS):
        block = slice(start, start + VITERBI_BLOCK_ROWS)
        states[block] = _viterbi(Z[block], steps, factors)
    return states


def _cost_factors(steps: Sequence[Step], weights: Floats, values: dict[Step, Floats]) -> Iterator[Floats]:
    """Yield f (1 + v, `STATES`) of each step: ‖z − t‖² without z² is f₀ + Σ f_i z_i."""
    first = 0
    for k, v in steps:
        table, weight = values[k, v], weights[first : first + v, None]
        yield np.vstack([(weight * table**2).sum(axis=0), -2 * weight * table]).astype(np.float32)
        first += v


def _viterbi(Z: Floats, steps: Sequence[Step], factors: Sequence[Floats]) -> NDArray[np.uint8]:
    n, first = len(Z), 0
    cost = np.full((STATES, n), np.inf, np.float32)
    cost[0] = 0
    features = np.ones((1 + max(v for _, v in steps), n), np.float32)
    chosen = []
    for (k, v), f in zip(steps, factors, strict=True):
        # predecessors of the state (o << k) | bits: o, and the states that differ from it in the k highest bits
        before = cost.reshape(1 << k, -1, n)
        best, choice = before[0].copy(), np.zeros(before.shape[1:], np.uint8)
        for highest in range(1, 1 << k):
            # many times faster than assigning to choice[better]
            better = (before[highest] < best).view(np.uint8)
            np.maximum(choice, better * np.uint8(highest), out=choice)
            np.minimum(best, before[highest], out=best)
        features[1 : 1 + v] = Z[:, first : first + v].T
        np.matmul(f.T, features[: 1 + v], out=cost)
        after = cost.reshape(-1, 1 << k, n)
        after += best[:, None]
        chosen.append(choice)
        first += v
    return _trace_back(cost.argmin(axis=0), chosen, [k for k, _ in steps])


def _trace_back(last: NDArray[np.int64], chosen: Sequence[NDArray[np.uint8]], bits: Sequence[int]) -> NDArray[np.uint8]:
    states = np.empty((len(last), len(chosen)), np.uint8)
    everyone, state = np.arange(len(last)), last
    for step in range(len(chosen) - 1, -1, -1):
        states[:, step] = state
        lower = state >> bits[step]
        state = lower + (chosen[step][lower, everyone].astype(np.int64) << (STATE_BITS - bits[step]))
    return states


def reproduce(states: NDArray[np.uint8], steps: Sequence[Step]) -> Floats:
    """Return the values (n, d), of variance about 1, at the states (n, len(steps))."""
    numbers, starts = _columns(tuple(steps))
    return _all_tables().take(states.take(numbers, axis=1) + starts)


def all_values(steps: Sequence[Step]) -> Floats:
    """Return the value of every component at every state, (d, `STATES`)."""
    starts = _columns(tuple(steps))[1]
    return _all_tables().take(starts[:, None] + np.arange(STATES))


def table_numbers(steps: Sequence[Step]) -> NDArray[np.int64]:
    """Return the row of `reversed_tables` of each value, (d,)."""
    return _columns(tuple(steps))[1].astype(np.int64) // STATES


@cache
def reversed_tables() -> Floats:
    """Return the values of all tables, (rows, `STATES`), at states whose bits are in reverse order."""
    return _all_tables().reshape(-1, STATES).take(REVERSED_BYTES, axis=1)


@cache
def _all_tables() -> Floats:
    return np.concatenate([tables()[step].ravel() for step in RATES])


@cache
def _columns(steps: tuple[Step, ...]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the step number of each value (d,), and the offset of its table in `_all_tables`."""
    sizes = [v for _, v in RATES]
    first = dict(zip(RATES, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))
    places = [(number, first[step] + value) for number, step in enumerate(steps) for value in range(step[1])]
    numbers, starts = np.array(places).T
    return numbers, (STATES * starts).astype(np.int32)


def pack(states: NDArray[np.uint8], steps: Sequence[Step]) -> Codes:
    """Pack states (n, len(steps)) to bit streams (n, bytes): the k new bits of each step, highest bit first."""
    shifts = [(number, shift) for number, (k, _) in enumerate(steps) for shift in range(k - 1, -1, -1)]
    numbers, places = np.array(shifts).T
    return np.packbits(states[:, numbers] >> places.astype(np.uint8) & 1, axis=1, bitorder="little")


def unpack(codes: Codes, steps: Sequence[Step]) -> NDArray[np.uint8]:
    """Unpack bit streams (n, bytes) to states (n, len(steps))."""
    ends = np.cumsum([k for k, _ in steps])
    # the stream in big-endian bit order, after eight zeros: a state is eight consecutive bits, from two bytes
    stream = np.zeros((len(codes), codes.shape[1] + 2), np.uint16)
    stream[:, 1:-1] = REVERSED_BYTES.take(codes)
    pairs = stream[:, :-1] << 8 | stream[:, 1:]
    return (pairs.take(ends >> 3, axis=1) >> (8 - (ends & 7)).astype(np.uint16)).astype(np.uint8)


def allocate(variances: Doubles, bits: int) -> list[Step]:
    """Allocate bits to values of decreasing variance so that the sum of their squared errors is small.

    This is reverse water-filling over the rates in `RATES`: each value takes the rate that minimizes error + θ · bits,
    with the smallest θ that the number of bits allows. The few remaining bits are spent by `_spend`.

    Parameters
    ----------
    variances : ndarray of shape (d,)
        Decreasing variances.
    bits : int
        Number of bits, at most 4 d.

    Returns
    -------
    list of Step
        Steps for the first values, with exactly `bits` bits in total. The other values get no bits.
    """
    low, high = 1e-12 * variances[0], variances[0]
    steps: list[Step] = []
    for _ in range(60):
        theta = float(np.sqrt(low * high))
        tried = _steps_at(variances, theta)
        if sum(k for k, _ in tried) > bits:
            low = theta
        else:
            high, steps = theta, tried
    return _spend(steps, bits - sum(k for k, _ in steps), len(variances))


def _steps_at(variances: Doubles, theta: float) -> list[Step]:
    costs = np.stack([variances, *(variances * distortions()[k, v] + theta * k / v for k, v in RATES)])
    best, steps, first = costs.argmin(axis=0), [], 0
    while first < len(variances) and best[first] > 0:
        k, v = RATES[best[first] - 1]
        steps.append((k, v) if first + v <= len(variances) else (k, len(variances) - first))
        first += v
    return steps


def _spend(steps: list[Step], bits: int, d: int) -> list[Step]:
    """Spend remaining bits on values without bits, then on the steps with the fewest bits per value."""
    steps = list(steps)
    free = d - sum(v for _, v in steps)
    while bits and free:
        steps.append((1, min(RATES[-1][1], free)))
        free, bits = free - steps[-1][1], bits - 1
    for _ in range(bits):
        poorest = max(range(len(steps)), key=lambda number: (steps[number][1] / steps[number][0], -number))
        k, v = steps[poorest]
        steps[poorest : poorest + 1] = [(k + 1, 1)] if v == 1 else [(1, v - v // 2), (1, v // 2)]
    return steps
