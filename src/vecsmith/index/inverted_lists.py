"""Inverted lists (IVF): each document belongs to its nearest centroid, and a search scans the nearest few lists."""

from collections.abc import Iterable
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
from vecsmith.codecs.scan import DecodedIndex, refined_fast_scan, search_decoded
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

    def by_list(self) -> tuple[RowNumbers, RowNumbers]:
        """Return the documents (n,) sorted by list, and where each list starts and the last one ends (n_lists + 1,)."""
        places = np.argsort(self.numbers, kind="stable")
        return places, np.searchsorted(self.numbers, np.arange(len(self.centroids) + 1), sorter=places)

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
        places, ends = lists.by_list()
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
        if not self._is_fast_scan:
            scores, places = self.candidates(Q, projected, k, probes, allowed)
            return np.where(places >= 0, scores, -np.inf), places
        n_candidates = min(refine * k, len(self._codes))
        places = self.candidates(Q, projected, n_candidates, probes, allowed)[1]
        scores = score_shortlist(projected, places, lambda places: self._exact.sa_decode(self._codes[places]))
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(scores, best, axis=1), np.take_along_axis(places, best, axis=1)

    def candidates(
        self, Q: Floats, projected: Floats, count: int, probes: int, allowed: RowMask | None
    ) -> tuple[Floats, RowNumbers]:
        """Return `count` documents per query, as `search`, with the rounded scores of a fast scan."""
        probes = min(probes, len(self._lists.centroids))
        numbers = self._lists.nearest(Q, probes)
        scores, places = np.empty((len(Q), count), np.float32), np.empty((len(Q), count), np.int64)
        parameters = faiss.IVFSearchParameters(  # type: ignore[call-arg]  # FAISS wraps it at import
            nprobe=probes, sel=None if allowed is None else _selector(allowed)
        )
        # FAISS's Python wrapper of this method takes no parameters
        coarse_scores = np.zeros(numbers.shape, np.float32)
        pointers = [faiss.swig_ptr(array) for array in (numbers, coarse_scores, scores, places)]
        self._index.search_preassigned_c(len(Q), faiss.swig_ptr(projected), count, *pointers, False, parameters)
        if self._is_fast_scan:
            self._complete(projected, numbers, places, allowed)
        return scores, places

    def _complete(self, queries: Floats, numbers: RowNumbers, places: RowNumbers, allowed: RowMask | None) -> None:
        """Replace incomplete candidates (n, candidates) in `places` by those of an exact scan of the same lists.

        A fast scan never returns documents whose rounded score is 0, as all scores are for a query of zeros.
        """
        for query in np.flatnonzero((places < 0).any(axis=1)):
            members = _allowed_members(map(self._members, numbers[query].tolist()), allowed)
            found = min(len(members), places.shape[1])
            if found > np.count_nonzero(places[query] >= 0):
                places[query, :found] = search_decoded(
                    self._exact.sa_decode, self._codes, queries[query, None], found, members
                )[1]

    def _members(self, number: int) -> RowNumbers:
        """Return the positions (m,) of the documents of a list."""
        lists = self._index.invlists
        return np.asarray(faiss.rev_swig_ptr(lists.get_ids(number), lists.list_size(number)))


class DecodedLists:
    """Inverted lists of codes that are decoded as they are searched; see `DecodedIndex`.

    Parameters
    ----------
    flat : DecodedIndex
        The codes.
    lists : InvertedLists
        The lists of these codes.
    """

    def __init__(self, flat: DecodedIndex, lists: InvertedLists) -> None:
        self._flat, self._lists = flat, lists
        self._places, self._ends = lists.by_list()

    def search(
        self, Q: Floats, projected: Floats, k: int, refine: int, probes: int, allowed: RowMask | None
    ) -> tuple[Floats, RowNumbers]:
        """Return the best documents of the nearest lists, as `InvertedIndex.search`."""
        scores, places = np.full((len(Q), k), -np.inf, np.float32), np.full((len(Q), k), -1, np.int64)
        for query, numbers in enumerate(self._lists.nearest(Q, min(probes, len(self._lists.centroids)))):
            members = _allowed_members((self._places[slice(*self._ends[n : n + 2])] for n in numbers), allowed)
            if found := min(len(members), k):
                best = self._flat.search_at(projected[query, None], members, found)
                scores[query, :found], places[query, :found] = best
        return scores, places


class SketchLists:
    """Inverted lists of sketches, which find candidates; the exact scores follow from the codes. See `SketchIndex`.

    Parameters
    ----------
    flat : SketchIndex
        The codes.
    sketches : faiss.IndexPQ
        Their sketches.
    lists : InvertedLists
        The lists of these codes.
    """

    def __init__(self, flat: Any, sketches: Any, lists: InvertedLists) -> None:
        self._flat, self._inverted = flat, InvertedIndex(refined_fast_scan(sketches), lists)

    def search(
        self, Q: Floats, projected: Floats, k: int, refine: int, probes: int, allowed: RowMask | None
    ) -> tuple[Floats, RowNumbers]:
        """Return the best documents of the nearest lists, as `InvertedIndex.search`."""
        count = self._flat.n_candidates(k)
        candidates = self._inverted.candidates(Q, self._flat.project(projected), count, probes, allowed)[1]
        exact: tuple[Floats, RowNumbers] = self._flat.rescore(projected, candidates, k)
        return exact


def inverted_index(flat: Any, lists: InvertedLists) -> InvertedIndex | DecodedLists | SketchLists:
    """Return the inverted lists of the codes in a flat index.

    Parameters
    ----------
    flat : faiss.Index or DecodedIndex
        The result of `Quantizer.index` for codes (n, bytes_per_vector).
    lists : InvertedLists
        The lists of these n documents.

    Raises
    ------
    VecsmithError
        If FAISS has no inverted lists for such codes.
    """
    if not isinstance(flat, DecodedIndex):
        return InvertedIndex(flat, lists)
    sketches = flat.product_index()
    return DecodedLists(flat, lists) if sketches is None else SketchLists(flat, sketches, lists)


def check_lists(flat: Any) -> None:
    """Check that there are inverted lists for the codes in a flat index, as `inverted_index`."""
    if not isinstance(flat, DecodedIndex):
        empty_inverted_index(flat, 1)


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


def _allowed_members(lists: Iterable[RowNumbers], allowed: RowMask | None) -> RowNumbers:
    """Return the members (m,) of several lists that a mask allows, in the order of the documents."""
    members = np.sort(np.concatenate(list(lists)))
    return members if allowed is None else members[allowed[members]]


def _selector(allowed: RowMask) -> Any:
    return faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))  # type: ignore[call-arg, arg-type]
