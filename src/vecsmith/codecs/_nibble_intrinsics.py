"""Instructions that numba lacks, written as LLVM code: sums of table entries that byte shuffles look up.

numba does not notice changes of this file. After one, delete the functions that it stored for `_nibble_scan_kernels`.
"""

from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from vecsmith.codecs._compiled import first_byte, repeated

BLOCK = 64
"""Codes per block: the number of bits of a mask."""
GROUPS_PER_STEP = 4
"""Groups of four bits whose table entries are added as 8-bit integers, before sums of 16 bits."""
BYTES_PER_STEP = GROUPS_PER_STEP // 2
"""Bytes of these groups in a code."""


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
    codes, table, scores = (first_byte(context, builder, signature.args[i], arguments[i]) for i in (0, 3, 5))
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
    least = repeated(builder, threshold, BLOCK)
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
