"""Search methods that `speed.py` compares: codes of vecsmith, and FAISS, usearch, sentence-transformers and NumPy."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import faiss
import numpy as np
import usearch.index
from sentence_transformers.util.quantization import semantic_search_faiss, semantic_search_usearch

import vecsmith
from vecsmith.codecs.scan import attach_codes
from vecsmith.index import CodedVectors
from vecsmith.stores.faiss import linear_projection

FIT_ROWS, BLOCK_ROWS = 100_000, 100_000
Search = Callable[[Any, int], Any]


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
    scans : bool
        Whether a query reads all of these bytes.
    copies : bool
        Whether it holds a byte per dimension or more in addition to the documents.
    """

    name: str
    size: int
    build: Callable[[], Search]
    scans: bool = True
    copies: bool = False


def searcher(index: Any, **options: Any) -> Search:
    """Return the search of an index of vecsmith or FAISS."""
    return lambda Q, k: index.search(Q, k, **options)[1]


def exact(X: Any) -> Method:
    """Return FAISS's exact search over the float vectors, without a copy of them."""
    d = X.shape[1]
    return Method("FAISS IndexFlatIP", 4 * d, lambda: searcher(attach_codes(faiss.IndexFlatIP(d), X.view(np.uint8))))


def vecsmith_methods(X: Any) -> Iterator[Method]:
    """Yield the methods of vecsmith over documents X (n, d); a codec that several need is fitted once."""
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

    for spec, size in (("median", d // 8), ("hybrid48B", 48), ("hybrid96B", 96)):
        yield Method(f"vecsmith {spec}", size, partial(scan, spec))
    for first, second in ((12, 36), (16, 32), (24, 24), (24, 32), (48, 48)):
        spec = f"hybrid{first}B+trellis{second}B"
        yield Method(f"vecsmith {spec}", first + second, partial(scan, spec, "rescored"), scans=False)
    yield Method("vecsmith median+trellis48B", d // 8 + 48, partial(scan, "median+trellis48B", "rescored"), scans=False)
    for finer, size in (("hybrid48B", 48), ("int8", d)):
        name = f"vecsmith median, 100 rescored by {finer}"
        yield Method(name, d // 8 + size, partial(rescore, finer), scans=False, copies=size >= d)
    yield Method("FAISS's kernel for vecsmith median", d // 8, kernel)


def other_methods(X: Any, graphs: bool, threads: int) -> Iterator[Method]:
    """Yield the methods of other libraries."""
    d = X.shape[1]
    for factory, size in {"SQ8": d, f"OPQ{d // 4}_{d},PQ{d // 4}x4fs": d // 8, "RaBitQfs": d // 8 + 8}.items():
        yield Method(f"FAISS {factory}", size, partial(from_factory, X, factory), copies=size >= d)
    yield Method("FAISS IndexBinaryFlat", d // 8, lambda: hamming_search(flat_signs(X)))
    yield Method("usearch b1, exact", d // 8, lambda: usearch_exact(X, threads))
    for library, index in (("faiss", flat_signs), ("usearch", partial(graph, connectivity=2, expansion=1))):
        name = f"sentence-transformers semantic_search_{library}, ubinary, rescored"
        yield Method(name, d // 8, partial(sentence_transformers_search, X, index))
    yield Method("NumPy", 4 * d, lambda: partial(numpy_search, X), copies=True)
    if graphs:
        yield Method("FAISS HNSW32", 4 * d + 8 * 32, lambda: from_factory(X, "HNSW32"), scans=False, copies=True)
        yield Method("usearch b1, graph", d // 8 + 64, lambda: usearch_graph(X, threads), scans=False)


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


def graph(X: Any, connectivity: int = 16, expansion: int = 128) -> Any:
    """Return usearch's index of the signs; a graph with few edges suffices for exact search."""
    options = {"connectivity": connectivity, "expansion_add": expansion}
    index = usearch.index.Index(ndim=X.shape[1], metric="hamming", dtype="b1", **options)
    index.add(np.arange(len(X)), signs(X))
    return index


def hamming_search(index: Any) -> Search:
    """Return the search by Hamming distance."""
    return lambda Q, k: index.search(signs(Q), k)[1]


def usearch_exact(X: Any, threads: int) -> Search:
    """Return usearch's exact search by Hamming distance."""
    codes, metric = signs(X), usearch.index.MetricKind.Hamming
    return lambda Q, k: keys(usearch.index.search(codes, signs(Q), k, metric, exact=True, threads=threads))


def usearch_graph(X: Any, threads: int) -> Search:
    """Return usearch's search of its graph."""
    index = graph(X)
    return lambda Q, k: keys(index.search(signs(Q), k, threads=threads))


def keys(matches: Any) -> Any:
    """Return the rows (n, k) of usearch's result, which has one axis for a single query."""
    return np.atleast_2d(matches.keys)


def sentence_transformers_search(X: Any, build: Callable[[Any], Any]) -> Search:
    """Return the search of sentence-transformers over an index of signs, with its own rescoring."""
    index = build(X)
    search = semantic_search_faiss if isinstance(index, faiss.IndexBinaryFlat) else semantic_search_usearch

    def rows(Q: Any, k: int) -> Any:
        found = search(Q, corpus_index=index, corpus_precision="ubinary", top_k=k)[0]
        return np.array([[hit["corpus_id"] for hit in hits] for hits in found])

    return rows


def numpy_search(X: Any, Q: Any, k: int) -> Any:
    """Return the rows (n, k) of the largest inner products, by a product of matrices."""
    scores = Q @ X.T
    best = np.argpartition(-scores, k, axis=1)[:, :k]
    return np.take_along_axis(best, np.argsort(-np.take_along_axis(scores, best, 1), axis=1), 1)
