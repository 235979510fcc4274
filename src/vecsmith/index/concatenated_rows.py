"""Ids and texts of several sets of rows in sequence, without the deleted rows."""

from collections.abc import Sequence
from itertools import accumulate, compress, pairwise
from typing import Any

from vecsmith.array_types import RowMask
from vecsmith.embeddings import Rows


class ConcatenatedRows(Rows):
    """Ids and texts of several sets of rows, one set after the other.

    Parameters
    ----------
    sets : sequence of Rows
        The sets.
    mask : ndarray of shape (n,), bool, optional
        Mask of the rows to include; all by default.
    """

    def __init__(self, sets: Sequence[Rows], mask: RowMask | None = None) -> None:
        self._blocks = [(rows, number) for rows in sets for number in range(len(rows._starts) - 1)]
        sizes = [rows._starts[number + 1] - rows._starts[number] for rows, number in self._blocks]
        starts = list(accumulate(sizes, initial=0))
        self._masks = None if mask is None else [mask[start:stop] for start, stop in pairwise(starts)]
        self._starts = starts if self._masks is None else [0, *accumulate(int(part.sum()) for part in self._masks)]
        self.has_texts = any(rows.has_texts for rows in sets)

    def _block(self, number: int, column: Any) -> Sequence[str]:
        rows, place = self._blocks[number]
        if column == "text" and not rows.has_texts:
            values: Sequence[str] = [""] * (rows._starts[place + 1] - rows._starts[place])
        else:
            values = rows._block(place, column)
        return values if self._masks is None else list(compress(values, self._masks[number]))
