"""Linear maps of queries, computed without NumPy's BLAS.

After a product, the threads of NumPy's BLAS keep spinning and compete with those of FAISS: with two threads, a scan
right after a NumPy product took 2.5 times as long.
"""

from collections.abc import Callable
from typing import Any

import faiss
import numpy as np

from vecsmith.array_types import Floats
from vecsmith.codecs.compiled_modules import compiled_module

MAX_COMPILED_ROWS = 2
"""Maximum number of queries that the compiled loop multiplies; more are multiplied faster together, by BLAS."""


def transform(A: Floats) -> Any:
    """Return a FAISS ``LinearTransform`` that maps vectors x (n, d) to xAᵀ (n, k), for `A` (k, d)."""
    linear = faiss.LinearTransform(A.shape[1], A.shape[0], False)
    faiss.copy_array_to_vector(np.ascontiguousarray(A).ravel(), linear.A)
    linear.is_trained = True
    return linear


def matrix_of(project: Callable[[Floats], Floats], d: int) -> Floats | None:
    """Return the matrix A (k, d) of a linear function q ↦ qAᵀ of queries (n, d), or None if it is not linear."""
    A = project(np.eye(d, dtype=np.float32)).T
    Q = np.random.default_rng(0).standard_normal((8, d)).astype(np.float32)
    linear = np.allclose(project(Q), Q @ A.T, atol=1e-3 * np.abs(A).max(initial=0) * np.sqrt(d))
    return np.ascontiguousarray(A, dtype=np.float32) if linear else None


def projection(project: Callable[[Floats], Floats], d: int) -> Callable[[Floats], Floats]:
    """Return a linear function of queries (n, d) as a `linear_map`; other functions are returned unchanged.

    So are diagonal matrices, with up to two more rows: a dense product would take d times as long.
    """
    A = matrix_of(project, d)
    return project if A is None or np.count_nonzero(A) <= 3 * d else linear_map(A)


def linear_map(A: Floats) -> Callable[[Floats], Floats]:
    """Return the function q ↦ qAᵀ of queries (n, d), for `A` (k, d): FAISS's, or for a few queries a compiled loop."""
    k, d = A.shape
    # FAISS stores Aᵀ (d, k), so that the loop, which reads it by rows, needs no copy
    by_faiss, kernels = transform(A.T), compiled_module(f"{__package__}._projection_kernels")
    transposed = faiss.rev_swig_ptr(by_faiss.A.data(), d * k).reshape(d, k)

    def multiply(Q: Floats) -> Floats:
        result = np.empty((len(Q), k), np.float32)
        if kernels is not None and len(Q) <= MAX_COMPILED_ROWS:
            kernels.multiply(Q, transposed, result)
        else:
            by_faiss.transform_transpose(len(Q), faiss.swig_ptr(Q), faiss.swig_ptr(result))
        return result

    return lambda Q: multiply(np.ascontiguousarray(Q, np.float32))
