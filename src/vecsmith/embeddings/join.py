"""Joining rows by id."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from vecsmith.array_types import RowNumbers
from vecsmith.embeddings.embedding_set import EmbeddingSet
from vecsmith.embeddings.strings import as_strings
from vecsmith.errors import VecsmithError

HASHED_IDS = 1_000_000
"""Ids in a hash table at a time; for ten million ids, one table would take a gigabyte."""


def rows_of(ids: Sequence[str], all_ids: Sequence[str]) -> RowNumbers:
    """Return the position of each of n ids in m other ids, (n,); −1 for ids that are not among them.

    Parameters
    ----------
    ids, all_ids : sequence of str
        Unique ids.
    """
    ours, theirs = as_strings(ids, "id"), as_strings(all_ids, "id")
    if len(ours) < len(theirs):
        places = rows_of(theirs, ours)
        among = np.flatnonzero(places >= 0)
        rows = np.full(len(ours), -1)
        rows[places[among]] = among
        return rows
    rows = np.full(len(ours), -1)
    for first in range(0, len(theirs), HASHED_IDS):
        hashed = theirs.arrow(first, min(first + HASHED_IDS, len(theirs)))
        for start, stop in ours.ranges():
            places = pc.fill_null(pc.index_in(ours.arrow(start, stop), value_set=hashed), -1).to_numpy()
            known = np.flatnonzero(places >= 0)
            rows[start + known] = first + places[known]
    return rows


@dataclass(frozen=True)
class Pairs:
    """Pairs of rows of two sets that have the same id.

    Attributes
    ----------
    source, target : ndarray of shape (n,), int64
        Row numbers in the two sets.
    only_source, only_target : int
        Number of rows of each set with an id that the other set lacks.
    """

    source: RowNumbers
    target: RowNumbers
    only_source: int
    only_target: int

    def __len__(self) -> int:
        return len(self.source)


def join(source: EmbeddingSet, target: EmbeddingSet) -> Pairs:
    """Join two sets by id, in the order of the source.

    Raises
    ------
    VecsmithError
        If the sets have no id in common, or different texts for an id (named in the message).
    """
    same = source.ids == target.ids
    target_rows = np.arange(len(source)) if same else rows_of(source.ids, target.ids)
    rows = np.flatnonzero(target_rows >= 0)
    if not len(rows):
        raise VecsmithError(f"{source.source} and {target.source} have no id in common; embed the same texts.")
    pairs = Pairs(rows, target_rows[rows], len(source) - len(rows), len(target) - len(rows))
    if source.texts is not None and target.texts is not None and not (same and source.texts == target.texts):
        different = source.texts.hashes()[pairs.source] != target.texts.hashes()[pairs.target]
        if different.any():
            id_ = source.ids[int(pairs.source[np.argmax(different)])]
            raise VecsmithError(
                f"{source.source} and {target.source} have different texts for the id {id_!r}; embed the same texts."
            )
    return pairs
