"""Filters: the documents that a search may return, as a mask of all rows or as a few row numbers."""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from vecsmith.array_types import RowMask, RowNumbers
from vecsmith.cached import DropsCache

ROWS_PER_ALLOWED = 1000
"""Rows per allowed row from which on a filter stores row numbers, so that its cost does not grow with the rows.

FAISS looks up a number in a set about ten times as slowly as in a bitmap.
"""


class RowFilter(DropsCache, ABC):
    """The rows that a search may return."""

    @property
    @abstractmethod
    def count(self) -> int:
        """Number of allowed rows."""

    @property
    @abstractmethod
    def rows(self) -> RowNumbers:
        """Numbers (m,) of the allowed rows, in rising order."""

    @property
    @abstractmethod
    def selector(self) -> Any:
        """The FAISS ``IDSelector`` of the allowed rows."""

    @abstractmethod
    def contains(self, rows: RowNumbers) -> NDArray[np.bool_]:
        """Return a mask, in the shape of `rows`, of the allowed row numbers; −1, an empty place, is not allowed."""

    @abstractmethod
    def within(self, rows: RowNumbers | range) -> "RowFilter | None":
        """Return the filter of the positions in `rows` (p,) whose row is allowed; None if all are."""


class MaskFilter(RowFilter):
    """A filter that stores a mask of all rows.

    Parameters
    ----------
    mask : ndarray of shape (n,), bool
        Mask of the allowed rows.
    """

    def __init__(self, mask: RowMask) -> None:
        self.mask = mask

    @cached_property
    def count(self) -> int:
        return int(np.count_nonzero(self.mask))

    @property
    def rows(self) -> RowNumbers:
        return np.flatnonzero(self.mask)

    @cached_property
    def selector(self) -> Any:
        return faiss.IDSelectorBitmap(np.packbits(self.mask, bitorder="little"))  # type: ignore[call-arg, arg-type]

    def contains(self, rows: RowNumbers) -> NDArray[np.bool_]:
        return np.asarray(self.mask[rows] & (rows >= 0))

    def within(self, rows: RowNumbers | range) -> RowFilter | None:
        inside = MaskFilter(self.mask[rows.start : rows.stop] if isinstance(rows, range) else self.mask[rows])
        return None if inside.count == len(rows) else inside


class NumberFilter(RowFilter):
    """A filter that stores the numbers of the allowed rows.

    Parameters
    ----------
    rows : ndarray of shape (m,), int64
        Numbers of the allowed rows, in rising order.
    """

    def __init__(self, rows: RowNumbers) -> None:
        self._rows = rows

    @property
    def count(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> RowNumbers:
        return self._rows

    @cached_property
    def selector(self) -> Any:
        return faiss.IDSelectorBatch(self._rows)

    def contains(self, rows: RowNumbers) -> NDArray[np.bool_]:
        if not len(self._rows):
            return np.zeros(rows.shape, np.bool_)
        places = np.searchsorted(self._rows, rows)
        return np.asarray(self._rows.take(places, mode="clip") == rows)

    def within(self, rows: RowNumbers | range) -> RowFilter | None:
        if isinstance(rows, range):
            first, last = np.searchsorted(self._rows, [rows.start, rows.stop])
            inside = self._rows[first:last] - rows.start
        else:
            inside = np.flatnonzero(np.isin(rows, self._rows))
        return None if len(inside) == len(rows) else NumberFilter(inside)


def row_filter(rows: RowNumbers, total: int) -> RowFilter:
    """Return a filter that allows the row numbers (m,) among `total` rows."""
    if len(rows) * ROWS_PER_ALLOWED <= total:
        return NumberFilter(np.unique(rows))
    mask = np.zeros(total, np.bool_)
    mask[rows] = True
    return MaskFilter(mask)
