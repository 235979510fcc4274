"""Search of inverted lists: a query scans the documents of the lists nearest to it."""

from typing import Any

import faiss
import numpy as np

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.codecs.scan import DecodedIndex, search_decoded
from vecsmith.index.compiled_list_scan import CompiledListScan
from vecsmith.index.inverted_lists import InvertedLists
from vecsmith.index.list_scan import (
    allowed_members,
    codes_in,
    empty_inverted_index,
    flat_codes_of,
    list_scan,
    score_candidates,
)
from vecsmith.index.row_filter import RowFilter


class InvertedIndex:
    """Inverted lists of the codes in a flat FAISS index; the candidates of a fast scan are scored exactly.

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
        # the codes are a view of memory that belongs to `flat`
        self._flat, self._exact = flat, flat_codes_of(flat)
        self._codes, self._is_fast_scan = codes_in(self._exact), isinstance(flat, faiss.IndexRefine)
        self._scan = list_scan(self._exact, lists, self._is_fast_scan)

    def search(
        self, Q: Floats, projected: Floats, k: int, refine: int, probes: int, allowed: RowFilter | None
    ) -> tuple[Floats, RowNumbers]:
        """Return exact scores of the best documents of the nearest lists, in no particular order.

        Parameters
        ----------
        Q : ndarray of shape (n, d), float32
            Queries, which select the lists.
        projected : ndarray of shape (n, e), float32
            The same queries in the space of the codes.
        k : int
            Results per query.
        refine : int
            Candidates per result of a fast scan that are scored exactly.
        probes : int
            Number of lists per query.
        allowed : RowFilter or None
            Filter of the positions of the documents that may be returned; None allows all.

        Returns
        -------
        scores : ndarray of shape (n, c), float32
            Scores of at least k documents; −inf where the lists hold fewer.
        places : ndarray of shape (n, c), int64
            Positions among the codes; −1 where the lists hold fewer documents.
        """
        if not self._is_fast_scan:
            scores, places, _ = self._scan.candidates(Q, projected, k, probes, allowed)
            return np.where(places >= 0, scores, -np.inf), places
        count = min(refine * k, len(self._codes))
        if isinstance(self._scan, CompiledListScan):
            return self._scan.search(Q, projected, count, probes, allowed)
        _, places, incomplete = self._scan.candidates(Q, projected, count, probes, allowed)
        for query, members in incomplete.items():
            found = min(len(members), count)
            exact = search_decoded(self._exact.sa_decode, self._codes, projected[query, None], found, members)
            places[query, :found] = exact[1]
        return score_candidates(self._exact, projected, places), places


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
        self, Q: Floats, projected: Floats, k: int, refine: int, probes: int, allowed: RowFilter | None
    ) -> tuple[Floats, RowNumbers]:
        """Return exact scores of the best documents of the nearest lists, as `InvertedIndex.search`."""
        scores, places = np.full((len(Q), k), -np.inf, np.float32), np.full((len(Q), k), -1, np.int64)
        for query, numbers in enumerate(self._lists.nearest(Q, min(probes, len(self._lists.centroids)))):
            members = allowed_members((self._places[slice(*self._ends[n : n + 2])] for n in numbers), allowed)
            if found := min(len(members), k):
                best = self._flat.search_at(projected[query, None], members, found)
                scores[query, :found], places[query, :found] = best
        return scores, places


class SketchLists:
    """Inverted lists of sketches, which find candidates; the exact scores follow from the codes. See `SketchIndex`.

    Parameters
    ----------
    flat : SketchIndex
        The codes and their sketches.
    lists : InvertedLists
        The lists of these codes.
    """

    def __init__(self, flat: Any, lists: InvertedLists) -> None:
        self._flat, self._scan = flat, list_scan(flat.product_index(), lists, is_fast_scan=True)

    def search(
        self, Q: Floats, projected: Floats, k: int, refine: int, probes: int, allowed: RowFilter | None
    ) -> tuple[Floats, RowNumbers]:
        """Return exact scores of the best documents of the nearest lists, as `InvertedIndex.search`."""
        sketched, count = self._flat.project(projected), self._flat.n_candidates(k)
        estimates, candidates, incomplete = self._scan.candidates(Q, sketched, count, probes, allowed)
        scores, places = self._flat.rescore(projected, candidates, estimates, k)
        for query, members in incomplete.items():
            found = min(len(members), k)
            exact = self._flat.search_at(projected[query, None], members, found)
            scores[query, :found], places[query, :found] = exact
        return scores, places


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
    return SketchLists(flat, lists) if flat.sketched else DecodedLists(flat, lists)


def check_lists(flat: Any) -> None:
    """Check that there are inverted lists for the codes in a flat index.

    Raises
    ------
    VecsmithError
        As for `inverted_index`.
    """
    if not isinstance(flat, DecodedIndex):
        empty_inverted_index(flat_codes_of(flat), 1, isinstance(flat, faiss.IndexRefine))
