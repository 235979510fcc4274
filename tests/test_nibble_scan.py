"""The compiled scan of 4-bit codes finds the codes of the highest scores, on every kind of CPU."""

import os
import subprocess
import sys
from types import ModuleType
from typing import Any

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from vecsmith.codecs import nibble_scan
from vecsmith.codecs.compiled_modules import compiled_module
from vecsmith.codecs.nibble_scan import CompiledScan
from vecsmith.codecs.quantizers.nibbles import product_index

Arrays = NDArray[Any]


@pytest.fixture(scope="module")
def kernels() -> ModuleType:
    module = compiled_module("vecsmith.codecs._nibble_scan_kernels")
    if module is None:
        pytest.skip("numba is not installed, or the CPU cannot shuffle bytes")
    return module


def make_index(n: int, n_bytes: int, width: int = 4) -> Any:
    rng = np.random.default_rng(n)
    codes = rng.integers(256, size=(n, n_bytes), dtype=np.uint8)
    codebooks = rng.standard_normal((2 * n_bytes, 16, width)) / np.arange(1, 2 * n_bytes + 1)[:, None, None]
    return product_index(codes, codebooks.astype(np.float32))


def exact_scores(index: Any, Q: Arrays) -> Arrays:
    decoded = index.sa_decode(faiss.vector_to_array(index.codes).reshape(index.ntotal, -1))
    return np.asarray(Q @ decoded.T)


def rounding_bound(index: Any, Q: Arrays, kernels: ModuleType) -> Arrays:
    """Return the maximum error (n,) of the scores of queries: half a unit for each group of four bits."""
    codebooks = faiss.vector_to_array(index.pq.centroids).reshape(index.pq.M, 16, -1)
    entries = np.einsum("gev,ngv->nge", codebooks, Q.reshape(len(Q), index.pq.M, -1))
    starts = np.arange(0, index.pq.M, kernels.GROUPS_PER_STEP)
    steps = np.add.reduceat(np.ptp(entries, axis=2), starts, axis=1)
    return np.asarray(steps.max(axis=1) / (kernels.MAX_STEP_SUM - kernels.GROUPS_PER_STEP // 2) * index.pq.M / 2)


@pytest.mark.parametrize(("n", "n_bytes", "k"), [(1, 2, 1), (63, 1, 63), (640, 20, 100), (5001, 17, 40), (9000, 7, 3)])
def test_scores_are_exact_but_for_rounding(n: int, n_bytes: int, k: int, kernels: ModuleType) -> None:
    index = make_index(n, n_bytes)
    Q = np.random.default_rng(1).standard_normal((33, index.d)).astype(np.float32)
    estimates, candidates = CompiledScan(index, kernels).search(Q, k)
    exact = exact_scores(index, Q)
    found, bound = np.take_along_axis(exact, candidates, axis=1), rounding_bound(index, Q, kernels)[:, None] + 1e-5
    assert (np.abs(estimates - found) <= bound).all()
    assert (found >= np.sort(exact, axis=1)[:, -k, None] - 2 * bound).all()
    assert (np.diff(estimates, axis=1) <= 0).all()
    assert all(len(set(row)) == k for row in candidates)


def test_candidates_have_the_highest_rounded_scores(kernels: ModuleType) -> None:
    index = make_index(5000, 12)
    scan = CompiledScan(index, kernels)
    Q = np.random.default_rng(2).standard_normal((20, index.d)).astype(np.float32)
    estimates, order = scan.search(Q, 5000)
    for k in (1, 10, 999):
        best, candidates = scan.search(Q, k)
        assert np.array_equal(candidates, order[:, :k])  # of equal scores, the lowest positions
        assert np.array_equal(best, estimates[:, :k])
    assert np.array_equal(np.sort(order), np.tile(np.arange(5000), (20, 1)))
    positions = np.lexsort((order, -estimates), axis=1)
    assert np.array_equal(positions, np.tile(np.arange(5000), (20, 1)))


def test_queries_of_zeros_and_rising_scores(kernels: ModuleType) -> None:
    index = make_index(3000, 8)
    estimates, candidates = CompiledScan(index, kernels).search(np.zeros((1, index.d), np.float32), 500)
    assert np.array_equal(candidates[0], np.arange(500))
    assert (estimates == 0).all()
    # every code is better than all before it, so that the list of candidates overflows again and again
    codes, codebooks = np.repeat(np.arange(16, dtype=np.uint8), 500)[:, None], np.zeros((2, 16, 1), np.float32)
    codebooks[0, :, 0] = np.arange(16)
    rising = CompiledScan(product_index(codes, codebooks), kernels)
    _, candidates = rising.search(np.array([[1, 0]], np.float32), 700)
    assert np.array_equal(candidates[0], [*range(7500, 8000), *range(7000, 7200)])


def test_threads_and_batches_give_the_same_candidates(kernels: ModuleType) -> None:
    index = make_index(4000, 16)
    scan = CompiledScan(index, kernels)
    Q = np.random.default_rng(3).standard_normal((70, index.d)).astype(np.float32)
    single = np.vstack([scan.search(q[None], 50)[1] for q in Q])
    threads = faiss.omp_get_max_threads()
    try:
        for count in (1, 4):
            faiss.omp_set_num_threads(count)
            assert np.array_equal(scan.search(Q, 50)[1], single)
    finally:
        faiss.omp_set_num_threads(threads)


def test_faiss_scans_where_the_kernel_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nibble_scan, "compiled_module", lambda name: None)
    index = make_index(1000, 8)
    Q = np.random.default_rng(4).standard_normal((5, index.d)).astype(np.float32)
    scan = nibble_scan.nibble_scan(index)
    assert isinstance(scan, faiss.IndexPQFastScan)
    kth = np.sort(exact_scores(index, Q))[:, -10, None]
    found = np.take_along_axis(exact_scores(index, Q), scan.search(Q, 10)[1], axis=1)
    assert (found >= kth - 0.1 * np.abs(kth)).all()


CANDIDATES = """
import sys; sys.path.insert(0, "tests")
import numpy as np
from test_nibble_scan import make_index
from vecsmith.codecs.nibble_scan import nibble_scan
index = make_index(2000, 10)
scan = nibble_scan(index)
Q = np.random.default_rng(5).standard_normal((3, index.d)).astype(np.float32)
print(type(scan).__name__, scan.search(Q, 20)[1].tolist())
"""


@pytest.mark.slow
def test_every_kind_of_cpu_finds_the_same_candidates(kernels: ModuleType) -> None:
    """numba compiles for the given features; the CPU of the test must have them."""

    def candidates(features: str) -> str:
        settings = {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": features, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", CANDIDATES]
        return subprocess.run(command, env=os.environ | settings, capture_output=True, check=True).stdout.decode()

    from vecsmith.codecs._nibble_intrinsics import SHUFFLES

    every = [feature for feature in SHUFFLES if feature[1:] in _features()]
    found = [candidates(feature) for feature in every]
    assert len(set(found)) == 1
    assert found[0].startswith("CompiledScan")
    assert candidates("+sse2").startswith("IndexPQFastScan")


def _features() -> set[str]:
    from llvmlite.binding import get_host_cpu_features

    return {name for name, present in get_host_cpu_features().items() if present}
