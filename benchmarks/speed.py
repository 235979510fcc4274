"""Measure speeds: search, inverted lists, encoding, translating queries, and large sets on disk.

    python benchmarks/speed.py search VECTORS [--rows 1000000] [--threads 1] [--graphs] [--only REGEX] [--out FILE]
    python benchmarks/speed.py inverted-lists VECTORS [--rows 10000000] [--out FILE]
    python benchmarks/speed.py encoding VECTORS [--threads 1] [--out FILE]
    python benchmarks/speed.py translator-speed DATA/scifact/vectors [--out FILE]
    python benchmarks/speed.py ten-million VECTORS [--rows 1000000,3000000,10000000] [--only REGEX] [--out FILE]

write benchmarks/results/NAME.md. VECTORS is a folder with corpus.npy and queries.npy, real vectors of one model (for
translator-speed: a folder with such folders minilm and mpnet). Fused vectors need a folder wordllama beside it, with
the same documents. Documents are rows of the corpus with noise, of unit length, seed 0. Codecs and indexes are fitted
on the first 100,000 of them. Queries are the real ones.

Speeds are medians over rounds in which all methods take turns, so that other load on the machine affects all of them
alike. Ratios are to the first method. Above 2,000,000 documents, methods that copy the vectors are left out.
"""

import argparse
import os
import re
import time
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(variable, "1")

import faiss
import numpy as np
from speed_encoding import encoding
from speed_harness import (
    BLOCK_ROWS,
    FIT_ROWS,
    QUERIES,
    WARM_ROWS,
    K,
    Search,
    artificial,
    blocks_of,
    exhaustive,
    load,
    memory_bandwidth,
    page,
    private_memory,
    queries_per_second,
    recall,
    seconds_per_query,
    unit_vectors,
)
from speed_methods import Engine, Method, memory_when_opened, other_methods, searcher, vecsmith_methods
from speed_rivals import rivals
from speed_ten_million import ten_million
from threadpoolctl import threadpool_limits

import vecsmith
from vecsmith.embeddings import normalize
from vecsmith.index.list_building import VECTORS_PER_LIST

MAX_COPIED_ROWS = 2_000_000
PROBES = (1, 4, 16, 64, 256)


def search_methods(options: argparse.Namespace) -> str:
    """Compare search methods with an exact float scan."""
    os.environ["RAYON_NUM_THREADS"] = str(options.threads)
    X, Q = load(options.vectors, (options.rows or [1_000_000])[0])
    flat, *others = [
        *other_methods(X.shape[1], options.graphs, options.threads),
        *vecsmith_methods(X.shape[1], options.vectors),
        *rivals(X.shape[1], options.threads),
    ]
    others = [each for each in others if re.search(options.only, each.name)]
    chosen = [flat, *(each for each in others if not each.copies or len(X) <= MAX_COPIED_ROWS)]
    faiss.omp_set_num_threads(len(os.sched_getaffinity(0)))
    searches, engines, memory = {}, {}, {}
    for method in chosen:
        # libraries are loaded and functions compiled before memory is measured
        built(method, X[:WARM_ROWS], Q)
        before, start = private_memory(), time.perf_counter()
        engine = engines[method.name] = built(method, X, Q)
        queries = Q if engine.queries is None else engine.queries
        searches[method.name] = engine.search, queries
        grown = memory_when_opened(engine.index, queries[:1]) if engine.index is not None else private_memory() - before
        memory[method.name] = grown / len(X) + method.in_place
        print(f"{method.name} is built, in {time.perf_counter() - start:.0f} s", flush=True)
    with threadpool_limits(options.threads):
        truth, bandwidth = searches[flat.name][0](Q, K), memory_bandwidth(len(X))
        recalls, agreements = {}, {}
        for name, (search, queries) in searches.items():
            # one query at a time, because a batch may be searched more exactly
            found, engine = np.vstack([search(q[None], K) for q in queries]), engines[name]
            recalls[name] = recall(found, exhaustive(queries, engine.floats()) if engine.floats else truth)
            agreements[name] = f"{recall(found, exhaustive(queries, engine.decoded())):.3f}" if engine.decoded else "–"
        single, batched = (queries_per_second(searches, batch) for batch in (1, 64))
    rows = []
    for method in sorted(chosen, key=lambda method: -single[method.name]):
        name = method.name
        one, many = single[name], batched[name]
        ratios = [f"{one / single[flat.name]:.1f}", f"{many / batched[flat.name]:.1f}"]
        scan = f"{one * len(X) * method.size / bandwidth:.0%}" if method.scans else "–"
        shares, sizes = [f"{recalls[name]:.3f}", agreements[name]], [str(method.size), f"{memory[name]:.0f}"]
        rows.append([name, *ratios, *shares, *sizes, f"{one:.1f}", f"{many:.1f}", scan])
    text = (
        f"{len(X):,} × {X.shape[1]} documents made from real vectors with noise, {len(Q)} real queries, the best {K}, "
        f"{options.threads} thread(s); one core reads memory at {bandwidth / 1e9:.1f} GB/s. `times IndexFlatIP`: "
        "queries per second over those of the exact float search, for one query at a time and for batches of 64. "
        "`recall@10`: share of the ten best documents by float vectors (for a fusion, by fused float vectors) among "
        "the ten results. `agreement`: the same for the ten best of all decoded codes. `bytes`: bytes per vector in a "
        "file. `in memory`: growth of the private memory of the process per vector, from before the index is built, or "
        "for vecsmith from before a new process opens it, to after its first search, with an error of some ten "
        "megabytes in all. `of memory's`: speed of reading the codes over that of reading memory"
    )
    columns = ["", "times IndexFlatIP, 1", "64", "recall@10", "agreement", "bytes", "in memory"]
    return page("search", text, [*columns, "queries/s, 1", "queries/s, 64", "of memory's"], rows)


def built(method: Method, X: Any, Q: Any) -> Engine:
    """Build an index of documents (n, d), and search it once."""
    engine = method.build(X)
    engine.search((Q if engine.queries is None else engine.queries)[:1], K)
    return engine


def inverted_lists(options: argparse.Namespace) -> str:
    """Compare inverted lists of vecsmith and FAISS with a scan of all codes; only a sample of the vectors is held."""
    faiss.omp_set_num_threads(1)
    n, Q = (options.rows or [10_000_000])[0], unit_vectors(options.vectors, "queries")[:QUERIES]
    n_lists, documents = round(n**0.5), partial(artificial, unit_vectors(options.vectors, "corpus"), n)
    samples = np.concatenate(list(islice(documents(), -(-max(FIT_ROWS, VECTORS_PER_LIST * n_lists) // BLOCK_ROWS))))
    codec = vecsmith.codec("hybrid48B").fit(samples[:FIT_ROWS])
    codes, encoding = np.empty((n, codec.bytes_per_vector), np.uint8), 0.0
    for part, block in zip(blocks_of(codes), documents(), strict=True):
        start = time.process_time()
        part[:] = codec.encode(block)
        encoding += time.process_time() - start
    index, start = vecsmith.Index(codec, codes), time.process_time()
    index.build_lists()
    building = (time.process_time() - start) / encoding
    built = [f"encoding took {encoding:.1f} s and building the lists {building:.1f} times that"]
    name = "vecsmith hybrid48B"
    searches: dict[tuple[str, int | None], Search] = {(name, None): searcher(index)}
    searches |= {(name, probes): searcher(index, probes=probes) for probes in PROBES}
    for factory in (f"IVF{n_lists},PQ{Q.shape[1] // 4}x4fsr", f"IVF{n_lists},RaBitQfs"):
        start, other = time.process_time(), faiss.index_factory(Q.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
        other.train(samples[: VECTORS_PER_LIST * n_lists])
        filling = time.process_time() - start
        for block in documents():
            start = time.process_time()
            other.add(block)
            filling += time.process_time() - start
        built.append(f"{factory} took {filling:.0f} s to train and fill")
        print(built[-1], flush=True)
        for probes in PROBES:
            parameters = faiss.IVFSearchParameters()
            parameters.nprobe = probes
            searches[f"FAISS {factory}", probes] = searcher(other, params=parameters)
    truth = exhaustive(Q, documents())
    scanned = searches[name, None](Q, K)
    pairs = {way: (search, Q) for way, search in searches.items()}
    single, batched = (queries_per_second(pairs, batch) for batch in (1, 64))
    rows = []
    for way, each in searches.items():
        found = each(Q, K)
        ratios = [f"{speeds[way] / speeds[name, None]:.1f}" for speeds in (single, batched)]
        same = f"{recall(found, scanned):.3f}" if way[0] == name else "–"
        speeds = [f"{single[way]:.0f}", f"{batched[way]:.0f}"]
        rows.append([way[0], str(way[1] or "all"), *ratios, same, f"{recall(found, truth):.3f}", *speeds])
    text = (
        f"{n:,} × {Q.shape[1]} documents made from real vectors with noise, {len(Q)} real queries, the best {K}, "
        f"{n_lists} lists, one core; {'; '.join(built)}"
    )
    columns = ["", "probes", "times the scan of all, batch 1", "batch 64", "recall@10 of the scan of all", "of floats"]
    return page("inverted-lists", text, [*columns, "queries/s, 1", "queries/s, 64"], rows)


def translator_speed(options: argparse.Namespace) -> str:
    """Compare the translation of queries with the bare product of queries and weights."""
    rows = []
    for a, b in (("minilm", "mpnet"), ("mpnet", "minilm")):
        X, Y = (normalize(np.load(options.vectors / name / "corpus.npy")[:4000].astype(np.float32)) for name in (a, b))
        Q = normalize(np.load(options.vectors / a / "queries.npy").astype(np.float32))
        fitted = vecsmith.translator("canonical").fit(X, Y)
        W = fitted.weights_  # type: ignore[attr-defined]
        for batch in (1, 64):
            ways = {
                "transform": lambda rows: fitted.transform(Q[rows]),  # noqa: B023
                "product": lambda rows: Q[rows] @ W,  # noqa: B023
            }
            ours, bare = (1e6 * each for each in seconds_per_query(ways, len(Q), batch, 500, 0.001).values())
            cells = [f"{each.min():.1f} / {np.median(each):.1f}" for each in (ours, bare)]
            ratios = [f"{ours.min() / bare.min():.2f}", f"{np.median(ours) / np.median(bare):.2f}"]
            rows.append([f"{a} → {b}", f"{W.shape[0]} → {W.shape[1]}", str(batch), *cells, *ratios])
    text = (
        "`canonical` on queries of SciFact, µs per query, minimum / median of 500 rounds; `X @ W` takes turns with it"
    )
    columns = ["models", "dimensions", "batch", "transform", "`X @ W`", "ratio of minima", "of medians"]
    return page("translator-speed", text, columns, rows)


MEASUREMENTS = {
    "search": search_methods,
    "inverted-lists": inverted_lists,
    "encoding": encoding,
    "translator-speed": translator_speed,
    "ten-million": ten_million,
}


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=MEASUREMENTS, help="measurement")
    parser.add_argument("vectors", type=Path)
    parser.add_argument(
        "--rows", type=row_counts, help="numbers of documents; several, separated by commas, for ten-million"
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of a batch of searches, or of encoding")
    parser.add_argument("--graphs", action="store_true", help="also HNSW, which takes long to build")
    parser.add_argument("--only", metavar="REGEX", default="", help="search methods, or steps of ten-million, by name")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    text = MEASUREMENTS[options.name](options)
    (options.out or Path(__file__).parent / "results" / f"{options.name}.md").write_text(text, encoding="utf-8")
    print(text)


def row_counts(text: str) -> list[int]:
    """Parse numbers that are separated by commas."""
    return [int(each) for each in text.split(",")]


if __name__ == "__main__":
    main()
