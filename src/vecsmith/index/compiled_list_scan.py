"""A scan of inverted lists by a function that numba compiles, which returns candidates."""

from typing import Any

import numpy as np

from vecsmith.array_types import Codes, Floats, RowMask, RowNumbers
from vecsmith.codecs.nibble_scan import QUERIES_PER_BATCH, blocks_of, in_batches
from vecsmith.index.inverted_lists import InvertedLists
from vecsmith.index.row_filter import RowFilter


class CompiledListScan:
    """Inverted lists of 4-bit codes, which are scanned as by `vecsmith.codecs.nibble_scan.CompiledScan`.

    Parameters
    ----------
    codes : ndarray of shape (n, bytes), uint8
        Codes of groups of four bits.
    codebooks : ndarray of shape (G, 16, v), float32
        Codebook entries of every group.
    lists : InvertedLists
        The lists of these n documents.
    kernels : module
        `vecsmith.codecs._nibble_list_kernels`.
    """

    def __init__(self, codes: Codes, codebooks: Floats, lists: InvertedLists, kernels: Any) -> None:
        self._lists, self._codebooks, self._kernels = lists, codebooks, kernels
        self._members, self._ends = lists.by_list()
        self._first_blocks = np.cumsum([0, *-(-np.diff(self._ends) // kernels.BLOCK)])
        self._blocks = np.empty((self._first_blocks[-1], *blocks_of(codes[:0], kernels).shape[1:]), np.uint8)
        for number in range(len(lists.centroids)):
            listed = codes.take(self._members_of(number), axis=0)
            self._blocks[slice(*self._first_blocks[number : number + 2])] = blocks_of(listed, kernels)

    def candidates(
        self, Q: Floats, projected: Floats, count: int, probes: int, allowed: RowFilter | None
    ) -> tuple[Floats, RowNumbers, dict[int, RowNumbers]]:
        """Scan the nearest lists; see `vecsmith.index.list_scan.ListScan.candidates`. No query is incomplete."""
        return *self._search(Q, projected, count, probes, allowed, is_exact=False), {}

    def search(
        self, Q: Floats, projected: Floats, count: int, probes: int, allowed: RowFilter | None
    ) -> tuple[Floats, RowNumbers]:
        """Return the exact scores (n, count) of the candidates of a scan, −inf at empty places, and the candidates."""
        return self._search(Q, projected, count, probes, allowed, is_exact=True)

    def _search(
        self, Q: Floats, projected: Floats, count: int, probes: int, allowed: RowFilter | None, is_exact: bool
    ) -> tuple[Floats, RowNumbers]:
        numbers = self._lists.nearest(Q, min(probes, len(self._lists.centroids)))
        projected = np.ascontiguousarray(projected, np.float32)
        scores, places = np.empty((len(Q), count), np.float32), np.empty((len(Q), count), np.int64)
        lists = self._blocks, self._first_blocks, self._ends, self._members, self._codebooks

        def fill(rows: slice) -> None:
            queries = projected[rows], numbers[rows], self._mask(numbers[rows], allowed)
            self._kernels.search(*lists, *queries, scores[rows], places[rows], is_exact)

        in_batches(fill, len(Q), QUERIES_PER_BATCH if allowed is None else 1)
        return scores, places

    def _mask(self, numbers: RowNumbers, allowed: RowFilter | None) -> RowMask:
        """Return whether a filter allows the members of the lists (1, probes) of one query; without one, no members."""
        if allowed is None:
            return np.empty(0, np.bool_)
        return allowed.contains(np.concatenate([self._members_of(number) for number in numbers[0]]))

    def _members_of(self, number: int) -> RowNumbers:
        """Return the positions (m,) of the documents of a list."""
        return self._members[slice(*self._ends[number : number + 2])]
