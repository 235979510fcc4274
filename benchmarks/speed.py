"""Measure speeds: search, inverted lists, translating queries, and encoding vectors on disk.

    python benchmarks/speed.py search VECTORS [--rows 1000000] [--threads 1] [--graphs] [--only REGEX] [--out FILE]
    python benchmarks/speed.py inverted-lists VECTORS [--rows 2000000] [--out FILE]
    python benchmarks/speed.py translator-speed DATA/scifact/vectors [--out FILE]
    python benchmarks/speed.py ten-million VECTORS [--rows 10000000] [--out FILE]

write benchmarks/results/NAME.md. VECTORS is a folder with corpus.npy and queries.npy, real vectors of one model (for
translator-speed: a folder with such folders minilm and mpnet). Documents are rows of the corpus with noise, of unit
length, seed 0. Codecs and indexes are fitted on the first 100,000 of them. Queries are the real ones.

Speeds are medians over rounds in which all methods take turns, so that other load on the machine affects all of them
alike. Ratios are to the first method. Recall@10 is the share of the ten best documents by float vectors among the ten
results. Above 2,000,000 documents, methods that copy the vectors are left out.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")

import faiss
import numpy as np
import usearch.index
from sentence_transformers.util.quantization import semantic_search_faiss, semantic_search_usearch
from threadpoolctl import threadpool_limits

import vecsmith
from vecsmith.codecs.scan import attach_codes
from vecsmith.embeddings import EmbeddingSet, EmbeddingWriter, Provenance, normalize
from vecsmith.index import CodedVectors, CodeSet
from vecsmith.index.list_building import VECTORS_PER_LIST
from vecsmith.stores.faiss import linear_projection

Search = Callable[[Any, int], Any]
FIT_ROWS, BLOCK_ROWS = 100_000, 100_000

NOISE = 0.5
"""Norm of the noise that is added to a unit vector."""
K, QUERIES, ROUNDS, SECONDS_PER_ROUND = 10, 256, 7, 0.3
MAX_COPIED_ROWS = 2_000_000
PROBES = (1, 4, 16, 64, 256)
CODECS_ON_DISK = {"hybrid48B": 1.0, "trellis48B": 0.1, "binary-autoencoder48B": 0.1}
"""Codecs, and the share of the vectors on disk that they encode."""
PEAK_INTERVAL = 0.02
"""Seconds between two readings of the memory of a process."""


@dataclass(frozen=True)
class Method:
    """A search method.

    Attributes
    ----------
    name : str
        Name in the table.
    size : int
        Bytes per vector, all stages together.
    build : callable
        Builds an index and returns a function of queries (n, d) and k that returns rows (n, k).
    scans, copies : bool
        Whether a query reads all of these bytes; whether the method holds a byte per dimension or more besides them.
    """

    name: str
    size: int
    build: Callable[[], Search]
    scans: bool = True
    copies: bool = False


def searcher(index: Any, transform: Callable[[Any], Any] = np.asarray, **options: Any) -> Search:
    """Return the search of an index of vecsmith or FAISS for transformed queries."""
    return lambda Q, k: index.search(transform(Q), k, **options)[1]


def methods(X: Any, graphs: bool, threads: int) -> Iterator[Method]:
    """Yield the methods over documents X (n, d), an exact float scan first; a codec is fitted once."""
    d = X.shape[1]

    @cache
    def encoded(spec: str) -> tuple[vecsmith.Codec, Any]:
        codec = vecsmith.codec(spec).fit(X[:FIT_ROWS])
        codes = codec.encode(X)
        codes.flags.writeable = False  # so that indexes share them
        return codec, codes

    def scan(spec: str, scoring: Any = "asymmetric") -> Search:
        return searcher(vecsmith.Index(*encoded(spec), scoring))

    def rescore(finer: str) -> Search:
        return searcher(vecsmith.Index(*encoded("median"), "rescored", CodedVectors(*encoded(finer))))

    def kernel() -> Search:
        codec, codes = encoded("median")
        A = linear_projection(codec)
        transform = faiss.LinearTransform(A.shape[1], A.shape[0], False)
        faiss.copy_array_to_vector(A.ravel(), transform.A)
        transform.is_trained = True
        return searcher(faiss.IndexPreTransform(transform, codec.quantizer.index(codes)))

    # the exact search does not copy the documents
    yield Method("FAISS IndexFlatIP", 4 * d, lambda: searcher(attach_codes(faiss.IndexFlatIP(d), X.view(np.uint8))))
    for factory, size in {"SQ8": d, f"OPQ{d // 4}_{d},PQ{d // 4}x4fs": d // 8, "RaBitQfs": d // 8 + 8}.items():
        yield Method(f"FAISS {factory}", size, partial(from_factory, X, factory), copies=size >= d)
    yield Method("FAISS IndexBinaryFlat", d // 8, lambda: searcher(flat_signs(X), signs))
    yield Method("usearch b1, exact", d // 8, lambda: usearch_exact(X, threads))
    for search, build in ((semantic_search_faiss, flat_signs), (semantic_search_usearch, sparse_graph)):
        name = f"sentence-transformers {search.__name__}, ubinary, rescored"
        yield Method(name, d // 8, partial(sentence_transformers_search, X, search, build))
    yield Method("NumPy", 4 * d, lambda: partial(numpy_search, X), copies=True)
    if graphs:
        yield Method("FAISS HNSW32", 4 * d + 8 * 32, lambda: from_factory(X, "HNSW32"), scans=False, copies=True)
        yield Method("usearch b1, graph", d // 8 + 64, lambda: usearch_graph(X, threads), scans=False)
    for spec, size in (("median", d // 8), ("hybrid48B", 48), ("hybrid96B", 96)):
        yield Method(f"vecsmith {spec}", size, partial(scan, spec))
    stages = [(f"hybrid{a}B+trellis{b}B", a + b) for a, b in ((12, 36), (16, 32), (24, 24), (24, 32), (48, 48))]
    for spec, size in (*stages, ("median+trellis48B", d // 8 + 48)):
        yield Method(f"vecsmith {spec}", size, partial(scan, spec, "rescored"), scans=False)
    for finer, size in (("hybrid48B", 48), ("int8", d)):
        name = f"vecsmith median, 100 rescored by {finer}"
        yield Method(name, d // 8 + size, partial(rescore, finer), scans=False, copies=size >= d)
    yield Method("FAISS's kernel for vecsmith median", d // 8, kernel)


def from_factory(X: Any, factory: str) -> Search:
    """Return the search of an index that FAISS's factory makes."""
    index = faiss.index_factory(X.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
    index.train(X[:FIT_ROWS])
    for start in range(0, len(X), BLOCK_ROWS):
        index.add(X[start : start + BLOCK_ROWS])
    return searcher(index)


def signs(V: Any) -> Any:
    """Return the signs of vectors (n, d) as bytes (n, d / 8), packed as sentence-transformers packs them."""
    blocks = (V[start : start + BLOCK_ROWS] > 0 for start in range(0, len(V), BLOCK_ROWS))
    return np.concatenate([np.packbits(block, axis=1) for block in blocks])


def flat_signs(X: Any) -> Any:
    """Return FAISS's index of the signs."""
    index = faiss.IndexBinaryFlat(X.shape[1])
    index.add(signs(X))
    return index


def graph(X: Any, **options: int) -> Any:
    """Return usearch's index of the signs."""
    index = usearch.index.Index(ndim=X.shape[1], metric="hamming", dtype="b1", **options)
    index.add(np.arange(len(X)), signs(X))
    return index


sparse_graph = partial(graph, connectivity=2, expansion_add=1)
"""A graph with few edges, which suffices for exact search."""


def usearch_exact(X: Any, threads: int) -> Search:
    """Return usearch's exact search by Hamming distance."""
    codes, metric = signs(X), usearch.index.MetricKind.Hamming
    search = partial(usearch.index.search, codes, metric=metric, exact=True, threads=threads)
    # the result has one axis for a single query
    return lambda Q, k: np.atleast_2d(search(signs(Q), count=k).keys)


def usearch_graph(X: Any, threads: int) -> Search:
    """Return usearch's search of its graph."""
    index = graph(X, connectivity=16, expansion_add=128)
    return lambda Q, k: np.atleast_2d(index.search(signs(Q), k, threads=threads).keys)


def sentence_transformers_search(X: Any, search: Callable[..., Any], build: Callable[[Any], Any]) -> Search:
    """Return the search of sentence-transformers over an index of signs, with its own rescoring."""
    index = build(X)

    def rows(Q: Any, k: int) -> Any:
        found = search(Q, corpus_index=index, corpus_precision="ubinary", top_k=k)[0]
        return np.array([[hit["corpus_id"] for hit in hits] for hits in found])

    return rows


def numpy_search(X: Any, Q: Any, k: int) -> Any:
    """Return the rows (n, k) of the largest inner products, by a product of matrices."""
    scores = Q @ X.T
    best = np.argpartition(-scores, k, axis=1)[:, :k]
    return np.take_along_axis(best, np.argsort(-np.take_along_axis(scores, best, 1), axis=1), 1)


def artificial(real: Any, rows: int, block: int = 50_000) -> Iterator[Any]:
    """Yield blocks of unit vectors (block, d) like the real ones, `rows` in total."""
    rng = np.random.default_rng(0)
    for start in range(0, rows, block):
        chosen = real[rng.integers(len(real), size=min(block, rows - start))]
        noise = rng.standard_normal(chosen.shape, dtype=np.float32) * np.float32(NOISE / chosen.shape[1] ** 0.5)
        yield normalize(chosen + noise)


def load(folder: Path, rows: int) -> tuple[Any, Any]:
    """Return artificial documents (rows, d), read-only, and real queries."""
    real = normalize(np.load(folder / "corpus.npy").astype(np.float32))
    X = np.concatenate(list(artificial(real, rows)))
    X.flags.writeable = False
    return X, normalize(np.load(folder / "queries.npy")[:QUERIES].astype(np.float32))


def seconds_per_query(ways: Mapping[Any, Callable[[Any], Any]], Q: Any, batch: int, rounds: int, seconds: float) -> Any:
    """Return the seconds per query of every method in every round; the methods take turns."""
    times: dict[Any, list[float]] = {name: [] for name in ways}
    for name, way in [*ways.items()] * rounds:
        way(Q[-batch:])  # its data is in the cache, as in use
        start, spent, done = time.perf_counter(), 0.0, 0
        while not done or ((done + 1) * batch <= len(Q) and spent < seconds):
            way(Q[done * batch :][:batch])
            done, spent = done + 1, time.perf_counter() - start
        times[name].append(spent / (done * batch))
    return {name: np.array(each) for name, each in times.items()}


def queries_per_second(searches: dict[Any, Search], Q: Any, batch: int) -> dict[Any, float]:
    """Return the median queries per second of every search."""
    ways = {name: partial(lambda search, q: search(q, K), search) for name, search in searches.items()}
    times = seconds_per_query(ways, Q, batch, ROUNDS, SECONDS_PER_ROUND)
    return {name: 1 / float(np.median(each)) for name, each in times.items()}


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


def page(name: str, text: str, columns: list[str], rows: list[list[str]]) -> str:
    """Return a page with a table and the versions."""
    versions = ", ".join(f"{each} {version(each)}" for each in ("vecsmith", "faiss-cpu", "numpy", "usearch"))
    machine = f"{platform.machine()}, {faiss.get_compile_options().strip()}"
    lines = [f"# {name}", "", f"Made by `benchmarks/speed.py {name}`: {text}; {versions}; {machine}.", ""]
    lines += [f"| {' | '.join(columns)} |", "|---" + "|---:" * (len(columns) - 1) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows), ""])


def search(options: argparse.Namespace) -> str:
    """Compare search methods with an exact float scan."""
    X, Q = load(options.vectors, options.rows or 1_000_000)
    flat, *others = methods(X, options.graphs, options.threads)
    others = [each for each in others if not each.copies or len(X) <= MAX_COPIED_ROWS]
    chosen = [flat, *(method for method in others if re.search(options.only, method.name))]
    searches = {}
    faiss.omp_set_num_threads(os.cpu_count() or 1)
    for method in chosen:
        searches[method.name] = method.build()
        searches[method.name](Q[:1], K)
        print(method.name, "is built", flush=True)
    with threadpool_limits(options.threads):
        truth, bandwidth = searches[flat.name](Q, K), memory_bandwidth(len(X))
        recalls = {name: recall(each(Q, K), truth) for name, each in searches.items()}
        single, batched = (queries_per_second(searches, Q, batch) for batch in (1, 64))
    rows = []
    for method in sorted(chosen, key=lambda method: -single[method.name]):
        one, many = single[method.name], batched[method.name]
        cells = [f"{one / single[flat.name]:.1f}", f"{many / batched[flat.name]:.1f}", f"{recalls[method.name]:.3f}"]
        codes = one * len(X)
        scan = [f"{codes / 1e6:.0f}", f"{codes * method.size / 1e9:.1f}", f"{codes * method.size / bandwidth:.0%}"]
        rows.append(
            [method.name, *cells, str(method.size), f"{one:.1f}", f"{many:.1f}", *(scan if method.scans else 3 * ["–"])]
        )
    text = (
        f"{len(X):,} × {X.shape[1]} documents made from real vectors with noise, {len(Q)} real queries, the best {K}, "
        f"{options.threads} thread(s); one core reads memory at {bandwidth / 1e9:.1f} GB/s"
    )
    columns = ["", "times IndexFlatIP, batch 1", "batch 64", "recall@10", "bytes", "queries/s, 1", "queries/s, 64"]
    return page("search", text, [*columns, "M codes/s, 1", "GB/s, 1", "of memory's"], rows)


def inverted_lists(options: argparse.Namespace) -> str:
    """Compare inverted lists of vecsmith and FAISS with a scan of all codes."""
    X, Q = load(options.vectors, options.rows or 2_000_000)
    faiss.omp_set_num_threads(1)
    codec = vecsmith.codec("hybrid48B").fit(X[:FIT_ROWS])
    clock = [time.process_time()]
    codes = codec.encode(X)
    clock.append(time.process_time())
    index = vecsmith.Index(codec, codes)
    index.build_lists()
    clock.append(time.process_time())
    n_lists = round(len(X) ** 0.5)
    name, encoding = "vecsmith hybrid48B", clock[1] - clock[0]
    built = [f"encoding took {encoding:.1f} s and building the lists {(clock[2] - clock[1]) / encoding:.1f} times that"]
    searches: dict[tuple[str, int | None], Search] = {(name, None): searcher(index)}
    searches |= {(name, probes): searcher(index, probes=probes) for probes in PROBES}
    for factory in (f"IVF{n_lists},PQ{X.shape[1] // 4}x4fsr", f"IVF{n_lists},RaBitQfs"):
        start, other = time.process_time(), faiss.index_factory(X.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
        other.train(X[: VECTORS_PER_LIST * n_lists])
        other.add(X)
        built.append(f"{factory} took {time.process_time() - start:.0f} s to train and fill")
        for probes in PROBES:
            parameters = faiss.IVFSearchParameters()
            parameters.nprobe = probes
            searches[f"FAISS {factory}", probes] = searcher(other, params=parameters)
    truth = faiss.knn(Q, X, K, metric=faiss.METRIC_INNER_PRODUCT)[1]
    scanned = searches[name, None](Q, K)
    single, batched = (queries_per_second(searches, Q, batch) for batch in (1, 64))
    rows = []
    for way, each in searches.items():
        found = each(Q, K)
        ratios = [f"{speeds[way] / speeds[name, None]:.1f}" for speeds in (single, batched)]
        same = f"{recall(found, scanned):.3f}" if way[0] == name else "–"
        speeds = [f"{single[way]:.0f}", f"{batched[way]:.0f}"]
        rows.append([way[0], str(way[1] or "all"), *ratios, same, f"{recall(found, truth):.3f}", *speeds])
    text = (
        f"{len(X):,} × {X.shape[1]} documents made from real vectors with noise, {len(Q)} real queries, the best {K}, "
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
            ways: dict[str, Callable[[Any], Any]] = {"transform": fitted.transform, "product": partial(np.dot, b=W)}
            ours, bare = (1e6 * each for each in seconds_per_query(ways, Q, batch, 500, 0.001).values())
            cells = [f"{each.min():.1f} / {np.median(each):.1f}" for each in (ours, bare)]
            ratios = [f"{ours.min() / bare.min():.2f}", f"{np.median(ours) / np.median(bare):.2f}"]
            rows.append([f"{a} → {b}", f"{W.shape[0]} → {W.shape[1]}", str(batch), *cells, *ratios])
    text = (
        "`canonical` on queries of SciFact, µs per query, minimum / median of 500 rounds; `X @ W` takes turns with it"
    )
    columns = ["models", "dimensions", "batch", "transform", "`X @ W`", "ratio of minima", "of medians"]
    return page("translator-speed", text, columns, rows)


def ten_million(options: argparse.Namespace) -> str:
    """Measure memory and speed of fitting and encoding vectors on disk, each codec in a process of its own."""
    rows, real = options.rows or 10_000_000, normalize(np.load(options.vectors / "corpus.npy").astype(np.float32))
    lines = []
    with tempfile.TemporaryDirectory(prefix="vecsmith-") as temporary:
        folder = Path(temporary)
        writer = EmbeddingWriter(folder / "vectors", [str(row) for row in range(rows)], None, Provenance())
        shards = [min(shard.stop, rows) - shard.start for shard in writer.remaining]
        for block in artificial(real, rows, shards[0]):
            writer.write(block.astype(np.float16))
        writer.finish()
        for spec in CODECS_ON_DISK:
            found, peak = measured_child([sys.executable, __file__, "encode", str(folder), "--only", spec])
            seconds = [f"{found['open']:.0f}", f"{found['fit']:.0f}", f"{found['rows']:,}", f"{found['encode']:.0f}"]
            speed = f"{found['rows'] / max(found['encode'], 1e-9):,.0f}"
            lines.append([f"`{spec}`", *seconds, speed, f"{peak / 1e9:.2f}"])
    text = (
        f"{rows:,} artificial float16 vectors on disk, one core. `open` reads and checks all, `fit` uses a sample, "
        "`encode` reads, encodes and writes. Seconds of processor time. The peak is that of private memory (RssAnon)"
    )
    columns = ["codec", "open s", "fit s", "encoded", "encode s", "vectors/s", "peak GB"]
    return page("ten-million", text, columns, lines)


def measured_child(command: list[str]) -> tuple[Any, int]:
    """Run a command; return the JSON that it prints, and the peak of its private memory in bytes."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        peak = 0
        while process.poll() is None:
            try:
                lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            except OSError:
                break
            peak = max(peak, next((1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0))
            time.sleep(PEAK_INTERVAL)
        output = process.stdout.read() if process.stdout else ""
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed.")
    return json.loads(output), peak


def encode(options: argparse.Namespace) -> str:
    """Fit a codec on a set and encode it, and return the processor times as JSON."""
    spec, folder, clock = options.only, options.vectors, [time.process_time()]
    embedded = EmbeddingSet.open(folder / "vectors")
    clock.append(time.process_time())
    codec = vecsmith.codec(spec).fit(embedded.unit)
    clock.append(time.process_time())
    if CODECS_ON_DISK[spec] < 1:
        shards = embedded.shards[: max(1, round(CODECS_ON_DISK[spec] * len(embedded.shards)))]
        embedded = EmbeddingSet(shards, provenance=embedded.provenance)
    start = time.process_time()
    rows = len(CodeSet.encode(codec, embedded, folder / spec))
    seconds = {"open": clock[1] - clock[0], "fit": clock[2] - clock[1], "encode": time.process_time() - start}
    return json.dumps({"rows": rows, **seconds})


MEASUREMENTS = {
    each.__name__.replace("_", "-"): each for each in (search, inverted_lists, translator_speed, ten_million)
}


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=[*MEASUREMENTS, "encode"], help="measurement; encode is a step of ten-million")
    parser.add_argument("vectors", type=Path)
    parser.add_argument("--rows", type=int, help="number of documents")
    parser.add_argument("--threads", type=int, default=1, help="threads of a batch of searches")
    parser.add_argument("--graphs", action="store_true", help="also HNSW, which takes long to build")
    parser.add_argument("--only", metavar="REGEX", default="", help="search methods by name")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.name == "encode":
        print(encode(options))
        return
    text = MEASUREMENTS[options.name](options)
    (options.out or Path(__file__).parent / "results" / f"{options.name}.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
