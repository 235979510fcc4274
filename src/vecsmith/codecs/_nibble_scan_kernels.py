"""Compiled scan of 4-bit codes, which is used where numba is installed (extra ``fast``) and the CPU can shuffle bytes.

The scan follows Quicker ADC (André, Kermarrec and Le Scouarnec 2019), as FAISS's fast scan does: the 16 table entries
of a group fit in a register, and one byte shuffle looks up the entries of many codes. It differs in the candidates: a
histogram of the scores gives the exact threshold after every code, so no candidates are kept that are no longer among
the best.
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic
from numpy.typing import NDArray

from vecsmith.array_types import Codes, Floats, RowNumbers
from vecsmith.codecs._compiled import compiled

BLOCK = 64
"""Codes per block: the number of bits of a mask."""
GROUPS_PER_STEP = 4
"""Groups of four bits whose table entries are added as 8-bit integers, before sums of 16 bits."""
BYTES_PER_STEP = GROUPS_PER_STEP // 2
"""Bytes of these groups in a code."""
MAX_STEP_SUM = 255
"""Maximum sum of the table entries of a step, which must not overflow."""
CHUNK_BYTES = 1 << 18
"""Bytes of codes that all queries scan before the next ones: they stay in the second-level cache."""


class Shuffle(NamedTuple):
    """An instruction that looks up bytes in a register.

    Attributes
    ----------
    intrinsic : str
        Name in LLVM.
    width : int
        Bytes of a register.
    needs_mask : bool
        Whether the high four bits of a place must be 0. They need not be where the register is one table of 64 bytes,
        which is then four times the same 16 bytes.
    """

    intrinsic: str
    width: int
    needs_mask: bool = True


SHUFFLES = {
    "+avx512vbmi": Shuffle("llvm.x86.avx512.permvar.qi.512", 64, needs_mask=False),
    "+avx512bw": Shuffle("llvm.x86.avx512.pshuf.b.512", 64),
    "+avx2": Shuffle("llvm.x86.avx2.pshuf.b", 32),
    "+ssse3": Shuffle("llvm.x86.ssse3.pshuf.b.128", 16),
}
"""Byte shuffles by feature of the CPU, fastest first."""

byte, word, number, index = (ir.IntType(bits) for bits in (8, 16, 64, 32))


def fastest_shuffle() -> Shuffle | None:
    """Return the fastest byte shuffle of the CPU for which numba compiles, or None."""
    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    return next((known for feature, known in SHUFFLES.items() if feature in features.split(",")), None)


@intrinsic  # type: ignore[untyped-decorator]
def score_block(typing: Any, codes: Any, first: Any, n_bytes: Any, table: Any, threshold: Any, scores: Any) -> Any:
    """Score the 64 codes of a block, and return the mask of those whose score reaches the threshold.

    Parameters
    ----------
    codes : ndarray, uint8
        Blocks (n_blocks, n_bytes, 64).
    first : int
        Position of the block's first byte.
    n_bytes : int
        Bytes per code.
    table : ndarray of shape (2 · n_bytes, 16), uint8
        Table entries of every group of four bits, the low bits of a byte first.
    threshold : uint16
        Threshold.
    scores : ndarray of shape (64,), uint16
        Result: the sums of the table entries; unchanged if no score reaches the threshold.

    Returns
    -------
    uint64
        Mask.
    """
    signature = types.uint64(codes, types.intp, types.intp, table, types.uint16, scores)
    return signature, _generate_score_block


def _generate_score_block(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Write the LLVM code of `score_block`. Its vectors are of one block; LLVM splits them into registers."""
    bytes_, words, half = ir.VectorType(byte, BLOCK), ir.VectorType(word, BLOCK), ir.VectorType(word, BLOCK // 2)
    codes, table, scores = (
        builder.bitcast(context.make_array(signature.args[i])(context, builder, arguments[i]).data, byte.as_pointer())
        for i in (0, 3, 5)
    )
    _, first, n_bytes, _, threshold, _ = arguments
    # sums of the even codes and, times 256, of the odd codes; and sums of the odd codes alone
    both, odd = (cgutils.alloca_once_value(builder, ir.Constant(half, [0] * (BLOCK // 2))) for _ in range(2))
    with cgutils.for_range(builder, builder.udiv(n_bytes, number(BYTES_PER_STEP))) as loop:
        sums = ir.Constant(bytes_, [0] * BLOCK)
        for i in range(BYTES_PER_STEP):
            place = builder.add(builder.mul(loop.index, number(BYTES_PER_STEP)), number(i))
            start = builder.gep(codes, [builder.add(first, builder.mul(place, number(BLOCK)))])
            pair = builder.load(builder.bitcast(start, bytes_.as_pointer()), align=1)
            high = builder.bitcast(builder.lshr(builder.bitcast(pair, half), _constant(half, 4)), bytes_)
            for j, nibbles in enumerate((pair, high)):
                entries = builder.gep(table, [builder.add(builder.mul(place, number(32)), number(16 * j))])
                sums = builder.add(sums, _look_up(builder, entries, nibbles))
        wide = builder.bitcast(sums, half)
        builder.store(builder.add(builder.load(both), wide), both)
        builder.store(builder.add(builder.load(odd), builder.lshr(wide, _constant(half, 8))), odd)
    odd_sums = builder.load(odd)
    even_sums = builder.sub(builder.load(both), builder.shl(odd_sums, _constant(half, 8)))
    total = _select(builder, even_sums, odd_sums, [code // 2 + BLOCK // 2 * (code % 2) for code in range(BLOCK)])
    single = builder.insert_element(ir.Constant(words, ir.Undefined), threshold, index(0))
    least = _select(builder, single, single, [0] * BLOCK)
    mask = builder.bitcast(builder.icmp_unsigned(">=", total, least), number)
    with builder.if_then(builder.icmp_unsigned("!=", mask, number(0)), likely=False):
        builder.store(total, builder.bitcast(scores, words.as_pointer()), align=2)
    return mask


def _look_up(builder: Any, table: Any, codes: Any) -> Any:
    """Return the entries of a table of 16 bytes at the low four bits of each code."""
    shuffle = fastest_shuffle()
    assert shuffle is not None
    width, register = shuffle.width, ir.VectorType(byte, shuffle.width)
    kind = ir.FunctionType(register, [register, register])
    function = cgutils.get_or_insert_function(builder.module, kind, shuffle.intrinsic)
    entries = builder.load(builder.bitcast(table, ir.VectorType(byte, 16).as_pointer()), align=1)
    repeated = _select(builder, entries, entries, [i % 16 for i in range(width)])
    places = builder.and_(codes, _constant(codes.type, 15)) if shuffle.needs_mask else codes
    parts = [
        builder.call(function, [repeated, _select(builder, places, places, list(range(start, start + width)))])
        for start in range(0, BLOCK, width)
    ]
    while len(parts) > 1:
        count = 2 * parts[0].type.count
        pairs = zip(parts[::2], parts[1::2], strict=True)
        parts = [_select(builder, low, high, list(range(count))) for low, high in pairs]
    return parts[0]


def _select(builder: Any, a: Any, b: Any, places: list[int]) -> Any:
    """Return the elements at constant places of the concatenation of two vectors."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(index, len(places)), places))


def _constant(vector: Any, value: int) -> Any:
    return ir.Constant(vector, [value] * vector.count)


@intrinsic  # type: ignore[untyped-decorator]
def lowest_bit(typing: Any, mask: Any) -> Any:
    """Return the place of the lowest bit of a mask that is not zero."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return types.int64(types.uint64), generate


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
    scores = np.empty(BLOCK, np.uint16)
    for row in range(n):
        _quantize_table(codebooks, Q[row], tables[row], scales[row])
    chunk = max(1, CHUNK_BYTES // (BLOCK * n_bytes))
    for start in range(0, n_blocks, chunk):
        stop = min(start + chunk, n_blocks)
        for row in range(n):
            found = histograms[row], places[row], values[row], state[row]
            _scan(blocks, start, stop, n_codes, tables[row], scores, c, *found)
    for row in range(n):
        threshold, _, count = state[row]
        _sort(places[row, :count], values[row, :count], threshold, histograms[row], candidates[row], estimates[row])
        estimates[row] = scales[row, 0] + scales[row, 1] * estimates[row]


@compiled
def _quantize_table(codebooks: Floats, q: Floats, table: Codes, scale: Floats) -> None:
    """Write the scores of all entries, rounded to integers, to `table`; a sum s of them stands for scale₀ + scale₁ s.

    The entries of a group count from its lowest. The unit is the smallest for which no step exceeds `MAX_STEP_SUM`.
    """
    n_groups, n_entries, width = codebooks.shape
    exact, lowest = np.empty((n_groups, n_entries), np.float32), np.empty(n_groups, np.float32)
    widest, total = np.float32(0), np.float32(0)
    for group in range(n_groups):
        low, high = np.float32(np.inf), np.float32(-np.inf)
        for entry in range(n_entries):
            score = np.float32(0)
            for slot in range(width):
                score += codebooks[group, entry, slot] * q[group * width + slot]
            exact[group, entry], low, high = score, min(low, score), max(high, score)
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
def _scan(
    blocks: Codes,
    start: int,
    stop: int,
    n_codes: int,
    table: Codes,
    scores: NDArray[np.uint16],
    c: int,
    histogram: NDArray[np.int32],
    places: RowNumbers,
    values: NDArray[np.uint16],
    state: NDArray[np.int64],
) -> None:
    """Scan the blocks from `start` to `stop`, and update the candidates of a query.

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
            place, value = block * BLOCK + code, np.int64(scores[code])
            if value < threshold or place >= n_codes:
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
def _sort(
    places: RowNumbers,
    values: NDArray[np.uint16],
    threshold: int,
    histogram: NDArray[np.int32],
    candidates: RowNumbers,
    estimates: Floats,
) -> None:
    """Write the places and values of the c highest values, highest first, by counting; overwrites the histogram."""
    c, before = len(candidates), 0
    for value in range(len(histogram) - 1, max(threshold - 1, 0) - 1, -1):
        equal = histogram[value]
        histogram[value] = before
        before += equal
    for i in range(len(places)):
        value = values[i]
        if value >= threshold - 1 and histogram[value] < c:
            candidates[histogram[value]], estimates[histogram[value]] = places[i], value
            histogram[value] += 1
