"""A scan of FAISS's inverted lists, which returns candidates."""

from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from typing import Any

import faiss
import numpy as np

from vecsmith.array_types import Codes, Floats, RowNumbers
from vecsmith.codecs.compiled_modules import compiled_module
from vecsmith.codecs.quantizers.nibbles import codebooks_of
from vecsmith.codecs.scan import without_overflow
from vecsmith.errors import VecsmithError
from vecsmith.index.compiled_list_scan import CompiledListScan
from vecsmith.index.inverted_lists import InvertedLists
from vecsmith.index.row_filter import RowFilter
from vecsmith.index.shortlist import score_shortlist


class ListScan:
    """FAISS inverted lists, whose scan returns candidates.

    Lists are selected in the input space of the codec, by float queries and centroids, and scanned in the space of the
    codes, by projected queries; FAISS calls this a preassigned search. A fast scan of 4-bit groups rounds scores to 8
    bits.

    Parameters
    ----------
    exact : faiss.Index
        The FAISS index that stores the codes (n, bytes); it is only read here.
    lists : InvertedLists
        The lists of these n documents.
    is_fast_scan : bool
        Whether the lists are scanned by FAISS's 4-bit fast scan.

    Raises
    ------
    VecsmithError
        If FAISS has no inverted lists for such codes.
    """

    def __init__(self, exact: Any, lists: InvertedLists, is_fast_scan: bool) -> None:
        self._lists, self._is_fast_scan = lists, is_fast_scan
        self._codebooks = codebooks_of(exact) if is_fast_scan else None
        index, codes = empty_inverted_index(exact, len(lists.centroids), is_fast_scan), codes_in(exact)
        places, ends = lists.by_list()
        for number, (start, stop) in enumerate(pairwise(ends.tolist())):
            members = places[start:stop]
            listed = codes.take(members, axis=0)
            index.invlists.add_entries(number, len(members), faiss.swig_ptr(members), faiss.swig_ptr(listed))
        index.ntotal = len(places)
        self._index = _fast_scan(index) if is_fast_scan else index

    def candidates(
        self, Q: Floats, projected: Floats, count: int, probes: int, allowed: RowFilter | None
    ) -> tuple[Floats, RowNumbers, dict[int, RowNumbers]]:
        """Scan the nearest lists.

        Parameters
        ----------
        Q : ndarray of shape (n, d), float32
            Queries, which select the lists.
        projected : ndarray of shape (n, e), float32
            The same queries in the space of the codes.
        count : int
            Candidates per query.
        probes : int
            Number of lists per query.
        allowed : RowFilter or None
            Filter of the positions of the documents that may be returned; None allows all.

        Returns
        -------
        scores : ndarray of shape (n, count), float32
            Scores, best first, which a fast scan rounds.
        places : ndarray of shape (n, count), int64
            Positions among the codes; −1 at empty places.
        incomplete : dict of int to ndarray of shape (m,), int64
            Queries with too few candidates, and all documents of their lists. A fast scan never returns documents whose
            rounded score is 0, as all scores are for a query of zeros.
        """
        probes = min(probes, len(self._lists.centroids))
        numbers = self._lists.nearest(Q, probes)
        if self._codebooks is not None:
            projected = without_overflow(projected, self._codebooks)
        scores, places = np.empty((len(Q), count), np.float32), np.empty((len(Q), count), np.int64)
        parameters = _parameters(probes)
        if allowed is not None:
            parameters = faiss.IVFSearchParameters(nprobe=probes, sel=allowed.selector)  # type: ignore[call-arg]
        # FAISS's Python wrapper of this method takes no parameters
        projected, coarse_scores = np.ascontiguousarray(projected), np.zeros(numbers.shape, np.float32)
        pointers = [faiss.swig_ptr(array) for array in (numbers, coarse_scores, scores, places)]
        self._index.search_preassigned_c(len(Q), faiss.swig_ptr(projected), count, *pointers, False, parameters)
        incomplete = {}
        if self._is_fast_scan and (places[:, -1] < 0).any():
            for query in np.flatnonzero(places[:, -1] < 0).tolist():
                members = allowed_members(map(self._members, numbers[query].tolist()), allowed)
                if min(len(members), count) > np.count_nonzero(places[query] >= 0):
                    incomplete[query] = members
        return scores, places, incomplete

    def _members(self, number: int) -> RowNumbers:
        """Return the positions (m,) of the documents of a list."""
        lists = self._index.invlists
        # FAISS returns floats for an empty list
        return np.asarray(faiss.rev_swig_ptr(lists.get_ids(number), lists.list_size(number)), np.int64)


def list_scan(exact: Any, lists: InvertedLists, is_fast_scan: bool) -> ListScan | CompiledListScan:
    """Return a scan of inverted lists: vecsmith's compiled scan of 4-bit codes, or FAISS's. See `ListScan`."""
    kernels = compiled_module("vecsmith.codecs._nibble_list_kernels") if is_fast_scan else None
    if kernels is None or exact.code_size > kernels.MAX_BYTES:
        return ListScan(exact, lists, is_fast_scan)
    return CompiledListScan(codes_in(exact), codebooks_of(exact), lists, kernels)


def empty_inverted_index(exact: Any, n_lists: int, is_fast_scan: bool) -> Any:
    """Return an empty FAISS index with inverted lists.

    Parameters
    ----------
    exact : faiss.Index
        A FAISS index of the same kind of codes.
    n_lists : int
        Number of lists.
    is_fast_scan : bool
        Whether the lists will be scanned by FAISS's 4-bit fast scan.

    Raises
    ------
    VecsmithError
        If FAISS has no inverted lists for such codes.
    """
    # FAISS requires a coarse quantizer of the scan's dimensions; preassigned searches do not use it
    arguments = faiss.IndexFlatIP(exact.d), exact.d, n_lists
    index: Any
    if is_fast_scan:
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


def codes_in(exact: Any) -> Codes:
    """Return the codes (n, bytes) that a FAISS index stores, as a view that is valid as long as the index lives."""
    size = exact.ntotal, exact.code_size
    return np.asarray(faiss.rev_swig_ptr(exact.codes.data(), size[0] * size[1]).reshape(size))


def score_candidates(exact: Any, Q: Floats, places: RowNumbers) -> Floats:
    """Return the exact scores (n, c) of each query's own candidates; −inf at empty places.

    Parameters
    ----------
    exact : faiss.Index
        The FAISS index that stores the codes.
    Q : ndarray of shape (n, e), float32
        Queries in the space of the codes.
    places : ndarray of shape (n, c), int64
        Positions of the candidates among the codes; −1 marks an empty place.
    """
    codes = codes_in(exact)
    return score_shortlist(Q, places, lambda rows: np.asarray(exact.sa_decode(codes.take(rows, axis=0))))


def allowed_members(lists: Iterable[RowNumbers], allowed: RowFilter | None) -> RowNumbers:
    """Return the members (m,) of several lists that a filter allows."""
    members = np.concatenate(list(lists))
    return members if allowed is None else members[allowed.contains(members)]


def _fast_scan(lists: Any) -> Any:
    """Return the inverted lists of 4-bit codes in the layout of FAISS's fast scan, and release the original lists."""
    index: Any = faiss.IndexIVFPQFastScan(lists)
    # the fast scan points at the coarse quantizer of the original lists, which must stay alive
    index.orig_invlists, index.referenced_objects = None, lists.referenced_objects
    return index


@lru_cache
def _parameters(probes: int) -> Any:
    """Return FAISS's search parameters without a filter; making them takes as long as scanning a list."""
    return faiss.IVFSearchParameters(nprobe=probes)  # type: ignore[call-arg]  # FAISS wraps it at import
