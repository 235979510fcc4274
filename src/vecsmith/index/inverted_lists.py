"""Inverted lists (IVF): every document belongs to the nearest of many centroids, and a search scans the nearest few."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from vecsmith.cached import DropsCache
from vecsmith.codecs import Codec
from vecsmith.codecs.stages import BLOCK_ROWS, Codes, Floats
from vecsmith.errors import VecsmithError
from vecsmith.index.exact import Rows, score_shortlist
from vecsmith.progress import track

ListNumbers = NDArray[np.int32]

LISTS = 1
"""Lists, times the square root of the number of documents: to choose the nearest is then about to scan a few."""
SAMPLE = 64
"""Decoded vectors per list that the centroids are learned from; FAISS warns of fewer than 39."""
ROUNDS = 10
"""Rounds of k-means, as in FAISS's own inverted lists."""


@dataclass(frozen=True)
class Lists(DropsCache):
    """Which list every document of a part is in: that of the centroid whose inner product with its decoding is largest.

    Attributes
    ----------
    centroids : ndarray of shape (n_lists, d), float32
        Unit vectors in the space of the vectors that the codec takes.
    numbers : ndarray of shape (n,), int32
        The list of every document; memory-mapped or not.
    """

    centroids: Floats
    numbers: ListNumbers

    @classmethod
    def assign(cls, centroids: Floats, codec: Codec, codes: Codes) -> Self:
        """Put codes (n, bytes_per_vector) into lists, of which a block at a time is decoded."""
        lists = cls(centroids, np.empty(len(codes), np.int32))
        starts = range(0, len(codes), BLOCK_ROWS)
        for start in track(starts, f"{len(codes)} vectors into {len(centroids)} lists", len(starts)):
            decoded = codec.decode(codes[start : start + BLOCK_ROWS])
            lists.numbers[start : start + BLOCK_ROWS] = lists.nearest(decoded, 1)[:, 0]
        return lists

    def nearest(self, Q: Floats, probes: int) -> Rows:
        """Return the lists (n, probes) nearest to vectors (n, d), nearest first."""
        return np.asarray(self._coarse.search(np.ascontiguousarray(Q), probes)[1])

    @cached_property
    def _coarse(self) -> Any:
        coarse = faiss.IndexFlatIP(self.centroids.shape[1])
        coarse.add(np.ascontiguousarray(self.centroids))
        return coarse


class InvertedIndex:
    """FAISS's inverted lists of the codes that a flat FAISS index holds.

    The lists are chosen in the space of the vectors, by float queries and centroids, and scanned in that of the codes,
    by projected queries: FAISS calls that searching preassigned. A fast scan of 4-bit groups, whose 8-bit tables round
    the scores, is refined by exact scores, as is that of all codes.

    Parameters
    ----------
    flat : faiss.Index
        What `Quantizer.index` made of the codes (n, bytes_per_vector).
    lists : Lists
        The lists of these n documents.

    Raises
    ------
    VecsmithError
        As `empty_lists`.
    """

    def __init__(self, flat: Any, lists: Lists) -> None:
        self._lists, self._flat, self._exact = lists, flat, with_codes(flat)
        size = self._exact.ntotal, self._exact.code_size
        # a view of what FAISS holds, for as long as `flat` is held
        self._codes = faiss.rev_swig_ptr(self._exact.codes.data(), size[0] * size[1]).reshape(size)
        index = empty_lists(flat, len(lists.centroids))
        places = np.argsort(lists.numbers, kind="stable")
        ends = np.searchsorted(lists.numbers, np.arange(len(lists.centroids) + 1), sorter=places)
        for number, (start, stop) in enumerate(pairwise(ends.tolist())):
            here = places[start:stop]
            codes = self._codes[here]
            index.invlists.add_entries(number, len(here), faiss.swig_ptr(here), faiss.swig_ptr(codes))
        index.ntotal = len(places)
        self._rounds = isinstance(flat, faiss.IndexRefine)
        self._index = _fast_scan(index) if self._rounds else index

    def search(
        self, Q: Floats, projected: Floats, k: int, refine: int, probes: int, allowed: NDArray[np.bool_] | None
    ) -> tuple[Floats, Rows]:
        """Return the scores (n, k) and places of the best documents in the nearest lists, best first.

        Parameters
        ----------
        Q : ndarray of shape (n, d)
            Queries, which choose the lists.
        projected : ndarray of shape (n, e)
            The same as the scan takes them.
        k : int
            Documents a query; −∞ and −1 stand for those that the lists do not have.
        refine : int
            How many times k documents of a fast scan are scored exactly.
        probes : int
            Lists a query.
        allowed : ndarray of shape (documents,), bool, or None
            Which documents may be found; all by default.
        """
        probes = min(probes, len(self._lists.centroids))
        depth = min(refine * k, len(self._codes)) if self._rounds else k
        numbers = self._lists.nearest(Q, probes)
        scores, places = np.empty((len(Q), depth), np.float32), np.empty((len(Q), depth), np.int64)
        parameters = faiss.IVFSearchParameters(  # type: ignore[call-arg]  # FAISS wraps it at import
            nprobe=probes, sel=None if allowed is None else _selector(allowed)
        )
        # FAISS's wrapper for arrays takes no parameters
        queries, nearness = np.ascontiguousarray(projected), np.zeros(numbers.shape, np.float32)
        pointers = [faiss.swig_ptr(array) for array in (numbers, nearness, scores, places)]
        self._index.search_preassigned_c(len(Q), faiss.swig_ptr(queries), depth, *pointers, False, parameters)
        if not self._rounds:
            return np.where(places >= 0, scores, -np.inf), places
        self._fill(queries, numbers, places, allowed)
        scores = score_shortlist(queries, places, lambda places: self._exact.sa_decode(self._codes[places]))
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(scores, best, axis=1), np.take_along_axis(places, best, axis=1)

    def _fill(self, queries: Floats, numbers: Rows, places: Rows, allowed: NDArray[np.bool_] | None) -> None:
        """Find what a fast scan never finds: documents whose rounded scores are 0, as all are for a query of zeros.

        Where it found less than the lists have, the places (n, k) of a query become those of the best by exact scores.
        """
        short = np.flatnonzero((places < 0).any(axis=1))
        if not len(short):
            return
        lists = self._lists.numbers
        sizes = np.bincount(lists if allowed is None else lists[allowed], minlength=len(self._lists.centroids))
        for query in short[sizes[numbers[short]].sum(axis=1) > (places[short] >= 0).sum(axis=1)]:
            inside = np.isin(lists, numbers[query])
            members = np.flatnonzero(inside if allowed is None else inside & allowed)
            products = np.concatenate(
                [
                    self._exact.sa_decode(self._codes[members[start : start + BLOCK_ROWS]]) @ queries[query]
                    for start in range(0, len(members), BLOCK_ROWS)
                ]
            )
            best = members[np.argsort(-products, kind="stable")[: places.shape[1]]]
            places[query, : len(best)] = best


def learn_centroids(X: Floats, n_lists: int, seed: int) -> Floats:
    """Return the centroids (n_lists, d) of vectors (n, d) by spherical k-means."""
    kmeans = faiss.Kmeans(
        X.shape[1],
        n_lists,
        niter=ROUNDS,
        seed=seed,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=len(X),
    )
    kmeans.train(np.ascontiguousarray(X))
    return np.asarray(kmeans.centroids)


def empty_lists(flat: Any, n_lists: int) -> Any:
    """Return empty FAISS lists for codes as a flat FAISS index holds them.

    Raises
    ------
    VecsmithError
        If FAISS has no lists for such codes.
    """
    exact = with_codes(flat)
    # FAISS asks for a quantizer of the scan's dimensions, which is not used
    kind = faiss.IndexFlatIP(exact.d), exact.d, n_lists
    index: Any
    if isinstance(flat, faiss.IndexRefine) and isinstance(exact, faiss.IndexPQ):
        index = faiss.IndexIVFPQ(*kind, exact.pq.M, exact.pq.nbits, faiss.METRIC_INNER_PRODUCT)
        index.pq = exact.pq
    elif isinstance(exact, faiss.IndexScalarQuantizer):
        index = faiss.IndexIVFScalarQuantizer(*kind, exact.sq.qtype, faiss.METRIC_INNER_PRODUCT, False)
        index.sq = exact.sq
    elif isinstance(exact, faiss.IndexFlat):
        index = faiss.IndexIVFFlat(*kind, faiss.METRIC_INNER_PRODUCT)
    else:
        raise VecsmithError(
            f"There are no inverted lists for codes that FAISS scans by {type(exact).__name__}, as a codec faiss:… "
            "makes; encode with another codec, or name an index with lists of FAISS's own."
        )
    index.by_residual, index.is_trained = False, True
    return index


def _fast_scan(lists: Any) -> Any:
    """Return FAISS lists of 4-bit codes in the layout of the fast scan, without holding on to what they were."""
    index: Any = faiss.IndexIVFPQFastScan(lists)
    # of what it was made from only the quantizer stays, which it points at
    index.orig_invlists, index.referenced_objects = None, lists.referenced_objects
    return index


def _selector(allowed: NDArray[np.bool_]) -> Any:
    return faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))  # type: ignore[call-arg, arg-type]


def with_codes(flat: Any) -> Any:
    """Return the part of a flat FAISS index that has the codes."""
    return faiss.downcast_index(flat.refine_index) if isinstance(flat, faiss.IndexRefine) else flat
