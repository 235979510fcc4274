"""Index of some of the documents of an index."""

from collections.abc import Sequence

import numpy as np

from vecsmith.array_types import RowNumbers
from vecsmith.index.index import Index
from vecsmith.index.scanning import CodePartition


def subset(index: Index, rows: RowNumbers, ids: Sequence[str] | None = None) -> Index:
    """Return an index of the documents in `rows` (m,), which must ascend, with the scoring of `index`.

    Parameters
    ----------
    index : Index
        An index to which no documents were added.
    rows : ndarray of shape (m,), int64
        Row numbers, in ascending order. They become 0 to m − 1.
    ids : sequence of str, optional
        Ids of these documents; row numbers by default.
    """
    parts = []
    for part in index.partitions:
        inside = np.isin(part.rows, rows)
        if inside.any():
            part_rows = np.asarray(part.rows)[inside]
            parts.append(CodePartition(part.codec, part.codes[inside], np.searchsorted(rows, part_rows)))
    originals = None if index.originals is None else index.originals[rows]
    return Index.from_partitions(parts, index.scoring, originals, ids)
