"""Search methods of the speed benchmarks: those of vecsmith, FAISS, usearch, sentence-transformers and NumPy."""

import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import usearch.index
from speed_harness import (
    FIT_ROWS,
    FUSED,
    QUERIES,
    WARM_ROWS,
    Search,
    artificial,
    blocks_of,
    private_memory,
    unit_vectors,
)

import vecsmith
from vecsmith.codecs.scan import attach_codes
from vecsmith.index import CodedVectors, CodeSet
from vecsmith.stores.faiss import linear_projection

Blocks = Callable[[], Iterator[Any]]


@dataclass(frozen=True)
class Engine:
    """A built index.

    Attributes
    ----------
    search : Search
        Its search.
    decoded : callable, optional
        Yields the decoded vectors (block, d) of all codes. Their exhaustive ranking should be the result.
    queries, floats : ndarray of shape (n, d) and callable, optional
        Queries and float vectors, where these are not those of all other methods.
    index : vecsmith.Index, optional
        The index, if it is vecsmith's.
    """

    search: Search
    decoded: Blocks | None = None
    queries: Any = None
    floats: Blocks | None = None
    index: vecsmith.Index | None = None


@dataclass(frozen=True)
class Method:
    """A search method.

    Attributes
    ----------
    name : str
        Name in the table.
    size : int
        Bytes per vector in a file, all stages, factors and ids included.
    build : callable
        Builds the index of documents (n, d).
    scans, copies : bool
        Whether a query reads all of these bytes; whether building needs a copy of the vectors or more.
    in_place : int
        Bytes per vector that the method reads from the given documents, without a copy.
    """

    name: str
    size: int
    build: Callable[[Any], Engine]
    scans: bool = True
    copies: bool = False
    in_place: int = 0


def searcher(index: Any, transform: Callable[[Any], Any] = np.asarray, **options: Any) -> Search:
    """Return the search of an index of vecsmith or FAISS for transformed queries."""
    return lambda Q, k: index.search(transform(Q), k, **options)[1]


def vecsmith_methods(d: int, folder: Path) -> Iterator[Method]:
    """Yield the methods of vecsmith for vectors of d dimensions, made from those in a folder."""
    for size in (24, 48, 96, d // 2):
        yield Method(f"vecsmith trellis{size}B", size, partial(scan, spec=f"trellis{size}B"), scans=False)
    if (folder.parent / "wordllama").is_dir():
        yield Method(f"vecsmith {FUSED}", 48, partial(fused, folder=folder), scans=False)
    else:
        print(f"{FUSED} is left out: there is no folder {folder.parent / 'wordllama'}.", flush=True)
    for spec, size in (("median", d // 8), ("hybrid48B", 48), ("hybrid96B", 96)):
        yield Method(f"vecsmith {spec}", size, partial(scan, spec=spec))
    for a, b in ((12, 36), (16, 32), (48, 48)):
        build = partial(scan, spec=f"hybrid{a}B+trellis{b}B", scoring="rescored")
        yield Method(f"vecsmith hybrid{a}B+trellis{b}B", a + b, build, scans=False)
    rescored = partial(scan, spec="median", scoring="rescored", finer="int8")
    yield Method("vecsmith median, 100 rescored by int8", d // 8 + d, rescored, scans=False, copies=True)
    yield Method("FAISS's kernel for vecsmith median", d // 8, kernel)


def scan(X: Any, spec: str, scoring: Any = "asymmetric", finer: str | None = None) -> Engine:
    """Return vecsmith's index of the codes of a codec, whose shortlist the codes of a finer codec may rescore."""
    codec, codes = _encoded(X, spec)
    originals = CodedVectors(*_encoded(X, finer)) if finer else None
    decoded = CodedVectors(codec, codes) if originals is None else originals
    index = vecsmith.Index(codec, codes, scoring, originals)

    def decoded_blocks() -> Iterator[Any]:
        return (decoded[np.asarray(rows)] for rows in blocks_of(range(len(X))))

    return Engine(searcher(index), decoded_blocks, index=index)


def _encoded(X: Any, spec: str) -> tuple[vecsmith.Codec, Any]:
    codec = vecsmith.codec(spec).fit(X[:FIT_ROWS])
    codes = codec.encode(X)
    codes.flags.writeable = False  # so that FAISS reads them in place
    return codec, codes


def fused(X: Any, folder: Path) -> Engine:
    """Return vecsmith's index of codes of the documents X and of their WordLlama vectors, which are never held."""

    def second_model(rows: int) -> Iterator[Any]:
        # read again each time, so that the real vectors do not count as memory of the index
        return artificial(unit_vectors(folder.parent / "wordllama", "corpus"), rows, seed=1)

    def both() -> Iterator[Any]:
        return map(list, zip(blocks_of(X), second_model(len(X)), strict=True))

    codec = vecsmith.codec(FUSED).fit([X[:FIT_ROWS], np.concatenate(list(second_model(min(FIT_ROWS, len(X)))))])
    codes = np.empty((len(X), codec.bytes_per_vector), np.uint8)
    for part, block in zip(blocks_of(codes), both(), strict=True):
        part[:] = codec.encode(block)
    codes.flags.writeable = False
    queries = [unit_vectors(each, "queries")[:QUERIES] for each in (folder, folder.parent / "wordllama")]
    index = vecsmith.Index(codec, codes)
    return Engine(
        searcher(index),
        lambda: map(codec.decode, blocks_of(codes)),
        np.hstack(queries),
        lambda: (codec.inverse_transform(codec.transform(block)) for block in both()),
        index,
    )


def memory_when_opened(index: vecsmith.Index, q: Any) -> int:
    """Return the bytes by which the private memory of a new process grows as it opens an index and searches it once."""
    with tempfile.TemporaryDirectory() as folder:
        index.save(f"{folder}/index")
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            return process.submit(_growth, f"{folder}/index", q).result()


def _growth(folder: str, q: Any) -> int:
    os.environ["VECSMITH_CACHE"] = f"{folder}-cache"
    few = CodeSet.open(folder)
    # libraries are loaded and functions compiled before memory is measured
    vecsmith.Index(few.codec, np.array(few.codes[:WARM_ROWS])).search(q)
    del few
    before = private_memory()
    index = vecsmith.Index.load(folder, mmap=False)
    index.search(q)
    return private_memory() - before


def kernel(X: Any) -> Engine:
    """Return FAISS's own pipeline over the codes of ``median``, without vecsmith's code around it."""
    codec, codes = _encoded(X, "median")
    A = linear_projection(codec)
    transform = faiss.LinearTransform(A.shape[1], A.shape[0], False)
    faiss.copy_array_to_vector(A.ravel(), transform.A)
    transform.is_trained = True
    return Engine(searcher(faiss.IndexPreTransform(transform, codec.quantizer.index(codes))))


def other_methods(d: int, graphs: bool, threads: int) -> Iterator[Method]:
    """Yield the methods of packages that the tests install too, for vectors of d dimensions; an exact scan first."""
    from sentence_transformers.util.quantization import semantic_search_faiss, semantic_search_usearch

    yield Method("FAISS IndexFlatIP", 4 * d, flat_floats, in_place=4 * d)
    for factory in (
        "SQ8",
        "SQ4",
        "SQtq2",
        "EDEN",
        "EDEN2",
        "RaBitQfs",
        "RaBitQfs2",
        "PQ{0}x4fs",
        "OPQ{0}_{1},PQ{0}x4fs",
    ):
        name = factory.format(d // 4, d)
        size = faiss.index_factory(d, name, faiss.METRIC_INNER_PRODUCT).sa_code_size()
        yield Method(f"FAISS {name}", size, partial(from_factory, factory=name), copies=size >= d)
    yield Method("FAISS IndexBinaryFlat", d // 8, lambda X: Engine(searcher(flat_signs(X), signs)))
    yield Method("usearch b1, exact", d // 8, partial(usearch_exact, threads=threads))
    for search, build in ((semantic_search_faiss, flat_signs), (semantic_search_usearch, sparse_graph)):
        name = f"sentence-transformers {search.__name__}, ubinary, rescored"
        yield Method(name, d // 8, partial(sentence_transformers_search, search=search, build=build))
    yield Method("NumPy", 4 * d, lambda X: Engine(partial(numpy_search, X)), copies=True, in_place=4 * d)
    if graphs:
        yield Method("FAISS HNSW32", 4 * d + 8 * 32, partial(from_factory, factory="HNSW32"), scans=False, copies=True)
        yield Method("usearch b1, graph", d // 8 + 64, partial(usearch_graph, threads=threads), scans=False)


def flat_floats(X: Any) -> Engine:
    """Return FAISS's exact search, which reads the documents in place."""
    return Engine(searcher(attach_codes(faiss.IndexFlatIP(X.shape[1]), X.view(np.uint8))))


def from_factory(X: Any, factory: str) -> Engine:
    """Return an index that FAISS's factory makes."""
    index = faiss.index_factory(X.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
    index.train(X[:FIT_ROWS])
    for block in blocks_of(X):
        index.add(block)
    return Engine(searcher(index))


def signs(V: Any) -> Any:
    """Return the signs of vectors (n, d) as bytes (n, d / 8), packed as sentence-transformers packs them."""
    return np.concatenate([np.packbits(block > 0, axis=1) for block in blocks_of(V)])


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


def usearch_exact(X: Any, threads: int) -> Engine:
    """Return usearch's exact search by Hamming distance."""
    codes, metric = signs(X), usearch.index.MetricKind.Hamming
    search = partial(usearch.index.search, codes, metric=metric, exact=True, threads=threads)
    # the result has one axis for a single query
    return Engine(lambda Q, k: np.atleast_2d(search(signs(Q), count=k).keys))


def usearch_graph(X: Any, threads: int) -> Engine:
    """Return usearch's search of its graph."""
    index = graph(X, connectivity=16, expansion_add=128)
    return Engine(lambda Q, k: np.atleast_2d(index.search(signs(Q), k, threads=threads).keys))


def sentence_transformers_search(X: Any, search: Callable[..., Any], build: Callable[[Any], Any]) -> Engine:
    """Return the search of sentence-transformers over an index of signs, with its own rescoring."""
    index = build(X)

    def rows(Q: Any, k: int) -> Any:
        found = search(Q, corpus_index=index, corpus_precision="ubinary", top_k=k)[0]
        return np.array([[hit["corpus_id"] for hit in hits] for hits in found])

    return Engine(rows)


def numpy_search(X: Any, Q: Any, k: int) -> Any:
    """Return the rows (n, k) of the largest inner products, by a product of matrices."""
    scores = Q @ X.T
    best = np.argpartition(-scores, k, axis=1)[:, :k]
    return np.take_along_axis(best, np.argsort(-np.take_along_axis(scores, best, 1), axis=1), 1)
