"""Levels of the principal components, with more bits for those of more variance."""

from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from vecsmith.codecs.quantizers.levels import TRAINING_VECTORS, lloyd_max
from vecsmith.codecs.quantizers.nibbles import ENTRIES, NibbleQuantizer
from vecsmith.codecs.quantizers.spectrum import principal_components
from vecsmith.codecs.quantizers.unit_length import ComponentQuantizer
from vecsmith.codecs.stages import Codes, Floats, check_range

DISTORTIONS = np.array([1, 0.3634, 0.1175, 0.03454, 0.009497])
"""Squared error of the best 1, 2, 4, 8 and 16 levels for a normal value of variance 1 (Max 1960)."""
SLOTS = 4
"""Components that a group of four bits may hold."""


class Hybrid(ComponentQuantizer, NibbleQuantizer):
    """One to four bits of levels for every principal component that is worth them, by reverse water-filling.

    With z = W(x − μ), of which every component takes the nearest of its 2ᵇ levels ẑ, a code stands for
    x̂ = μ + Wᵀ(ẑ/g), normalized. Here g = 1 − D(b) is the share of a component's variance that its levels keep, by which
    least squares shrinks it; undoing that makes documents easier to tell apart. The components are ordered so that none
    crosses the border of four bits: those of 4 bits, those of 3 each with one of 1, those of 2, those of 1.

    Parameters
    ----------
    size : int
        Bytes of a code, at most d/2.

    Attributes
    ----------
    mean_ : ndarray of shape (d,)
        μ.
    components_ : ndarray of shape (r, d)
        W, in the order in which they are stored.
    bits_ : ndarray of shape (r,), uint8
        b.
    levels_ : ndarray of shape (16, r)
        The levels, rising; the last is repeated where there are fewer than 16.
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
    summary = "N bytes: 1 to 4 bits of levels a principal component, more for more variance; fast scan"
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
        given = allocate(variances, 8 * self.size)
        order = storage_order(given)
        self.bits_ = given[order].astype(np.uint8)
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
        """Return the group, the slot within it, and the first bit within it of every component."""
        starts = np.cumsum(self.bits_, dtype=np.int64) - self.bits_
        groups, shifts = np.divmod(starts, 4)
        return groups, np.arange(len(groups)) - np.searchsorted(groups, groups), shifts

    def groups(self, X: Floats) -> Codes:
        Z = (X - self.mean_) @ self.components_.T
        found = np.zeros(Z.shape, np.uint8)
        for threshold in (self.levels_[1:] + self.levels_[:-1]) / 2:
            found += threshold < Z
        found = np.minimum(found, (1 << self.bits_) - 1)
        groups, slots, shifts = self._places
        result = np.zeros((len(X), self.n_groups), np.uint8)
        for slot in range(SLOTS):
            here = slots == slot
            result[:, groups[here]] |= found[:, here] << shifts[here].astype(np.uint8)
        return result

    def values(self, codes: Codes) -> Floats:
        entries = self.groups_of(codes).take(self._places[0], axis=1)
        return self._table.take(entries + ENTRIES * np.arange(len(self.bits_)))

    @cached_property
    def _table(self) -> Floats:
        """What every entry of its group stands for in each component, (r, 16)."""
        found = np.arange(ENTRIES)[:, None] >> self._places[2] & (1 << self.bits_) - 1
        return np.ascontiguousarray((np.take_along_axis(self.levels_, found, axis=0) * self.gain_).T)

    @property
    def codebooks(self) -> Floats:
        groups, slots, _ = self._places
        codebooks = np.zeros((self.n_groups, ENTRIES, SLOTS), np.float32)
        codebooks[groups, :, slots] = self._table
        return codebooks

    @property
    def entries(self) -> Floats:
        """Return what the entries of every group stand for in ẑ, as vectors (G, 16, d)."""
        groups, slots, _ = self._places
        directions = np.zeros((self.n_groups, SLOTS, self.input_dimensions_), np.float32)
        directions[groups, slots] = self.components_ / self.gain_[:, None]
        return np.asarray(np.matmul(self.codebooks, directions))

    def project_queries(self, Q: Floats) -> tuple[Floats, Floats]:
        return Q @ self._slots.reshape(-1, Q.shape[1]).T, Q @ self.mean_

    @cached_property
    def _slots(self) -> Floats:
        """The component of every slot of every group, (G, 4, d); zeros where there is none."""
        groups, slots, _ = self._places
        components = np.zeros((self.n_groups, SLOTS, self.input_dimensions_), np.float32)
        components[groups, slots] = self.components_
        return components


def allocate(variances: NDArray[np.float64], bits: int) -> NDArray[np.int64]:
    """Spend `bits` on values so that the sum of their squared errors is least, at most four each.

    The next bit goes where it takes away most, which is optimal because every further one takes away less. Where more
    values have three bits than have one, some of three get four and two instead, so that all fit in groups of four;
    that is no longer optimal, but the spectra of embeddings do not need it.

    Parameters
    ----------
    variances : ndarray of shape (d,)
        Falling.
    bits : int
        A multiple of 4, at most 4 d.

    Returns
    -------
    ndarray of shape (d,)
        Bits of every value.
    """
    gains = np.append(-np.diff(DISTORTIONS), -np.inf)
    given = np.zeros(len(variances), np.int64)
    for _ in range(bits):
        given[np.argmax(variances * gains[given])] += 1
    while (given == 3).sum() > (given == 1).sum():
        threes = np.flatnonzero(given == 3)
        given[threes[0]], given[threes[-1]] = 4, 2
    return given


def storage_order(bits: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the values that have bits, so that no value's bits cross the border of a group of four."""
    fours, threes, twos, ones = (np.flatnonzero(bits == count) for count in (4, 3, 2, 1))
    pairs = np.stack([threes, ones[: len(threes)]], axis=1).ravel()
    return np.concatenate([fours, pairs, twos, ones[len(threes) :]])
