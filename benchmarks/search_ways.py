"""The ways to search that `search.py` compares: codes of vecsmith, and what a user would pick instead."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import faiss
import numpy as np
import usearch.index
from sentence_transformers.util.quantization import semantic_search_faiss, semantic_search_usearch

import vecsmith
from vecsmith.codecs.scan import attach_codes
from vecsmith.index import CodedVectors
from vecsmith.stores.faiss import linear_projection

FIT, BLOCK = 100_000, 100_000
Search = Callable[[Any, int], Any]


@dataclass(frozen=True)
class Way:
    """A way to search.

    Attributes
    ----------
    name : str
        In the table.
    size : int
        Bytes a vector, all stages together.
    build : callable
        Makes what is searched, and returns a function of queries (n, d) and k, which returns the rows found (n, k).
    scans : bool
        Whether it reads all of these bytes for every query.
    copies : bool
        Whether it holds as much as a byte a dimension beside the documents.
    """

    name: str
    size: int
    build: Callable[[], Search]
    scans: bool = True
    copies: bool = False


class Ours:
    """Our ways; what several of them need is made once.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Documents.
    """

    def __init__(self, X: Any) -> None:
        self.X = X
        self._encoded: dict[str, tuple[vecsmith.Codec, Any]] = {}

    def ways(self) -> Iterator[Way]:
        """Yield them."""
        d = self.X.shape[1]
        for spec, size in (("median", d // 8), ("hybrid48B", 48), ("hybrid96B", 96)):
            yield Way(f"vecsmith {spec}", size, partial(self.scanned, spec))
        for spec, size in (
            ("hybrid12B+trellis36B", 48),
            ("hybrid16B+trellis32B", 48),
            ("hybrid24B+trellis24B", 48),
            ("hybrid24B+trellis32B", 56),
            ("median+trellis48B", d // 8 + 48),
            ("hybrid48B+trellis48B", 96),
        ):
            yield Way(f"vecsmith {spec}", size, partial(self.scanned, spec, "rescored"), scans=False)
        for finer, size in (("hybrid48B", 48), ("int8", d)):
            name = f"vecsmith median, 100 rescored by {finer}"
            yield Way(name, d // 8 + size, partial(self.rescored, finer), False, size >= d)
        yield Way("FAISS's kernel for vecsmith median", d // 8, self.kernel)

    def encoded(self, spec: str) -> tuple[vecsmith.Codec, Any]:
        """Return a fitted codec and the documents' codes, which are not written to."""
        if spec not in self._encoded:
            codec = vecsmith.codec(spec).fit(self.X[:FIT])
            codes = codec.encode(self.X)
            codes.flags.writeable = False
            self._encoded[spec] = codec, codes
        return self._encoded[spec]

    def scanned(self, spec: str, scoring: Any = "asymmetric") -> Search:
        """Return the search of the codes."""
        return searched(vecsmith.Index(*self.encoded(spec), scoring))

    def rescored(self, finer: str) -> Search:
        """Return the search of two codes that know nothing of each other."""
        return searched(vecsmith.Index(*self.encoded("median"), "rescored", CodedVectors(*self.encoded(finer))))

    def kernel(self) -> Search:
        """Return the work of ``vecsmith median`` done by FAISS alone: what our layer adds shows."""
        codec, codes = self.encoded("median")
        A = linear_projection(codec)
        transform = faiss.LinearTransform(A.shape[1], A.shape[0], False)
        faiss.copy_array_to_vector(A.ravel(), transform.A)
        transform.is_trained = True
        return searched(faiss.IndexPreTransform(transform, codec.quantizer.index(codes)))


def searched(index: Any, **options: Any) -> Search:
    """Return the search of an index, ours or one of FAISS."""
    return lambda Q, k: index.search(Q, k, **options)[1]


def exact(X: Any) -> Way:
    """Return the exact search over the documents, which FAISS looks at where they are."""
    d = X.shape[1]
    return Way("FAISS IndexFlatIP", 4 * d, lambda: searched(attach_codes(faiss.IndexFlatIP(d), X.view(np.uint8))))


def rivals(X: Any, graphs: bool, threads: int) -> Iterator[Way]:
    """Yield the others."""
    d = X.shape[1]
    factories = {"SQ8": d, f"OPQ{d // 4}_{d},PQ{d // 4}x4fs": d // 8, "RaBitQfs": d // 8 + 8}
    for factory, size in factories.items():
        yield Way(f"FAISS {factory}", size, partial(made, X, factory), copies=size >= d)
    yield Way("FAISS IndexBinaryFlat", d // 8, lambda: by_signs(binary(X)))
    yield Way("usearch b1, exact", d // 8, lambda: by_usearch(X, threads))
    yield Way("sentence-transformers semantic_search_faiss, ubinary, rescored", d // 8, lambda: by_sentences(binary(X)))
    yield Way(
        "sentence-transformers semantic_search_usearch, ubinary, rescored",
        d // 8,
        lambda: by_sentences(graph(X, 2, 1)),
    )
    yield Way("NumPy", 4 * d, lambda: by_numpy(X), copies=True)
    if graphs:
        yield Way("FAISS HNSW32", 4 * d + 8 * 32, lambda: made(X, "HNSW32"), False, copies=True)
        yield Way("usearch b1, graph", d // 8 + 64, lambda: by_graph(X, threads), False)


def made(X: Any, factory: str) -> Search:
    """Return the search of an index of FAISS's factory."""
    index = faiss.index_factory(X.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
    index.train(X[:FIT])
    for start in range(0, len(X), BLOCK):
        index.add(X[start : start + BLOCK])
    return searched(index)


def packed(V: Any) -> Any:
    """Return the signs of vectors (n, d) as bytes, as sentence-transformers packs them."""
    return np.packbits(V > 0, axis=1)


def signs(X: Any) -> Any:
    """Return the signs of the documents, made block by block."""
    return np.concatenate([packed(X[start : start + BLOCK]) for start in range(0, len(X), BLOCK)])


def binary(X: Any) -> Any:
    """Return FAISS's index of the signs."""
    index = faiss.IndexBinaryFlat(X.shape[1])
    index.add(signs(X))
    return index


def graph(X: Any, connectivity: int = 16, expansion: int = 128) -> Any:
    """Return usearch's index of the signs; a graph of few edges, made fast, is enough for exact search."""
    index = usearch.index.Index(
        ndim=X.shape[1], metric="hamming", dtype="b1", connectivity=connectivity, expansion_add=expansion
    )
    index.add(np.arange(len(X)), signs(X))
    return index


def by_signs(index: Any) -> Search:
    """Return the search by Hamming distance."""
    return lambda Q, k: index.search(packed(Q), k)[1]


def by_usearch(X: Any, threads: int) -> Search:
    """Return usearch's exact search by Hamming distance."""
    codes, metric = signs(X), usearch.index.MetricKind.Hamming
    return lambda Q, k: keys(usearch.index.search(codes, packed(Q), k, metric, exact=True, threads=threads))


def by_graph(X: Any, threads: int) -> Search:
    """Return usearch's search of its graph."""
    index = graph(X)
    return lambda Q, k: keys(index.search(packed(Q), k, threads=threads))


def keys(matches: Any) -> Any:
    """Return the rows (n, k) that usearch found, which for one query come without a dimension."""
    return np.atleast_2d(matches.keys)


def by_sentences(index: Any) -> Search:
    """Return the search of sentence-transformers over an index of signs, its own rescoring included."""
    search = semantic_search_faiss if isinstance(index, faiss.IndexBinaryFlat) else semantic_search_usearch

    def rows(Q: Any, k: int) -> Any:
        found = search(Q, corpus_index=index, corpus_precision="ubinary", top_k=k)[0]
        return np.array([[hit["corpus_id"] for hit in hits] for hits in found])

    return rows


def by_numpy(X: Any) -> Search:
    """Return the exact search as a product of matrices."""

    def rows(Q: Any, k: int) -> Any:
        scores = Q @ X.T
        best = np.argpartition(-scores, k, axis=1)[:, :k]
        return np.take_along_axis(best, np.argsort(-np.take_along_axis(scores, best, 1), axis=1), 1)

    return rows
