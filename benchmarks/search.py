"""Exact and approximate search on one core: codes of vecsmith, and what a user would pick instead, in one run.

    python benchmarks/search.py --vectors FOLDER [--rows 1000000] [--graphs] [--out FILE]

writes benchmarks/results/search.md. FOLDER has corpus.npy and queries.npy, real vectors of one model. The documents are
rows of the corpus with noise, of unit length, so that there are as many as wanted; every codec and index is fitted on
100,000 of them, and the queries are the real ones. Recall@10 is the share of the ten best documents by float vectors
that are among the ten found. Speeds are medians over rounds in which all methods take turns, so that whatever else the
machine does meets all of them alike; ratios are to the exact float scan of the same run.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import faiss
import numpy as np
import usearch.index

import vecsmith
from vecsmith.embeddings import normalise
from vecsmith.search import Decoded
from vecsmith.search.stores.faiss import linear_projection

NOISE = 0.5
"""Norm of the noise that makes a new vector of a unit vector."""
FIT, K, QUERIES, SECONDS = 100_000, 10, 256, 2.0
Search = Callable[[Any, int], Any]


def make_up(real: Any, rows: int) -> Any:
    """Return `rows` unit vectors like the real ones."""
    rng, made = np.random.default_rng(0), np.empty((rows, real.shape[1]), np.float32)
    for start in range(0, rows, 50_000):
        chosen = real[rng.integers(len(real), size=min(50_000, rows - start))]
        noise = rng.standard_normal(chosen.shape, dtype=np.float32) * np.float32(NOISE / chosen.shape[1] ** 0.5)
        made[start : start + len(chosen)] = normalise(chosen + noise)
    return made


def ours(X: Any) -> dict[str, tuple[int, Search]]:
    """Return our ways by name: bytes a vector, and the search."""
    specs = {"median": "median", "hybrid48B": "hybrid48B", "hybrid96B": "hybrid96B"}
    codecs = {name: vecsmith.codec(spec).fit(X[:FIT]) for name, spec in specs.items()}
    codes = {name: codec.encode(X) for name, codec in codecs.items()}
    ways: dict[str, tuple[int, Search]] = {}
    for name, codec in codecs.items():
        index = vecsmith.Index(codec, codes[name])
        ways[f"vecsmith {name}"] = codes[name].shape[1], lambda Q, k, index=index: index.search(Q, k)[1]
    int8 = vecsmith.codec("int8").fit(X[:FIT])
    finer = {"hybrid48B": Decoded(codecs["hybrid48B"], codes["hybrid48B"]), "int8": Decoded(int8, int8.encode(X))}
    for name, again in finer.items():
        two = vecsmith.Index(codecs["median"], codes["median"], "rescored", again)
        size = codes["median"].shape[1] + again.codes.shape[1]
        ways[f"vecsmith median, 100 rescored by {name}"] = size, lambda Q, k, two=two: two.search(Q, k)[1]
    # the same work as the first of ours, by FAISS alone: what our layer adds shows
    transform = faiss.LinearTransform(X.shape[1], 8 * codes["median"].shape[1], False)
    faiss.copy_array_to_vector(linear_projection(codecs["median"]).ravel(), transform.A)
    transform.is_trained = True
    kernel = codecs["median"].quantiser.index(codes["median"])
    alone = faiss.IndexPreTransform(transform, kernel)
    ways["FAISS's kernel for vecsmith median"] = codes["median"].shape[1], lambda Q, k: alone.search(Q, k)[1]
    return ways


def rivals(X: Any, graphs: bool) -> dict[str, tuple[int, Search]]:
    """Return the others by name: bytes a vector, and the search."""
    d, ways = X.shape[1], {}
    flat = faiss.IndexFlatIP(d)
    flat.add(X)
    ways["FAISS IndexFlatIP"] = 4 * d, lambda Q, k: flat.search(Q, k)[1]
    factories = {"SQ8": d, f"OPQ{d // 4}_{d},PQ{d // 4}x4fs": d // 8, "RaBitQfs": d // 8 + 8}
    if graphs:
        factories["HNSW32"] = 4 * d + 8 * 32
    for factory, size in factories.items():
        index = faiss.index_factory(d, factory, faiss.METRIC_INNER_PRODUCT)
        index.train(X[:FIT])
        index.add(X)
        ways[f"FAISS {factory}"] = size, lambda Q, k, index=index: index.search(Q, k)[1]
    pack = lambda V: np.packbits(V > 0, axis=1, bitorder="little")  # noqa: E731
    signs = pack(X)
    binary = faiss.IndexBinaryFlat(d)
    binary.add(signs)
    ways["FAISS IndexBinaryFlat"] = d // 8, lambda Q, k: binary.search(pack(Q), k)[1]
    ways["usearch b1, exact"] = (
        d // 8,
        lambda Q, k: usearch.index.search(signs, pack(Q), k, usearch.index.MetricKind.Hamming, exact=True).keys,
    )
    if graphs:
        bits = usearch.index.Index(ndim=d, metric="hamming", dtype="b1")
        bits.add(np.arange(len(X)), signs)
        ways["usearch b1, graph"] = d // 8 + 64, lambda Q, k: bits.search(pack(Q), k).keys

    def by_numpy(Q: Any, k: int) -> Any:
        scores = Q @ X.T
        best = np.argpartition(-scores, k, axis=1)[:, :k]
        return np.take_along_axis(best, np.argsort(-np.take_along_axis(scores, best, 1), axis=1), 1)

    ways["NumPy"] = 4 * d, by_numpy
    return ways


def bandwidth(rows: int) -> float:
    """Return bytes a second of reading memory, by summing an array larger than any cache."""
    words = np.ones(max(rows * 48, 1 << 29) // 8, np.int64)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        words.max()
        seconds.append(time.perf_counter() - start)
    return float(words.nbytes / min(seconds))


def measure(ways: dict[str, tuple[int, Search]], Q: Any, batch: int) -> dict[str, float]:
    """Return queries a second."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(7):
        for name, (_, search) in ways.items():
            # what lies in the cache is its own, as in use
            search(Q[-batch:], K)
            start, spent, done = time.perf_counter(), 0.0, 0
            while not done or ((done + 1) * batch <= QUERIES and spent < SECONDS / 7):
                search(Q[done * batch :][:batch], K)
                done, spent = done + 1, time.perf_counter() - start
            seconds[name].append(spent / (done * batch))
    return {name: 1 / float(np.median(times)) for name, times in seconds.items()}


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--graphs", action="store_true", help="HNSW too, which takes long to build")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "search.md")
    arguments = parser.parse_args()
    X = make_up(normalise(np.load(arguments.vectors / "corpus.npy")), arguments.rows)
    Q = normalise(np.load(arguments.vectors / "queries.npy")[:QUERIES])
    faiss.omp_set_num_threads(os.cpu_count() or 1)
    ways = {**rivals(X, arguments.graphs), **ours(X)}
    faiss.omp_set_num_threads(1)
    truth = ways["FAISS IndexFlatIP"][1](Q, K)
    read = bandwidth(len(X))
    single, batched = measure(ways, Q, 1), measure(ways, Q, 64)
    versions = ", ".join(f"{name} {version(name)}" for name in ("vecsmith", "faiss-cpu", "usearch", "numpy"))
    lines = [
        "# Search on one core",
        "",
        f"Written by `benchmarks/search.py`: {len(X):,} × {X.shape[1]} documents made from real vectors with noise, "
        f"seed 0, {len(Q)} real queries, the best {K}; {versions}; {platform.machine()}, "
        f"{faiss.get_compile_options().strip()}; memory is read at {read / 1e9:.1f} GB/s.",
        "",
        "| | times IndexFlatIP, batch 1 | batch 64 | recall@10 | bytes | queries/s, 1 | queries/s, 64 | M codes/s, 1 |"
        " GB/s, 1 | of memory's |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    slowest = single["FAISS IndexFlatIP"], batched["FAISS IndexFlatIP"]
    for name in sorted(ways, key=lambda name: -single[name]):
        size, search = ways[name]
        found = search(Q, K)
        recall = np.mean([len(np.intersect1d(a, b)) / K for a, b in zip(found, truth, strict=True)])
        ratios = f"{single[name] / slowest[0]:.1f} | {batched[name] / slowest[1]:.1f}"
        scans = not any(word in name for word in ("HNSW", "graph", "rescored"))
        rate = single[name] * len(X)
        scan = f"{rate / 1e6:.0f} | {rate * size / 1e9:.1f} | {rate * size / read:.0%}" if scans else "– | – | –"
        lines.append(
            f"| {name} | {ratios} | {recall:.3f} | {size} | {single[name]:.1f} | {batched[name]:.1f} | {scan} |"
        )
    arguments.out.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
