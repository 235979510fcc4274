"""Inverted lists (IVF): each document belongs to its nearest centroid, and a search scans the nearest few lists."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from vecsmith.array_types import Codes, Floats, RowMask, RowNumbers
from vecsmith.cached import DropsCache
from vecsmith.codecs import Codec
from vecsmith.codecs.stages import CODE_BLOCK_ROWS
from vecsmith.errors import VecsmithError
from vecsmith.index.shortlist import score_shortlist
from vecsmith.progress import track

ListNumbers = NDArray[np.int32]

KMEANS_ROUNDS = 10
"""Rounds of k-means, as in FAISS's own inverted lists."""


@dataclass(frozen=True)
class InvertedLists(DropsCache):
    """Assignment of documents to inverted lists: each to the centroid with the largest inner product.

    Attributes
    ----------
    centroids : ndarray of shape (n_lists, d), float32
        Unit vectors in the input space of the codec.
    numbers : ndarray of shape (n,), int32
        List number of each document; may be memory-mapped.
    """

    centroids: Floats
    numbers: ListNumbers

    @classmethod
    def assign(cls, centroids: Floats, codec: Codec, codes: Codes) -> Self:
        """Assign codes (n, bytes_per_vector) to the nearest centroids (n_lists, d); codes are decoded in blocks."""
        lists = cls(centroids, np.empty(len(codes), np.int32))
        starts = range(0, len(codes), CODE_BLOCK_ROWS)
        for start in track(starts, f"{len(codes)} vectors into {len(centroids)} lists", len(starts)):
            decoded = codec.decode(codes[start : start + CODE_BLOCK_ROWS])
            lists.numbers[start : start + CODE_BLOCK_ROWS] = lists.nearest(decoded, 1)[:, 0]
        return lists

    def nearest(self, Q: Floats, probes: int) -> RowNumbers:
        """Return the numbers (n, probes) of the lists nearest to vectors (n, d), nearest first."""
        return np.asarray(self._centroid_index.search(np.ascontiguousarray(Q), probes)[1])

    @cached_property
    def _centroid_index(self) -> Any:
        index = faiss.IndexFlatIP(self.centroids.shape[1])
        index.add(np.ascontiguousarray(self.centroids))
        return index


class InvertedIndex:
    """FAISS inverted lists of the codes in a flat FAISS index.

    Lists are selected in the input space of the codec, by float queries and centroids, and scanned in the space of the
    codes, by projected queries; FAISS calls this a preassigned search. A fast scan of 4-bit groups rounds scores to 8
    bits, so its candidates are scored exactly afterwards.

    Parameters
    ----------
    flat : faiss.Index
        The result of `Quantizer.index` for codes (n, bytes_per_vector).
    lists : InvertedLists
        The lists of these n documents.

    Raises
    ------
    VecsmithError
        If FAISS has no inverted lists for such codes.
    """

    def __init__(self, flat: Any, lists: InvertedLists) -> None:
        self._lists, self._flat, self._exact = lists, flat, flat_codes_of(flat)
        size = self._exact.ntotal, self._exact.code_size
        # a view of FAISS's memory, valid as long as `flat` lives
        self._codes = faiss.rev_swig_ptr(self._exact.codes.data(), size[0] * size[1]).reshape(size)
        index = empty_inverted_index(flat, len(lists.centroids))
        places = np.argsort(lists.numbers, kind="stable")
        ends = np.searchsorted(lists.numbers, np.arange(len(lists.centroids) + 1), sorter=places)
        for number, (start, stop) in enumerate(pairwise(ends.tolist())):
            members = places[start:stop]
            codes = self._codes[members]
            index.invlists.add_entries(number, len(members), faiss.swig_ptr(members), faiss.swig_ptr(codes))
        index.ntotal = len(places)
        self._is_fast_scan = isinstance(flat, faiss.IndexRefine)
        self._index = _fast_scan(index) if self._is_fast_scan else index

    def search(
        self, Q: Floats, projected: Floats, k: int, refine: int, probes: int, allowed: RowMask | None
    ) -> tuple[Floats, RowNumbers]:
        """Return the best documents of the nearest lists, best first.

        Parameters
        ----------
        Q : ndarray of shape (n, d), float32
            Queries, which select the lists.
        projected : ndarray of shape (n, e), float32
            The same queries in the space of the codes.
        k : int
            Documents per query.
        refine : int
            Candidates per result of a fast scan that are scored exactly.
        probes : int
            Number of lists per query.
        allowed : ndarray of shape (documents,), bool, or None
            Mask of the documents that may be returned; None allows all.

        Returns
        -------
        scores : ndarray of shape (n, k), float32
            Scores; −inf where the lists hold fewer than k documents.
        places : ndarray of shape (n, k), int64
            Positions among the codes; −1 where the lists hold fewer than k documents.
        """
        probes = min(probes, len(self._lists.centroids))
        n_candidates = min(refine * k, len(self._codes)) if self._is_fast_scan else k
        numbers = self._lists.nearest(Q, probes)
        scores, places = np.empty((len(Q), n_candidates), np.float32), np.empty((len(Q), n_candidates), np.int64)
        parameters = faiss.IVFSearchParameters(  # type: ignore[call-arg]  # FAISS wraps it at import
            nprobe=probes, sel=None if allowed is None else _selector(allowed)
        )
        # FAISS's Python wrapper of this method takes no parameters
        queries, coarse_scores = np.ascontiguousarray(projected), np.zeros(numbers.shape, np.float32)
        pointers = [faiss.swig_ptr(array) for array in (numbers, coarse_scores, scores, places)]
        self._index.search_preassigned_c(len(Q), faiss.swig_ptr(queries), n_candidates, *pointers, False, parameters)
        if not self._is_fast_scan:
            return np.where(places >= 0, scores, -np.inf), places
        self._complete(queries, numbers, places, allowed)
        scores = score_shortlist(queries, places, lambda places: self._exact.sa_decode(self._codes[places]))
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(scores, best, axis=1), np.take_along_axis(places, best, axis=1)

    def _complete(self, queries: Floats, numbers: RowNumbers, places: RowNumbers, allowed: RowMask | None) -> None:
        """Replace incomplete candidates (n, candidates) in `places` by those of an exact scan of the same lists.

        A fast scan never returns documents whose rounded score is 0, as all scores are for a query of zeros.
        """
        incomplete = np.flatnonzero((places < 0).any(axis=1))
        if not len(incomplete):
            return
        lists = self._lists.numbers
        sizes = np.bincount(lists if allowed is None else lists[allowed], minlength=len(self._lists.centroids))
        available, returned = sizes[numbers[incomplete]].sum(axis=1), (places[incomplete] >= 0).sum(axis=1)
        for query in incomplete[available > returned]:
            inside = np.isin(lists, numbers[query])
            members = np.flatnonzero(inside if allowed is None else inside & allowed)
            products = np.concatenate(
                [
                    self._exact.sa_decode(self._codes[members[start : start + CODE_BLOCK_ROWS]]) @ queries[query]
                    for start in range(0, len(members), CODE_BLOCK_ROWS)
                ]
            )
            best = members[np.argsort(-products, kind="stable")[: places.shape[1]]]
            places[query, : len(best)] = best


def learn_centroids(X: Floats, n_lists: int, seed: int) -> Floats:
    """Return centroids (n_lists, d), float32, learned from vectors by spherical k-means.

    Parameters
    ----------
    X : ndarray of shape (n, d), float32
        Training vectors, at least one per list.
    n_lists : int
        Number of centroids.
    seed : int
        Seed of k-means.
    """
    kmeans = faiss.Kmeans(
        X.shape[1],
        n_lists,
        niter=KMEANS_ROUNDS,
        seed=seed,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=len(X),
    )
    kmeans.train(np.ascontiguousarray(X))
    return np.asarray(kmeans.centroids)


def empty_inverted_index(flat: Any, n_lists: int) -> Any:
    """Return an empty FAISS index of `n_lists` inverted lists for the same kind of codes as a flat FAISS index.

    Raises
    ------
    VecsmithError
        If FAISS has no inverted lists for such codes.
    """
    exact = flat_codes_of(flat)
    # FAISS requires a coarse quantizer of the scan's dimensions; preassigned searches do not use it
    arguments = faiss.IndexFlatIP(exact.d), exact.d, n_lists
    index: Any
    if isinstance(flat, faiss.IndexRefine) and isinstance(exact, faiss.IndexPQ):
        index = faiss.IndexIVFPQ(*arguments, exact.pq.M, exact.pq.nbits, faiss.METRIC_INNER_PRODUCT)
        index.pq = exact.pq
    elif isinstance(exact, faiss.IndexScalarQuantizer):
        index = faiss.IndexIVFScalarQuantizer(*arguments, exact.sq.qtype, faiss.METRIC_INNER_PRODUCT, False)
        index.sq = exact.sq
    elif isinstance(exact, faiss.IndexFlat):
        index = faiss.IndexIVFFlat(*arguments, faiss.METRIC_INNER_PRODUCT)
    else:
        raise VecsmithError(
            f"There are no inverted lists for codes that FAISS scans by {type(exact).__name__}, as codecs of the form "
            "faiss:FACTORY do; encode with another codec, or choose a FACTORY with inverted lists, such as IVF."
        )
    index.by_residual, index.is_trained = False, True
    return index


def flat_codes_of(flat: Any) -> Any:
    """Return the FAISS index that stores the codes: the refinement of a fast scan, or else the flat index itself."""
    return faiss.downcast_index(flat.refine_index) if isinstance(flat, faiss.IndexRefine) else flat


def _fast_scan(lists: Any) -> Any:
    """Return the inverted lists of 4-bit codes in the layout of FAISS's fast scan, and release the original lists."""
    index: Any = faiss.IndexIVFPQFastScan(lists)
    # the fast scan points at the coarse quantizer of the original lists, which must stay alive
    index.orig_invlists, index.referenced_objects = None, lists.referenced_objects
    return index


def _selector(allowed: RowMask) -> Any:
    return faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))  # type: ignore[call-arg, arg-type]
