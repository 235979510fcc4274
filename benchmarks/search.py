"""Recall and speed of exact and approximate search: vecsmith and its alternatives in one run.

    python benchmarks/search.py --vectors FOLDER [--rows 1000000] [--threads 1] [--graphs] [--only REGEX] [--out FILE]

writes benchmarks/results/search.md. FOLDER has corpus.npy and queries.npy, real vectors of one model. The documents
are rows of the corpus with added noise, at unit length, so that any number can be generated; they are in memory once,
as float32. Each codec and index is fitted on 100,000 of them. The queries are the real ones. Recall@10 is the share
of the ten best documents by float vectors that are among the ten results. Speeds are medians over rounds in which all
methods take turns, so that other load on the machine affects all of them alike; ratios are to the exact float scan of
the same run. Beyond 2,000,000 documents, methods that hold a copy of a byte per dimension or more are left out.
"""

import argparse
import os
import platform
import re
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

os.environ.setdefault("OMP_NUM_THREADS", "1")

import faiss
import numpy as np
from search_ways import Search, VecsmithMethods, Way, exact, rivals
from threadpoolctl import threadpool_limits

from vecsmith.embeddings import normalize

T = TypeVar("T")
NOISE = 0.5
"""Norm of the noise that is added to a unit vector."""
K, QUERIES, ROUNDS, SECONDS = 10, 256, 7, 2.0
MAX_COPIED_ROWS = 2_000_000
"""Number of documents beyond which methods that copy them are left out."""


def generate(real: Any, rows: int) -> Any:
    """Return `rows` read-only unit vectors: real vectors (n, d) with noise."""
    rng, made = np.random.default_rng(0), np.empty((rows, real.shape[1]), np.float32)
    for start in range(0, rows, 50_000):
        chosen = real[rng.integers(len(real), size=min(50_000, rows - start))]
        noise = rng.standard_normal(chosen.shape, dtype=np.float32) * np.float32(NOISE / chosen.shape[1] ** 0.5)
        made[start : start + len(chosen)] = normalize(chosen + noise)
    made.flags.writeable = False
    return made


def bandwidth(rows: int) -> float:
    """Return the bytes per second of reading an array from memory that is larger than any cache."""
    words = np.ones(max(rows * 48, 1 << 29) // 8, np.int64)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        words.max()
        seconds.append(time.perf_counter() - start)
    return float(words.nbytes / min(seconds))


def measure(searches: Mapping[T, Search], Q: Any, batch: int) -> dict[T, float]:
    """Return the queries per second of each search, for batches of queries (n, d)."""
    seconds: dict[T, list[float]] = {name: [] for name in searches}
    for _ in range(ROUNDS):
        for name, search in searches.items():
            # a warm-up, so that the caches hold the data of this search
            search(Q[-batch:], K)
            start, spent, done = time.perf_counter(), 0.0, 0
            while not done or ((done + 1) * batch <= len(Q) and spent < SECONDS / ROUNDS):
                search(Q[done * batch :][:batch], K)
                done, spent = done + 1, time.perf_counter() - start
            seconds[name].append(spent / (done * batch))
    return {name: 1 / float(np.median(times)) for name, times in seconds.items()}


def line(way: Way, found: Any, truth: Any, speeds: tuple[float, float], slowest: tuple[float, float], read: Any) -> str:
    """Return the line of a method in the table."""
    recall = np.mean([len(np.intersect1d(a, b)) / K for a, b in zip(found, truth, strict=True)])
    ratios = f"{speeds[0] / slowest[0]:.1f} | {speeds[1] / slowest[1]:.1f}"
    rate = speeds[0] * read[0]
    scan = f"{rate / 1e6:.0f} | {rate * way.size / 1e9:.1f} | {rate * way.size / read[1]:.0%}"
    return (
        f"| {way.name} | {ratios} | {recall:.3f} | {way.size} | {speeds[0]:.1f} | {speeds[1]:.1f} | "
        f"{scan if way.scans else '– | – | –'} |"
    )


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=1, help="threads of a batch; one query mostly uses one")
    parser.add_argument("--graphs", action="store_true", help="measure HNSW too, which is slow to build")
    parser.add_argument("--only", metavar="REGEX", default="", help="methods whose names match")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "search.md")
    arguments = parser.parse_args()
    X = generate(normalize(np.load(arguments.vectors / "corpus.npy")), arguments.rows)
    Q = normalize(np.load(arguments.vectors / "queries.npy")[:QUERIES])
    flat = exact(X)
    others = [*rivals(X, arguments.graphs, arguments.threads), *VecsmithMethods(X).ways()]
    wanted = (way for way in others if re.search(arguments.only, way.name))
    ways = [flat, *(way for way in wanted if not way.copies or len(X) <= MAX_COPIED_ROWS)]
    searches = {}
    faiss.omp_set_num_threads(os.cpu_count() or 1)
    for way in ways:
        start = time.perf_counter()
        searches[way.name] = way.build()
        searches[way.name](Q[:1], K)
        print(f"{way.name}: ready after {time.perf_counter() - start:.0f} s", flush=True)
    with threadpool_limits(arguments.threads):
        found = {name: search(Q, K) for name, search in searches.items()}
        read = bandwidth(len(X))
        single, batched = measure(searches, Q, 1), measure(searches, Q, 64)
    packages = ("vecsmith", "faiss-cpu", "usearch", "sentence-transformers", "numpy")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    lines = [
        f"# Search on {'one core' if arguments.threads == 1 else f'{arguments.threads} threads'}",
        "",
        f"Written by `benchmarks/search.py`: {len(X):,} × {X.shape[1]} documents made from real vectors with noise, "
        f"seed 0, {len(Q)} real queries, the best {K}; {versions}; {platform.machine()}, "
        f"{faiss.get_compile_options().strip()}; one core reads memory at {read / 1e9:.1f} GB/s.",
        "",
        "| | times IndexFlatIP, batch 1 | batch 64 | recall@10 | bytes | queries/s, 1 | queries/s, 64 | M codes/s, 1 |"
        " GB/s, 1 | of memory's |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    slowest = single[flat.name], batched[flat.name]
    for way in sorted(ways, key=lambda way: -single[way.name]):
        speeds = single[way.name], batched[way.name]
        lines.append(line(way, found[way.name], found[flat.name], speeds, slowest, (len(X), read)))
    arguments.out.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
