"""Filters give the same answers as masks, whichever way they store the allowed rows."""

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from vecsmith.index.row_filter import MaskFilter, NumberFilter, RowFilter, row_filter

TOTAL = 5000
ALLOWED = np.array([3, 4, 77, 1200, 4999])


def filters() -> list[RowFilter]:
    mask = np.zeros(TOTAL, np.bool_)
    mask[ALLOWED] = True
    return [MaskFilter(mask), NumberFilter(ALLOWED)]


@pytest.mark.parametrize("chosen", filters())
def test_a_filter_is_its_mask(chosen: RowFilter) -> None:
    assert chosen.count == 5
    assert np.array_equal(chosen.rows, ALLOWED)
    assert np.array_equal(chosen.contains(np.array([[-1, 3], [5, 4999]])), [[False, True], [False, True]])
    index = faiss.IndexFlatIP(1)
    index.add(np.arange(TOTAL, dtype=np.float32)[:, None])
    parameters = faiss.SearchParameters(sel=chosen.selector)  # type: ignore[call-arg]  # FAISS wraps it at import
    found = index.search(np.ones((1, 1), np.float32), 6, params=parameters)[1]
    assert found.tolist() == [[4999, 1200, 77, 4, 3, -1]]


@pytest.mark.parametrize("chosen", filters())
@pytest.mark.parametrize("rows", [range(4, 1201), np.array([1200, 7, 3, 0])])
def test_a_part_of_a_filter_has_positions_in_the_part(chosen: RowFilter, rows: range | NDArray[np.int64]) -> None:
    inside = chosen.within(rows)
    assert inside is not None
    assert np.array_equal(np.asarray(rows)[inside.rows], [row for row in rows if row in ALLOWED])
    assert chosen.within(range(3, 5)) is None
    nothing = chosen.within(range(100, 200))
    assert nothing is not None and nothing.count == 0
    assert not nothing.contains(np.arange(100)).any()


def test_few_rows_are_stored_as_numbers_and_many_as_a_mask() -> None:
    few, many = row_filter(np.array([9, 2, 9]), TOTAL), row_filter(np.arange(6), TOTAL)
    assert isinstance(few, NumberFilter) and few.rows.tolist() == [2, 9]
    assert isinstance(many, MaskFilter) and many.count == 6
