"""View of vectors that scales them to unit length on access."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecsmith.embeddings.checks import Vectors, normalize


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
        self._shards = shards
        self.blocks = blocks or {}
        self._starts = np.cumsum([0, *map(len, shards)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def shape(self) -> tuple[int, int]:
        """Number of vectors n and dimensions d."""
        return len(self), int(self._shards[0].shape[1])

    def __getitem__(self, rows: slice | NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Return the unit vectors (m, d) of a slice, or of row numbers (m,), without reading other rows."""
        if len(self._shards) == 1:
            return normalize(self._shards[0][rows])
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self)))
        shard_of = np.searchsorted(self._starts, rows, side="right") - 1
        result = np.empty((len(rows), self.shape[1]), np.result_type(np.float32, self._shards[0].dtype))
        for number in np.unique(shard_of):
            here = shard_of == number
            result[here] = self._shards[number][rows[here] - self._starts[number]]
        return normalize(result)
