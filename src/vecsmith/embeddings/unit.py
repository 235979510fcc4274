"""View of vectors that scales them to unit length on access."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecsmith.array_types import Floats, Vectors
from vecsmith.embeddings.checks import normalize
from vecsmith.embeddings.shards import as_shards


class UnitVectors:
    """View of the vectors (n, d) of shards that scales them to unit length on access; the input of codecs.

    Parameters
    ----------
    shards : sequence of ndarray of shape (rows, d)
        The vectors, which may be memory-mapped.
    blocks : mapping of str to int, optional
        Names and dimensions of the models in fused vectors.

    Examples
    --------
    >>> import numpy as np
    >>> view = UnitVectors([np.array([[3.0, 4.0]]), np.array([[0.0, 2.0], [1.0, 0.0]])])
    >>> view[1:]
    array([[0., 1.],
           [1., 0.]], dtype=float32)
    """

    ndim = 2

    def __init__(self, shards: Sequence[Vectors], blocks: Mapping[str, int] | None = None) -> None:
        self.shards = as_shards(shards)
        self.blocks = blocks or {}

    def __len__(self) -> int:
        return self.shards.rows

    @property
    def shape(self) -> tuple[int, int]:
        """Number of vectors n and dimensions d."""
        return len(self), self.shards.dimensions

    def __getitem__(self, rows: slice | NDArray[np.integer[Any]]) -> Floats:
        """Return the unit vectors (m, d) of a slice, or of row numbers (m,), without reading other rows."""
        return normalize(self.shards.read(rows))
