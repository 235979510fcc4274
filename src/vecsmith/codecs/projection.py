"""Matrix products computed by FAISS, for queries that FAISS then searches.

After a product, the threads of NumPy's BLAS keep spinning and compete with those of FAISS: with two threads, a scan
right after a NumPy product took 2.5 times as long.
"""

from collections.abc import Callable
from typing import Any

import faiss
import numpy as np

from vecsmith.codecs.stages import Floats


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
    """Return a linear function of queries (n, d) as a FAISS transform; other functions are returned unchanged.

    So are diagonal matrices, with up to two more rows: a dense product would take d times as long.
    """
    A = matrix_of(project, d)
    if A is None or np.count_nonzero(A) <= 3 * d:
        return project
    linear = transform(A)
    return lambda Q: np.asarray(linear.apply(np.ascontiguousarray(Q)))
