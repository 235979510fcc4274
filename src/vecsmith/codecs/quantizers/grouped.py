"""Groups of dimensions that share a bit: less than one bit per dimension."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from vecsmith.array_types import Bits, Codes, Doubles, Floats
from vecsmith.codecs.checks import standard_deviations
from vecsmith.codecs.quantizers.thresholds import LOWEST_QUANTILE, TINY, levels
from vecsmith.codecs.quantizers.trained import Parameters, Start, TrainedQuantizer
from vecsmith.codecs.stages import Quantizer, check_range
from vecsmith.embeddings import Moments, normalize
from vecsmith.errors import VecsmithError

if TYPE_CHECKING:
    from torch import Tensor

    from vecsmith.training.codes import Sign

LEARNING_RATE = 0.01


class GroupQuantizer(TrainedQuantizer):
    """The first k dimensions have a bit each; groups of the other dimensions share one bit, with learned thresholds.

    With the rule ``or``, a bit is 0 if oᵢxᵢ ≤ tᵢ for all dimensions i of its group, else 1. With the rule ``sum``, it
    is 1 if Σ oᵢxᵢ > Σ tᵢ. A group consists of strongly correlated dimensions, and the orientations oᵢ ∈ {−1, +1} make
    their correlations positive. A bit decodes to a learned level for each dimension of its group, and codes are
    normalized. `BinaryAutoencoder` of the same size retrieves better (docs/studies/quantizers.md).

    Attributes
    ----------
    members_ : ndarray of shape (m, s), int64
        The dimensions of each group; the first is repeated in groups of fewer than s.
    orientation_ : ndarray of shape (d,)
        o.
    threshold_ : ndarray of shape (d,)
        t.
    middle_, half_ : ndarray of shape (d,)
        A bit b ∈ {−1, +1} decodes to middle + b · half.
    """

    state: ClassVar = {
        "members_": ("*", "*"),
        "orientation_": ("d",),
        "threshold_": ("d",),
        "middle_": ("d",),
        "half_": ("d",),
    }

    takes: tuple[str, ...] = (*TrainedQuantizer.takes, "rule")
    default_learning_rate = LEARNING_RATE

    members_: NDArray[np.int64]
    orientation_: Floats
    threshold_: Floats
    middle_: Floats
    half_: Floats

    @abstractmethod
    def _layout(self, d: int) -> tuple[int, int]:
        """Return the number k of dimensions that share their bit with no other, and of groups, for d dimensions."""

    @property
    def n_bits(self) -> int:
        return sum(self._layout(self.input_dimensions_))

    @property
    def _sums(self) -> bool:
        """Whether the rule is ``sum``."""
        return self.options.get("rule") == "sum"

    def _fit(self, X: Floats, seed: int) -> None:
        # codecs must be importable without torch and the training package
        from vecsmith.training import split

        single, groups = self._layout(X.shape[1])
        training, validation = split(X, seed)
        self.members_, self.orientation_ = _group(training, single, groups)
        self._train(self._starts(training, seed), training, validation, seed)

    def _starts(self, X: Floats, seed: int) -> Iterator[Start]:
        from vecsmith.training import unit_rows

        owner, first = self._owner, self._first_occurrence
        oriented = X * self.orientation_
        if self._sums:
            spread = standard_deviations(_sums_of(oriented, self.members_, first))[owner]
        else:
            spread = standard_deviations(X)
        sizes = first.sum(axis=1)[owner]

        def reconstruct(p: Parameters, x: "Tensor", sign: "Sign") -> "Tensor":
            above = (x * x.new_tensor(self.orientation_ / spread) - p["threshold"])[:, self.members_]
            pooled = (above * x.new_tensor(first)).sum(dim=2) if self._sums else above.amax(dim=2)
            return unit_rows(p["middle"] + sign(pooled)[:, owner] * p["half"])

        for name, shares in self._shares_of_zeros(seed):
            # if dimensions were independent, the bit of a group would be 0 with the probability of its share
            ranks = shares if self._sums else shares ** (1 / sizes)
            threshold = np.array(
                [np.quantile(values, rank) for values, rank in zip(oriented.T, ranks, strict=True)], np.float32
            )
            middle, half = levels(X, self._bits(X, threshold)[:, owner], X.mean(axis=0))
            unit = max(float(np.abs(half).mean()), TINY)
            parameters = {"threshold": threshold, "middle": middle, "half": half}
            yield Start(name, parameters, {"threshold": spread, "middle": unit, "half": unit}, reconstruct)

    def _shares_of_zeros(self, seed: int) -> Iterator[tuple[str, Doubles]]:
        """Yield names and initial shares (d,) of vectors whose bit is 0: a half, then random ones without end."""
        yield "medians", np.full(self.input_dimensions_, 0.5)
        rng = np.random.default_rng(seed)
        while True:
            shares = rng.uniform(LOWEST_QUANTILE, 1 - LOWEST_QUANTILE, len(self.members_))
            yield "random quantiles", shares[self._owner]

    @property
    def _owner(self) -> NDArray[np.int64]:
        """The group of each dimension, (d,)."""
        owner = np.empty(self.input_dimensions_, np.int64)
        owner[self.members_] = np.arange(len(self.members_))[:, None]
        return owner

    @property
    def _first_occurrence(self) -> NDArray[np.bool_]:
        """Whether an entry of `members_` is not a repetition of the first, (m, s)."""
        first: NDArray[np.bool_] = self.members_ != self.members_[:, :1]
        first[:, 0] = True
        return first

    def bits(self, X: Floats) -> Bits:
        return self._bits(X, self.threshold_)

    def _bits(self, X: Floats, threshold: Floats) -> Bits:
        if self._sums:
            margins = X * self.orientation_ - threshold
            return np.asarray(_sums_of(margins, self.members_, self._first_occurrence) > 0)
        above = X * self.orientation_ > threshold
        bits = above[:, self.members_[:, 0]]
        for column in self.members_[:, 1:].T:
            bits |= above[:, column]
        return bits

    def from_signs(self, signs: Floats) -> Floats:
        return np.asarray(self.middle_ + signs[:, self._owner] * self.half_, dtype=np.float32)

    def decode(self, codes: Codes) -> Floats:
        return normalize(super().decode(codes))

    # norms vary too much for a scan of unscaled scores, so the decoded vectors are searched
    project_queries = Quantizer.project_queries
    index = Quantizer.index


class Grouped(GroupQuantizer):
    """Groups of dimensions that are as small as the number of bytes allows.

    Of m bits, k = ⌊(s m − d) / (s − 1)⌋ are for the first dimensions, and groups have at most s = ⌈d / m⌉ dimensions,
    but at least 2. See `GroupQuantizer`.

    Parameters
    ----------
    size : int
        Bytes per code, fewer than d/8.
    """

    usage = "groupedNB"
    pattern = r"grouped(?P<size>\d+)B"
    example = "grouped3B"
    summary = "N bytes, less than a bit per dimension: correlated dimensions share a bit (needs torch to fit)"

    def __init__(self, size: int) -> None:
        self.size = size

    def _layout(self, d: int) -> tuple[int, int]:
        check_range(f"grouped{self.size}B", self.size, (d - 1) // 8, "bytes", f"vectors of {d} dimensions")
        m = 8 * self.size
        s = max(2, -(-d // m))
        single = (s * m - d) // (s - 1)
        return single, m - single


class GroupedBy(GroupQuantizer):
    """Groups of a given number of dimensions, after the first k dimensions. See `GroupQuantizer`.

    The code has m = k + ⌈(d − k) / s⌉ bits. Groups have s dimensions, or one fewer where s does not divide d − k.

    Parameters
    ----------
    single : int
        Number of dimensions that share their bit with no other, k.
    group : int
        Dimensions per group, s.
    """

    usage = "groupedK/S"
    pattern = r"grouped(?P<single>\d+)/(?P<group>\d+)"
    example = "grouped10/3"
    summary = "a bit for each of the first K dimensions, one for S correlated other ones (needs torch to fit)"

    def __init__(self, single: int, group: int) -> None:
        self.single = single
        self.group = group

    def _layout(self, d: int) -> tuple[int, int]:
        if not 2 <= self.group <= d - self.single:
            raise VecsmithError(
                f"grouped{self.single}/{self.group} does not suit vectors of {d} dimensions; give groups 2 or more "
                f"dimensions, and at most those that are left after the first {self.single}."
            )
        return self.single, -(-(d - self.single) // self.group)


def _sums_of(X: Floats, members: NDArray[np.int64], first: NDArray[np.bool_]) -> Floats:
    """Return the sums (n, m) of the columns of `X` (n, d) over groups; `first` marks the entries that count."""
    total = X[:, members[:, 0]]
    for column, counts in zip(members[:, 1:].T, first[:, 1:].T, strict=True):
        total = total + np.where(counts, X[:, column], np.float32(0))
    return total


def _group(X: Floats, single: int, groups: int) -> tuple[NDArray[np.int64], Floats]:
    """Return the members (m, s) of the groups, of which the first `single` have one, and the orientations (d,).

    Greedy: one of the two most correlated remaining dimensions starts a group, and the remaining dimensions most
    correlated with it join.
    """
    d, m = X.shape[1], single + groups
    s = -(-(d - single) // groups)
    members = np.repeat(np.arange(m)[:, None], s, axis=1)
    orientation = np.ones(d, np.float32)
    Z = (X - X.mean(axis=0)) / standard_deviations(X)
    correlation = Moments(center=0, dtype=np.float32).add(Z).products / len(Z)
    strength = np.abs(correlation)
    np.fill_diagonal(strength, 0)
    # −1 marks dimensions that have a group
    strength[:single] = strength[:, :single] = -1
    for group, rest in enumerate(np.array_split(np.arange(single, d), groups), start=single):
        first = int(strength.max(axis=1).argmax())
        others = np.argsort(-strength[first], kind="stable")
        others = others[others != first][: len(rest) - 1]
        members[group] = first
        members[group, 1 : len(rest)] = others
        orientation[others] = np.where(correlation[first, others] < 0, -1, 1)
        taken = [first, *others]
        strength[taken] = strength[:, taken] = -1
    return members, orientation
