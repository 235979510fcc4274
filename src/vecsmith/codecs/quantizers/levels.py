"""Lloyd-Max quantization with three or four levels per dimension: 1.5 and 2 bits."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from vecsmith.codecs.quantizers.nibbles import ENTRIES, NibbleQuantizer
from vecsmith.codecs.stages import CACHE_BLOCK_ROWS, Codes, Floats
from vecsmith.embeddings import sample_rows

TRAINING_VECTORS = 20_000
"""Maximum number of vectors that the levels are fitted on, which is enough for one dimension."""
MAX_ITERATIONS = 100
"""Maximum number of iterations of Lloyd's algorithm."""


class _Levels(NibbleQuantizer):
    """Levels of least squared error for each dimension, with a codebook for each pair of dimensions.

    A codebook entry is a pair of levels, and each pair of values is coded by its nearest entry. An odd last dimension
    is paired with zeros.

    Attributes
    ----------
    entries_ : ndarray of shape (pairs, entries, 2)
        The codebook of each pair of dimensions.

    References
    ----------
    S. Lloyd 1982, Least squares quantization in PCM; J. Max 1960, Quantizing for minimum distortion.
    """

    state: ClassVar = {"entries_": ("*", "*", "*")}
    _count: ClassVar[int]

    entries_: Floats

    def _fit(self, X: Floats, seed: int) -> None:
        pairs = self._pairs(X[sample_rows(len(X), TRAINING_VECTORS, seed)])
        levels = np.stack([lloyd_max(values, self._count) for values in pairs.reshape(len(pairs), -1).T])
        first, second = levels[::2], levels[1::2]
        grid = np.stack(np.broadcast_arrays(first[:, None, :], second[:, :, None]), axis=3)
        self.entries_ = self._coded_entries(grid.reshape(len(grid), -1, 2).astype(np.float32), pairs)

    def _coded_entries(self, entries: Floats, pairs: Floats) -> Floats:
        """Return the entries that get a code."""
        return entries

    def _pairs(self, X: Floats) -> Floats:
        """Return `X` (n, d) as (n, pairs, 2)."""
        return np.pad(X, ((0, 0), (0, X.shape[1] % 2))).reshape(len(X), -1, 2)

    @property
    def n_groups(self) -> int:
        return (self.input_dimensions_ + 1) // 2

    @property
    def codebooks(self) -> Floats:
        return np.pad(self.entries_, ((0, 0), (0, ENTRIES - self.entries_.shape[1]), (0, 0)))

    def groups(self, X: Floats) -> Codes:
        pairs = self._pairs(X)
        numbers = np.empty(pairs.shape[:2], np.uint8)
        for start in range(0, len(X), CACHE_BLOCK_ROWS):
            block = slice(start, start + CACHE_BLOCK_ROWS)
            numbers[block], _ = nearest(pairs[block], self.entries_)
        return numbers

    def sums(self, codes: Codes) -> Floats:
        pairs = self.entries_[np.arange(self.n_groups), self.groups_of(codes)]
        return pairs.reshape(len(codes), -1)[:, : self.input_dimensions_]

    def project_queries(self, Q: Floats) -> tuple[Floats, Floats]:
        width = 2 * (self.n_groups + self.n_groups % 2)
        return np.pad(Q, ((0, 0), (0, width - Q.shape[1]))), np.zeros(len(Q), np.float32)


class Levels4(_Levels):
    """Four levels per dimension, in two bits. FAISS scans the four bits of a pair of dimensions directly."""

    usage = pattern = example = "levels4"
    summary = "4 learned levels per dimension: 2 bits per dimension; fast scan"
    _count = 4


class Levels3(_Levels):
    """Three levels per dimension in 1.5 bits: eight of the nine combinations of levels of two dimensions have a code.

    The combination whose removal adds the least squared error has none; it usually is a corner of the grid.
    """

    usage = pattern = example = "levels3"
    summary = "3 learned levels per dimension: 1.5 bits per dimension; fast scan"
    group_bits = 3
    _count = 3

    def _coded_entries(self, entries: Floats, pairs: Floats) -> Floats:
        errors = [nearest(pairs, np.delete(entries, entry, axis=1))[1] for entry in range(entries.shape[1])]
        dropped = np.argmin(errors, axis=0)
        coded = np.arange(entries.shape[1]) != dropped[:, None]
        return np.asarray(entries[coded].reshape(len(entries), -1, 2))


def lloyd_max(values: Floats, count: int) -> NDArray[np.float64]:
    """Return `count` increasing levels of least squared error for values (n,), by Lloyd's algorithm.

    A level that is nearest to no value is not moved.
    """
    ordered = np.sort(values).astype(np.float64)
    total = np.concatenate([[0], np.cumsum(ordered)])
    levels = np.quantile(ordered, (np.arange(count) + 0.5) / count)
    for _ in range(MAX_ITERATIONS):
        ends = np.concatenate([[0], np.searchsorted(ordered, (levels[1:] + levels[:-1]) / 2), [len(ordered)]])
        sizes = np.diff(ends)
        moved = np.where(sizes > 0, np.diff(total[ends]) / np.maximum(sizes, 1), levels)
        if np.allclose(moved, levels, rtol=0, atol=1e-7):
            break
        levels = moved
    return levels


def nearest(pairs: Floats, entries: Floats) -> tuple[Codes, NDArray[np.float32]]:
    """Return the numbers (n, p) of the entries (p, e, 2) nearest to pairs (n, p, 2), and the sums of errors (p,)."""
    x, y = np.ascontiguousarray(pairs[:, :, 0]), np.ascontiguousarray(pairs[:, :, 1])
    best = np.full(x.shape, np.inf, np.float32)
    numbers = np.zeros(x.shape, np.uint8)
    for number in range(entries.shape[1]):
        error = (x - entries[:, number, 0]) ** 2 + (y - entries[:, number, 1]) ** 2
        np.maximum(numbers, (error < best).view(np.uint8) * np.uint8(number), out=numbers)
        np.minimum(best, error, out=best)
    return numbers, best.sum(axis=0)
