"""Products with matrices where FAISS scans next: it multiplies itself.

The threads of NumPy's BLAS go on spinning after a product, in the way of FAISS's. With two threads, a scan that came
after such a product took 2.5 times as long.
"""

from collections.abc import Callable
from typing import Any

import faiss
import numpy as np

from vecsmith.codecs.stages import Floats


def transform(A: Floats) -> Any:
    """Return FAISS's map of vectors (n, d) to their products with the rows of A (k, d)."""
    made = faiss.LinearTransform(A.shape[1], A.shape[0], False)
    faiss.copy_array_to_vector(np.ascontiguousarray(A).ravel(), made.A)
    made.is_trained = True
    return made


def matrix_of(project: Callable[[Floats], Floats], d: int) -> Floats | None:
    """Return the A (k, d) of a function that multiplies queries (n, d) with Aᵀ; None if it does something else."""
    A = project(np.eye(d, dtype=np.float32)).T
    Q = np.random.default_rng(0).standard_normal((8, d)).astype(np.float32)
    linear = np.allclose(project(Q), Q @ A.T, atol=1e-3 * np.abs(A).max(initial=0) * np.sqrt(d))
    return np.ascontiguousarray(A, dtype=np.float32) if linear else None


def projection(project: Callable[[Floats], Floats], d: int) -> Callable[[Floats], Floats]:
    """Return a function of queries (n, d) as one that FAISS computes, where it is a product with a matrix.

    A diagonal, perhaps with a row or two more, is left to NumPy: as a product it would take d times as long.
    """
    A = matrix_of(project, d)
    if A is None or np.count_nonzero(A) <= 3 * d:
        return project
    made = transform(A)
    return lambda Q: np.asarray(made.apply(np.ascontiguousarray(Q)))
