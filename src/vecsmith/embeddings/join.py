"""Joining rows by id."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vecsmith.embeddings.embedding_set import EmbeddingSet
from vecsmith.errors import VecsmithError


def rows_of(ids: Iterable[str], all_ids: Iterable[str]) -> NDArray[np.int64]:
    """Return the position of each of n ids in `all_ids`, (n,); −1 for ids that it lacks."""
    rows = {id_: row for row, id_ in enumerate(all_ids)}
    return np.fromiter((rows.get(id_, -1) for id_ in ids), np.int64)


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

    source: NDArray[np.int64]
    target: NDArray[np.int64]
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
    target_rows = rows_of(source.ids, target.ids)
    rows = np.flatnonzero(target_rows >= 0)
    if not len(rows):
        raise VecsmithError(f"{source.source} and {target.source} have no id in common; embed the same texts.")
    pairs = Pairs(rows, target_rows[rows], len(source) - len(rows), len(target) - len(rows))
    if source.texts is not None and target.texts is not None:
        for row, other in zip(pairs.source.tolist(), pairs.target.tolist(), strict=True):
            if source.texts[row] != target.texts[other]:
                raise VecsmithError(
                    f"{source.source} and {target.source} have different texts for the id {source.ids[row]!r}; "
                    "embed the same texts."
                )
    return pairs
