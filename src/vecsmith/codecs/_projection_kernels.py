"""Compiled product of a few vectors and a matrix, which is used where numba is installed (extra ``fast``)."""

from vecsmith.array_types import Floats
from vecsmith.codecs._compiled import compiled


@compiled
def multiply(Q: Floats, B: Floats, result: Floats) -> None:
    """Write QB to `result`, for vectors `Q` (n, d) and a matrix `B` (d, k).

    The matrix is read once per vector, in order. BLAS would copy it first, which takes longer than the product.
    """
    n, d = Q.shape
    whole = d // 4 * 4
    for i in range(n):
        row = result[i]
        row[:] = 0
        for j in range(0, whole, 4):  # four rows at a time, so that the result is read and written less often
            a, b, c, e = Q[i, j], Q[i, j + 1], Q[i, j + 2], Q[i, j + 3]
            for o in range(len(row)):
                row[o] += a * B[j, o] + b * B[j + 1, o] + c * B[j + 2, o] + e * B[j + 3, o]
        for j in range(whole, d):
            for o in range(len(row)):
                row[o] += Q[i, j] * B[j, o]
