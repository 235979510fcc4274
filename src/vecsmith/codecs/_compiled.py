"""Functions that numba compiles: their options, and an instruction that numba lacks.

numba compiles a function when it is first called, and stores the result beside its file or in the user's cache.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function; fused multiply-add is allowed, as in the matrix products of NumPy."""
    options = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract", "nnan", "nsz"}}
    return cast("Function", njit(**options)(function))


def first_byte(context: Any, builder: Any, array: Any, value: Any) -> Any:
    """Return the LLVM pointer to the first byte of an argument of an intrinsic, whose numba type is `array`."""
    return builder.bitcast(context.make_array(array)(context, builder, value).data, ir.IntType(8).as_pointer())


def repeated(builder: Any, value: Any, count: int) -> Any:
    """Return an LLVM vector of `count` copies of a value."""
    undefined = ir.Constant(ir.VectorType(value.type, count), ir.Undefined)
    first = builder.insert_element(undefined, value, ir.IntType(32)(0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(ir.IntType(32), count), [0] * count))


@intrinsic  # type: ignore[untyped-decorator]
def prefetch(typing: Any, array: Any, place: Any) -> Any:
    """Start to load the byte at `place` of a contiguous array into the CPU cache."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        data = first_byte(context, builder, array, arguments[0])
        kind = ir.FunctionType(ir.VoidType(), [pointer, flag, flag, flag])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch")
        builder.call(function, [builder.gep(data, [arguments[1]]), flag(0), flag(3), flag(1)])  # to read, near, data
        return context.get_dummy_value()

    return types.none(array, types.intp), generate
