"""Inverted lists on one core: codes of vecsmith and of FAISS's own lists, and the scan of all codes, in one run.

    python benchmarks/inverted_lists.py --vectors FOLDER [--rows 2000000] [--out FILE]

writes benchmarks/results/inverted-lists.md. FOLDER has corpus.npy and queries.npy, real vectors of one model; documents
are made of them as in benchmarks/search.py, of which codecs are fitted on the first 100,000. FAISS's indexes have as
many lists, and learn from as many vectors per list. Speeds are medians over rounds in which all ways take turns; ratios
are to the scan of all codes. Building and encoding are timed in seconds that the processor worked.
"""

import argparse
import os
import platform
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import faiss
import numpy as np
from search import NOISE, QUERIES, K, make_up
from search_ways import FIT, Search, searched

import vecsmith
from vecsmith.embeddings import normalize
from vecsmith.index.list_building import VECTORS_PER_LIST

SPEC = "hybrid48B"
PROBES = [1, 4, 16, 64, 256]
ROUNDS, SECONDS = 7, 0.3
Ways = dict[tuple[str, int | None], Search]


def timed(work: Any) -> tuple[Any, float]:
    """Return what `work` returns, and the seconds that the processor worked."""
    start = time.process_time()
    return work(), time.process_time() - start


def ours(X: Any) -> tuple[Ways, int, list[str]]:
    """Return our ways by name and probes, the number of lists, and what building took."""
    codec = vecsmith.codec(SPEC).fit(X[:FIT])
    codes, encoding = timed(lambda: codec.encode(X))
    index = vecsmith.Index(codec, codes)
    _, building = timed(index.build_lists)
    lists = index.partitions[0].lists
    assert lists is not None
    ways: Ways = {(f"vecsmith {SPEC}", None): searched(index)}
    for probes in PROBES:
        ways[f"vecsmith {SPEC}", probes] = searched(index, probes=probes)
    said = f"encoding took {encoding:.0f} s, building the lists {building / encoding:.1f} times that"
    return ways, len(lists.centroids), [said]


def rivals(X: Any, n_lists: int) -> tuple[Ways, list[str]]:
    """Return FAISS's ways likewise."""
    ways: Ways = {}
    said = []
    for factory in (f"IVF{n_lists},PQ{X.shape[1] // 4}x4fsr", f"IVF{n_lists},RaBitQfs"):
        index = faiss.index_factory(X.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
        _, training = timed(partial(index.train, X[: VECTORS_PER_LIST * n_lists]))
        _, adding = timed(partial(index.add, X))
        said.append(f"{factory} took {training:.0f} s to train and {adding:.0f} s to encode and fill")
        for probes in PROBES:
            ways[f"FAISS {factory}", probes] = searched(index, params=parameters(probes))
    return ways, said


def parameters(probes: int) -> Any:
    """Return FAISS's parameters of a search that looks into so many lists."""
    result = faiss.IVFSearchParameters()
    result.nprobe = probes
    return result


def measure(ways: Ways, Q: Any, batch: int) -> dict[Any, float]:
    """Return queries a second."""
    seconds: dict[Any, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, search in ways.items():
            # what lies in the cache is its own, as in use
            search(Q[-batch:], K)
            start, spent, done = time.perf_counter(), 0.0, 0
            while not done or ((done + 1) * batch <= len(Q) and spent < SECONDS):
                search(Q[done * batch :][:batch], K)
                done, spent = done + 1, time.perf_counter() - start
            seconds[way].append(spent / (done * batch))
    return {way: 1 / float(np.median(times)) for way, times in seconds.items()}


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "inverted-lists.md")
    arguments = parser.parse_args()
    X = make_up(normalize(np.load(arguments.vectors / "corpus.npy")), arguments.rows)
    Q = normalize(np.load(arguments.vectors / "queries.npy")[:QUERIES])
    faiss.omp_set_num_threads(1)
    truth = faiss.knn(Q, X, K, metric=faiss.METRIC_INNER_PRODUCT)[1]
    ways, n_lists, built = ours(X)
    theirs, said = rivals(X, n_lists)
    ways, whole = {**ways, **theirs}, next(iter(ways))
    single, batched = measure(ways, Q, 1), measure(ways, Q, 64)
    scanned = ways[whole](Q, K)
    versions = ", ".join(f"{name} {version(name)}" for name in ("vecsmith", "faiss-cpu", "numpy"))
    lines = [
        "# Inverted lists on one core",
        "",
        f"Written by `benchmarks/inverted_lists.py`: {len(X):,} × {X.shape[1]} documents made from real vectors with "
        f"noise of norm {NOISE}, seed 0, {len(Q)} real queries, the best {K}, {n_lists} lists; {versions}; "
        f"{platform.machine()}, {faiss.get_compile_options().strip()}. On this core {'; '.join([*built, *said])}.",
        "",
        f"| | probes | times the scan of all, batch 1 | batch 64 | recall@{K} of the scan of all | of floats |"
        " queries/s, 1 | queries/s, 64 |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for way, search in ways.items():
        found = search(Q, K)
        recalls = [
            np.mean([np.isin(a, b).mean() for a, b in zip(best, found, strict=True)]) for best in (scanned, truth)
        ]
        same = f"{recalls[0]:.3f}" if way[0] == whole[0] else "–"
        ratios = f"{single[way] / single[whole]:.1f} | {batched[way] / batched[whole]:.1f}"
        speeds = f"{single[way]:.0f} | {batched[way]:.0f}"
        lines.append(f"| {way[0]} | {way[1] or 'all'} | {ratios} | {same} | {recalls[1]:.3f} | {speeds} |")
    arguments.out.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
