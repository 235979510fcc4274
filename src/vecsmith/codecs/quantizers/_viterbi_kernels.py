"""Compiled Viterbi search of trellis codes, which is used where numba is installed (extra ``fast``).

It gives the same codes as the NumPy loops of `vecsmith.codecs.quantizers.trellis_coding`. Vectors are searched in
blocks, one vector in each lane of the CPU's vector instructions. So no instruction moves costs between lanes, and the
costs of a block stay in the first-level cache. A step is written as LLVM code, because numba does not store comparisons
as bits.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from vecsmith.array_types import Floats
from vecsmith.codecs._compiled import compiled, first_byte, repeated
from vecsmith.codecs.quantizers.trellis_coding import RATES, STATE_BITS, STATES

LANES = 16
"""Vectors per block."""
CACHE_LINE = 64
"""Bytes. The search takes a quarter more time where 16 costs are in two cache lines."""

Masks = NDArray[np.uint16]
"""One bit for each vector of a block."""


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
        For each step 1 + v rows f of S states, which give the cost f₀ + Σ f_i z_i of a state.
    states : ndarray of shape (n, steps), uint8
        Result: the state after each step.
    """
    n, d = Z.shape
    work = _aligned(2 * STATES + d)
    costs, after, block = work[:STATES], work[STATES : 2 * STATES], work[2 * STATES :]
    choices = np.empty((len(bits), STATES), np.uint16)
    for start in range(0, n, LANES):
        # the lanes after the last vector repeat it
        for lane in range(LANES):
            row = min(start + lane, n - 1)
            for value in range(d):
                block[value, lane] = Z[row, value]
        costs[:] = np.inf
        costs[0] = 0
        first, factor = 0, 0
        for step in range(len(bits)):
            k, v = bits[step], values[step]
            _advance(k, v, costs, factors[factor:], block[first:], choices[step], after)
            costs, after = after, costs
            first, factor = first + v, factor + 1 + v
        _trace_back(costs, bits, choices, states[start : start + LANES])


@compiled
def _aligned(rows: int) -> Floats:
    """Return an array (rows, LANES) that starts at a cache line."""
    size, item = rows * LANES, 4
    array = np.empty(size + CACHE_LINE // item, np.float32)
    start = -array.ctypes.data % CACHE_LINE // item
    return array[start : start + size].reshape(rows, LANES)


@compiled
def _trace_back(costs: Floats, bits: NDArray[np.int64], choices: Masks, states: NDArray[np.uint8]) -> None:
    """Write the states (m, steps) before the last state of least cost for each of the first m vectors of a block."""
    last = np.empty(LANES, np.int64)
    for lane in range(len(states)):
        last[lane] = np.argmin(costs[:, lane])
    for step in range(len(bits) - 1, -1, -1):
        k = bits[step]
        for lane in range(len(states)):
            states[lane, step] = last[lane]
            lower, highest = last[lane] >> k, np.int64(0)
            for bit in range(k):
                highest |= (np.int64(choices[step, bit * (STATES >> k) + lower]) >> lane & 1) << bit
            last[lane] = lower + (highest << (STATE_BITS - k))


@intrinsic  # type: ignore[untyped-decorator]
def _advance(typing: Any, k: Any, v: Any, costs: Any, factors: Any, block: Any, choices: Any, after: Any) -> Any:
    """Write the least cost of every state after a step, and the predecessors that give them.

    The predecessors of the state (o << k) | b, whatever its k newest bits b are: o, and the states that differ from it
    in the highest k bits.

    Parameters
    ----------
    k, v : int
        Number of bits and of values of the step, one of `RATES`.
    costs : ndarray of shape (S, LANES), float32
        Costs of the states before the step.
    factors : ndarray of shape (1 + v or more, S), float32
        Factors of the step.
    block : ndarray of shape (v or more, LANES), float32
        Values to code.
    choices : ndarray of shape (S,), uint16
        Result: for each of the k highest bits, lowest first, a mask for each o: whether the bit is set in the best
        predecessor.
    after : ndarray of shape (S, LANES), float32
        Result: costs of the states after the step.
    """
    return types.none(k, v, costs, factors, block, choices, after), _generate_step


def _generate_step(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Write the LLVM code of `_advance`: a branch for each rate."""
    k, v, *arrays = arguments
    pointers = [
        first_byte(context, builder, kind, array) for kind, array in zip(signature.args[2:], arrays, strict=True)
    ]
    for rate in RATES:
        is_rate = [builder.icmp_signed("==", given, given.type(own)) for given, own in zip((k, v), rate, strict=True)]
        with builder.if_then(builder.and_(*is_rate)):
            _generate_rate(builder, *rate, *pointers)
    return context.get_dummy_value()


def _generate_rate(
    builder: Any, k: int, v: int, costs: Any, factors: Any, block: Any, choices: Any, after: Any
) -> None:
    """Write the loop over the states with equal predecessors, for one rate."""
    number, mask, index = ir.FloatType(), ir.IntType(LANES), ir.IntType(64)
    lanes = ir.VectorType(number, LANES)
    multiply_add = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(lanes, [lanes] * 3), f"llvm.fmuladd.v{LANES}f32"
    )

    def place(array: Any, element: Any, kind: Any) -> Any:
        return builder.gep(builder.bitcast(array, kind.as_pointer()), [element])

    def load(array: Any, row: Any) -> Any:
        return builder.load(place(array, row, lanes), align=4)

    def factor(value: int, state: Any) -> Any:
        position = builder.add(state, index(value * STATES))
        return repeated(builder, builder.load(place(factors, position, number), align=4), LANES)

    values = [load(block, index(value)) for value in range(v)]
    groups = STATES >> k
    with cgutils.for_range(builder, index(groups)) as loop:
        best = [(load(costs, builder.add(loop.index, index(high * groups))), list[Any]()) for high in range(1 << k)]
        while len(best) > 1:
            best = [_better(builder, *pair) for pair in zip(best[::2], best[1::2], strict=True)]
        least, highest = best[0]
        for bit, is_set in enumerate(highest):
            position = builder.add(loop.index, index(bit * groups))
            builder.store(builder.bitcast(is_set, mask), place(choices, position, mask), align=2)
        for lower in range(1 << k):
            state = builder.add(builder.shl(loop.index, index(k)), index(lower))
            cost = factor(0, state)
            for value, z in enumerate(values, start=1):
                cost = builder.call(multiply_add, [factor(value, state), z, cost])
            builder.store(builder.fadd(cost, least), place(after, state, lanes), align=4)


def _better(builder: Any, a: tuple[Any, list[Any]], b: tuple[Any, list[Any]]) -> tuple[Any, list[Any]]:
    """Return the lower of two costs, the first one if they are equal, and the bits of its predecessor."""
    is_second = builder.fcmp_ordered("<", b[0], a[0])
    bits = [builder.select(is_second, second, first) for first, second in zip(a[1], b[1], strict=True)]
    return builder.select(is_second, b[0], a[0]), [*bits, is_second]
