"""Lloyd-Max quantization of principal components, with more bits for components of larger variance."""

from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from vecsmith.array_types import Codes, Doubles, Floats
from vecsmith.codecs.quantizers.levels import TRAINING_VECTORS, lloyd_max
from vecsmith.codecs.quantizers.nibbles import ENTRIES, NibbleQuantizer
from vecsmith.codecs.quantizers.spectrum import principal_components
from vecsmith.codecs.quantizers.unit_length import ComponentQuantizer
from vecsmith.codecs.stages import CACHE_BLOCK_ROWS, check_range

DISTORTIONS = np.array([1, 0.3634, 0.1175, 0.03454, 0.009497])
"""Squared error of the optimal 1, 2, 4, 8 and 16 levels for a normal distribution of variance 1 (Max 1960)."""
SLOTS = 4
"""Maximum number of components in a group of four bits."""


class Hybrid(ComponentQuantizer, NibbleQuantizer):
    """Principal components with zero to four bits each, allocated by reverse water-filling.

    Each component of z = W(x − μ) is rounded to the nearest of its 2ᵇ levels, ẑ. A code decodes to x̂ = μ + Wᵀ(ẑ/g),
    normalized, where g = 1 − D(b) is the fraction of the component's variance that the levels keep. Least squares
    shrinks components by g; undoing that improves retrieval. Components are ordered so that none crosses the border
    between groups of four bits: first those of 4 bits, then pairs of 3 bits and 1, those of 2, and those of 1.

    Parameters
    ----------
    size : int
        Bytes per code, at most d/2.

    Attributes
    ----------
    mean_ : ndarray of shape (d,)
        μ.
    components_ : ndarray of shape (r, d)
        W, in storage order.
    bits_ : ndarray of shape (r,), uint8
        b, the number of bits of each component.
    levels_ : ndarray of shape (16, r)
        The levels in increasing order; the last is repeated where there are fewer than 16.
    gain_ : ndarray of shape (r,)
        1/g.

    References
    ----------
    See `vecsmith.codecs.quantizers.levels`; for the water-filling, Cover and Thomas 2006, Elements of Information
    Theory, 10.3.3.
    """

    usage = "hybridNB"
    pattern = r"hybrid(?P<size>\d+)B"
    example = "hybrid8B"
    summary = "N bytes: principal components with 1 to 4 bits each, by their variance; fast scan"
    state: ClassVar = {
        "mean_": ("d",),
        "components_": ("*", "d"),
        "bits_": ("*",),
        "levels_": ("*", "*"),
        "gain_": ("*",),
    }

    mean_: Floats
    components_: Floats
    bits_: NDArray[np.uint8]
    levels_: Floats
    gain_: Floats

    def __init__(self, size: int) -> None:
        self.size = size

    def _fit(self, X: Floats, seed: int) -> None:
        n, d = X.shape
        check_range(f"hybrid{self.size}B", self.size, d // 2, "bytes", f"vectors of {d} dimensions")
        self.mean_, variances, components = principal_components(X)
        allocated = allocate(variances, 8 * self.size)
        order = storage_order(allocated)
        self.bits_ = allocated[order].astype(np.uint8)
        self.components_ = components[order]
        sample = X[np.random.default_rng(seed).permutation(n)[:TRAINING_VECTORS]]
        Z = (sample - self.mean_) @ self.components_.T
        levels = [lloyd_max(values, 2**bits) for values, bits in zip(Z.T, self.bits_, strict=True)]
        padded = [np.pad(some, (0, ENTRIES - len(some)), "edge") for some in levels]
        self.levels_ = np.stack(padded, axis=1).astype(np.float32)
        self.gain_ = (1 / (1 - DISTORTIONS[self.bits_])).astype(np.float32)

    @property
    def n_groups(self) -> int:
        return 2 * self.size

    @cached_property
    def _places(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The group of each component, its slot in the group, and its first bit in the group; three arrays (r,)."""
        starts = np.cumsum(self.bits_, dtype=np.int64) - self.bits_
        groups, shifts = np.divmod(starts, 4)
        return groups, np.arange(len(groups)) - np.searchsorted(groups, groups), shifts

    def groups(self, X: Floats) -> Codes:
        Z = np.asarray((X - self.mean_) @ self.components_.T, dtype=np.float32)
        result = np.zeros((len(X), self.n_groups), np.uint8)
        for start in range(0, len(X), CACHE_BLOCK_ROWS):
            block = slice(start, start + CACHE_BLOCK_ROWS)
            self._group(Z[block], result[block])
        return result

    def _group(self, Z: Floats, result: Codes) -> None:
        """Write the entry numbers of components `Z` (n, r) to `result` (n, G), which is zero."""
        numbers = np.zeros(Z.shape, np.uint8)
        for number, threshold in enumerate((self.levels_[1:] + self.levels_[:-1]) / 2):
            count = self._n_components[number]
            numbers[:, :count] += threshold[:count] < Z[:, :count]
        np.minimum(numbers, ((1 << self.bits_) - 1).astype(np.uint8), out=numbers)
        groups, slots, shifts = self._places
        numbers <<= shifts.astype(np.uint8)
        for slot in range(SLOTS):
            here = slots == slot
            result[:, groups[here]] |= numbers[:, here]

    @cached_property
    def _n_components(self) -> NDArray[np.int64]:
        """For each threshold, the number of first components in storage order that include all that use it, (15,)."""
        uses = (1 << self.bits_.astype(np.int64))[:, None] - 1 > np.arange(ENTRIES - 1)
        return np.where(uses.any(axis=0), len(uses) - np.argmax(uses[::-1], axis=0), 0)

    def values(self, codes: Codes) -> Floats:
        entries = self.groups_of(codes).take(self._places[0], axis=1)
        return self._table.take(entries + ENTRIES * np.arange(len(self.bits_)))

    @cached_property
    def _table(self) -> Floats:
        """The decoded value of each component for each entry of its group, (r, 16)."""
        numbers = np.arange(ENTRIES)[:, None] >> self._places[2] & (1 << self.bits_) - 1
        return np.ascontiguousarray((np.take_along_axis(self.levels_, numbers, axis=0) * self.gain_).T)

    @property
    def codebooks(self) -> Floats:
        groups, slots, _ = self._places
        codebooks = np.zeros((self.n_groups, ENTRIES, SLOTS), np.float32)
        codebooks[groups, :, slots] = self._table
        return codebooks

    @property
    def entries(self) -> Floats:
        """The contribution of each entry of each group to Wᵀẑ, (G, 16, d)."""
        groups, slots, _ = self._places
        directions = np.zeros((self.n_groups, SLOTS, self.input_dimensions_), np.float32)
        directions[groups, slots] = self.components_ / self.gain_[:, None]
        return np.asarray(np.matmul(self.codebooks, directions))

    def project_queries(self, Q: Floats) -> tuple[Floats, Floats]:
        return Q @ self._slots.reshape(-1, Q.shape[1]).T, Q @ self.mean_

    @cached_property
    def _slots(self) -> Floats:
        """The component in each slot of each group, (G, 4, d); zeros in empty slots."""
        groups, slots, _ = self._places
        components = np.zeros((self.n_groups, SLOTS, self.input_dimensions_), np.float32)
        components[groups, slots] = self.components_
        return components


def allocate(variances: Doubles, bits: int) -> NDArray[np.int64]:
    """Allocate `bits` to values, at most four each, so that the sum of their squared errors is minimal.

    Each bit goes to the value whose error it reduces most. That is optimal because further bits for the same value
    reduce the error less. If more values have three bits than have one, pairs of three-bit values are changed to four
    and two bits, so that all fit in groups of four. That is no longer optimal, but does not occur for the spectra of
    embeddings.

    Parameters
    ----------
    variances : ndarray of shape (d,)
        Decreasing variances.
    bits : int
        Number of bits, a multiple of 4, at most 4 d.

    Returns
    -------
    ndarray of shape (d,)
        Number of bits of each value.
    """
    gains = np.append(-np.diff(DISTORTIONS), -np.inf)
    allocated = np.zeros(len(variances), np.int64)
    for _ in range(bits):
        allocated[np.argmax(variances * gains[allocated])] += 1
    while (allocated == 3).sum() > (allocated == 1).sum():
        threes = np.flatnonzero(allocated == 3)
        allocated[threes[0]], allocated[threes[-1]] = 4, 2
    return allocated


def storage_order(bits: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers of the values with bits, ordered so that no value crosses the border of a group."""
    fours, threes, twos, ones = (np.flatnonzero(bits == count) for count in (4, 3, 2, 1))
    pairs = np.stack([threes, ones[: len(threes)]], axis=1).ravel()
    return np.concatenate([fours, pairs, twos, ones[len(threes) :]])
