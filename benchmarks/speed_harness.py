"""Documents, timing and tables of the speed benchmarks."""

import ctypes
import gc
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from vecsmith.embeddings import normalize

Search = Callable[[Any, int], Any]
"""A function of queries (n, d) and k that returns row numbers (n, k), best first."""
FIT_ROWS, BLOCK_ROWS = 100_000, 50_000
WARM_ROWS = 20_000
"""Documents that are searched before memory is measured."""
FUSED = "fuse(minilm,static):fit,trellis48B"
NOISE = 0.5
"""Norm of the noise that is added to a unit vector."""
K, QUERIES, ROUNDS, SECONDS_PER_ROUND = 10, 256, 5, 0.3
PACKAGES = ("vecsmith", "faiss-cpu", "numpy", "numba", "usearch", "turbovec", "rabitqlib", "scann", "scalable-vs")
"""Packages whose versions a table names."""


def artificial(real: Any, rows: int, seed: int = 0, block: int = BLOCK_ROWS) -> Iterator[Any]:
    """Yield blocks (block, d) of artificial documents, `rows` in total: real unit vectors (n, d) with noise.

    The rows of the real vectors are the same for every seed, so that several models have the same documents; the noise
    differs.
    """
    chosen, noise = np.random.default_rng(0), np.random.default_rng([1, seed])
    for start in range(0, rows, block):
        vectors = real[chosen.integers(len(real), size=min(block, rows - start))]
        scale = np.float32(NOISE / vectors.shape[1] ** 0.5)
        yield normalize(vectors + scale * noise.standard_normal(vectors.shape, dtype=np.float32))


def unit_vectors(folder: Path, name: str) -> Any:
    """Return the vectors in `folder`/`name`.npy as float32 of unit length."""
    return normalize(np.load(folder / f"{name}.npy").astype(np.float32))


def load(folder: Path, rows: int) -> tuple[Any, Any]:
    """Return artificial documents (rows, d), read-only, and real queries."""
    real = unit_vectors(folder, "corpus")
    X = np.empty((rows, real.shape[1]), np.float32)
    for number, block in enumerate(artificial(real, rows)):
        X[number * BLOCK_ROWS :][: len(block)] = block
    X.flags.writeable = False
    return X, unit_vectors(folder, "queries")[:QUERIES]


def blocks_of(rows: Any) -> Iterator[Any]:
    """Yield an array (n, …) in blocks."""
    for start in range(0, len(rows), BLOCK_ROWS):
        yield rows[start : start + BLOCK_ROWS]


def exhaustive(Q: Any, blocks: Iterable[Any], k: int = K) -> Any:
    """Return the rows (n, k) of the largest inner products of queries with vectors that come in blocks."""
    best, start = faiss.ResultHeap(len(Q), k, keep_max=True), 0
    for block in blocks:
        scores, rows = faiss.knn(Q, block, k, metric=faiss.METRIC_INNER_PRODUCT)
        best.add_result(scores, rows + start)
        start += len(block)
    best.finalize()
    return best.I


def seconds_per_query(
    ways: Mapping[Any, Callable[[Any], Any]], rows: int, batch: int, rounds: int, limit: float
) -> Any:
    """Return the seconds per query of every method in every round; the methods take turns.

    Parameters
    ----------
    ways : mapping of callable
        Each answers a slice of `rows` queries.
    rows, batch, rounds : int
        Number of queries, of queries at a time, and of rounds.
    limit : float
        Seconds of a method in a round, unless one batch takes longer.
    """
    times: dict[Any, list[float]] = {name: [] for name in ways}
    for name, way in [*ways.items()] * rounds:
        way(slice(rows - 1, rows))  # its data is in the cache, as in use
        start, spent, done = time.perf_counter(), 0.0, 0
        while not done or ((done + 1) * batch <= rows and spent < limit):
            way(slice(done * batch, (done + 1) * batch))
            done, spent = done + 1, time.perf_counter() - start
        times[name].append(spent / (done * batch))
    return {name: np.array(each) for name, each in times.items()}


def queries_per_second(searches: Mapping[Any, tuple[Search, Any]], batch: int) -> dict[Any, float]:
    """Return the median queries per second of every pair of a search and its queries."""
    ways = {name: partial(_answer, *each) for name, each in searches.items()}
    times = seconds_per_query(ways, QUERIES, batch, ROUNDS, SECONDS_PER_ROUND)
    return {name: 1 / float(np.median(each)) for name, each in times.items()}


def _answer(search: Search, Q: Any, queries: slice) -> Any:
    return search(Q[queries], K)


def recall(found: Any, truth: Any) -> float:
    """Return the share of the true rows (n, k) that were found."""
    return float(np.mean([np.isin(a, b).mean() for a, b in zip(truth, found, strict=True)]))


def memory_bandwidth(rows: int) -> float:
    """Return bytes per second of reading memory, over an array larger than any cache."""
    words, seconds = np.ones(max(rows * 48, 1 << 29) // 8, np.int64), []
    for _ in range(5):
        start = time.perf_counter()
        words.max()
        seconds.append(time.perf_counter() - start)
    return float(words.nbytes / min(seconds))


def private_memory(process: int | str = "self") -> int:
    """Return the bytes of memory of a process (RssAnon), without pages of mapped files."""
    if process == "self":
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # freed memory goes back to the system
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0)


def page(name: str, text: str, columns: list[str], rows: list[list[str]]) -> str:
    """Return a page with a table and the versions."""
    installed = ", ".join(f"{each} {found}" for each in PACKAGES if (found := _version(each)))
    machine = f"{_processor()}, {faiss.get_compile_options().strip()}"
    lines = [f"# {name}", "", f"Made by `benchmarks/speed.py {name}`: {text}; {installed}; {machine}.", ""]
    lines += [f"| {' | '.join(columns)} |", "|---" + "|---:" * (len(columns) - 1) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows), ""])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    """Return the name of the processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
