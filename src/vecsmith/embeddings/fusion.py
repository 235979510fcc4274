"""Fusion of embedding sets: unit vectors of several models, aligned by id and concatenated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from vecsmith.array_types import Floats, RowNumbers, Vectors
from vecsmith.embeddings.checks import as_vectors
from vecsmith.embeddings.embedding_set import EmbeddingSet
from vecsmith.embeddings.join import rows_of
from vecsmith.embeddings.provenance import Provenance, joined_prompt
from vecsmith.embeddings.shards import Shards
from vecsmith.embeddings.unit import UnitVectors
from vecsmith.errors import VecsmithError

MultiModelVectors = Sequence[EmbeddingSet | Vectors]
"""One set or array per model, with the same rows."""
VectorsLike = EmbeddingSet | UnitVectors | ArrayLike
"""Vectors (n, d) of one model, or concatenated vectors of several."""

IDS_IN_ERROR = 3
"""Maximum number of ids in an error message."""


def fuse(sets: Sequence[EmbeddingSet]) -> EmbeddingSet:
    """Return one set of the concatenated unit vectors of several sets with the same ids.

    Row order and texts are taken from the first set. Vectors are not copied; a row is concatenated when it is read.

    Parameters
    ----------
    sets : sequence of EmbeddingSet
        Sets of m models, with vectors (n, d₁) … (n, dₘ) and the same ids.

    Returns
    -------
    EmbeddingSet
        Vectors (n, d₁ + … + dₘ), float32, in which the block of each model has norm 1. `EmbeddingSet.blocks` has the
        names and dimensions of the blocks.

    Raises
    ------
    VecsmithError
        If the ids differ; the message names some of them.

    Examples
    --------
    >>> import numpy as np
    >>> a = EmbeddingSet(np.array([[3.0, 4.0], [1.0, 0.0]]), ["x", "y"])
    >>> b = EmbeddingSet(np.array([[2.0], [5.0]]), ["y", "x"])
    >>> fuse([a, b]).vectors[:]
    array([[0.6, 0.8, 1. ],
           [1. , 0. , 1. ]], dtype=float32)
    """
    if not sets:
        raise VecsmithError("No embedding set was given to fuse; give two or more.")
    if len(sets) == 1:
        return sets[0]
    first = sets[0]
    orders = [_order(first, each) for each in sets]
    vectors = ConcatenatedVectors([ModelBlock(each.unit, order) for each, order in zip(sets, orders, strict=True)])
    zero_rows = first.zero_rows
    for each, order in zip(sets[1:], orders[1:], strict=True):
        if len(zero_rows):
            zero_rows = zero_rows[np.isin(zero_rows if order is None else order[zero_rows], each.zero_rows)]
    source = " + ".join(each.source for each in sets)
    return EmbeddingSet.from_parts(Shards([cast("Vectors", vectors)]), first.rows, _provenance(sets), source, zero_rows)


def is_multi_model(X: Any) -> bool:
    """Return whether `X` is a list of sets or arrays (n, d), one per model, rather than one array-like of vectors."""
    return isinstance(X, list | tuple) and any(isinstance(each, EmbeddingSet) or np.ndim(each) == 2 for each in X)


def fuse_models(models: MultiModelVectors) -> EmbeddingSet:
    """Fuse one set or array per model (see `fuse`); arrays are named by their number."""
    return fuse(
        [
            each if isinstance(each, EmbeddingSet) else EmbeddingSet(each, source=f"vectors {number}")
            for number, each in enumerate(models, start=1)
        ]
    )


def as_unit(X: VectorsLike, name: str = "the vectors") -> UnitVectors:
    """Return a view of the vectors of a set or an array-like (n, d) that scales them to unit length on access.

    Both the Python API and the command line normalize vectors here.

    Raises
    ------
    VecsmithError
        If they are not floats of shape (n, d); see `as_vectors`.
    """
    if isinstance(X, UnitVectors):
        return X
    return X.unit if isinstance(X, EmbeddingSet) else UnitVectors([as_vectors(X, name)])


def check_blocks(expected: Mapping[str, int], blocks: Mapping[str, int], user: object) -> None:
    """Raise an error if blocks have other dimensions, or the same models in another order; unknown blocks pass.

    Parameters
    ----------
    expected, blocks : mapping of str to int
        Names and dimensions of the models.
    user : object
        The caller, such as a codec, whose text is in the error message.

    Raises
    ------
    VecsmithError
        If the blocks differ.
    """
    if not (expected and blocks):
        return
    widths = list(blocks.values()) == list(expected.values())
    if widths and (list(blocks) == list(expected) or blocks.keys() != expected.keys()):
        return
    ours, theirs = (", ".join(f"{name} ({d})" for name, d in each.items()) for each in (expected, blocks))
    raise VecsmithError(f"{user} is fitted on {ours}, but got {theirs}; give the same models in that order.")


@dataclass(frozen=True)
class ModelBlock:
    """Unit vectors of one model.

    Attributes
    ----------
    unit : UnitVectors
        (n, d).
    order : ndarray of shape (n,) or None
        Row number of each row of the fused set; None if the order is the same.
    """

    unit: UnitVectors
    order: RowNumbers | None = None

    def __getitem__(self, rows: slice | NDArray[np.integer[Any]]) -> Floats:
        """Return rows (m, d)."""
        return self.unit[rows if self.order is None else self.order[rows]]


class ConcatenatedVectors:
    """Unit vectors of several models, concatenated on access to (n, d₁ + … + dₘ) float32: the shard of a fused set.

    Parameters
    ----------
    blocks : sequence of ModelBlock
        One block per model, with the same number of rows.
    """

    ndim = 2
    dtype = np.dtype(np.float32)

    def __init__(self, blocks: Sequence[ModelBlock]) -> None:
        self._blocks = blocks

    def __len__(self) -> int:
        return len(self._blocks[0].unit)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows n and dimensions d₁ + … + dₘ."""
        return len(self), sum(block.unit.shape[1] for block in self._blocks)

    @property
    def folders(self) -> set[Path]:
        """Folders from which the vectors are read."""
        return set().union(*(block.unit.shards.folders for block in self._blocks))

    def __getitem__(self, rows: slice | NDArray[np.integer[Any]]) -> Floats:
        """Return the rows of a slice or of row numbers (m,), without reading other rows."""
        count = len(range(*rows.indices(len(self)))) if isinstance(rows, slice) else len(rows)
        result, start = np.empty((count, self.shape[1]), np.float32), 0
        for block in self._blocks:
            width = block.unit.shape[1]
            result[:, start : start + width] = block[rows]
            start += width
        return result

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype or np.float32, copy=False)


def _order(first: EmbeddingSet, other: EmbeddingSet) -> RowNumbers | None:
    """Return the row in `other` of each id of `first`, (n,); None if the ids have the same order."""
    if first.ids == other.ids:
        return None
    rows = rows_of(first.ids, other.ids)
    if len(other) > len(first) or (rows < 0).any():
        missing, extra = np.flatnonzero(rows < 0), np.flatnonzero(rows_of(other.ids, first.ids) < 0)
        raise VecsmithError(
            f"{other.source} lacks {_named(first, missing)} of {first.source} and has {_named(other, extra)} more; "
            "fuse sets with the same ids."
        )
    return rows


def _named(embedded: EmbeddingSet, rows: RowNumbers) -> str:
    """Return the number of rows and some of their ids, for an error message."""
    if not len(rows):
        return "no id"
    named = ", ".join(repr(embedded.ids[row]) for row in rows[:IDS_IN_ERROR])
    return f"{len(rows)} id{'s' * (len(rows) > 1)} ({named}{', …' * (len(rows) > IDS_IN_ERROR)})"


def _provenance(sets: Sequence[EmbeddingSet]) -> Provenance:
    """Return the provenance of fused vectors: values that all models share, otherwise all values joined."""
    origins = [each.provenance for each in sets]
    lengths = {origin.max_length for origin in origins}
    blocks: dict[str, int] = {}
    for each in sets:
        for name, width in (each.blocks or {each.name: each.dimensions}).items():
            taken = sum(known.partition("#")[0] == name for known in blocks)
            blocks[f"{name}#{taken + 1}" if taken else name] = width
    return Provenance(
        encoder="+".join(origin.encoder for origin in origins) if all(origin.encoder for origin in origins) else "",
        revision="+".join(origin.revision for origin in origins).strip("+"),
        prompt=joined_prompt([origin.prompt for origin in origins]),
        pooling="+".join(dict.fromkeys(origin.pooling for origin in origins)).strip("+"),
        max_length=lengths.pop() if len(lengths) == 1 else None,
        dataset=origins[0].dataset,
        content_hash=origins[0].content_hash,
        blocks=blocks,
    )
