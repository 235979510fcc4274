"""Groups of dimensions that share a bit: less than one bit per dimension."""

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from vecsmith.codecs.quantizers.bits import BitQuantizer, Bits
from vecsmith.codecs.quantizers.thresholds import TINY, levels, spreads
from vecsmith.codecs.stages import Codes, Floats, Quantizer, check_range
from vecsmith.embeddings import Moments, normalize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from vecsmith.training.codes import Sign

LEARNING_RATE = 0.01


class Grouped(BitQuantizer):
    """The first k dimensions have a bit each; groups of the other dimensions share one bit, with learned thresholds.

    A bit is 0 if o_i x_i ≤ t_i for all dimensions i of its group, else 1. A group consists of strongly correlated
    dimensions, and the orientations o_i ∈ {−1, +1} make their correlations positive. Groups are as small as the number
    of bits m allows: their size is s = ⌈d / m⌉, at least 2, and k = ⌊(s m − d) / (s − 1)⌋. A bit decodes to a learned
    level for each dimension of its group, and codes are normalized. Quality is below that of `BinaryAutoencoder` with
    as many bytes (docs/studies/quantizers.md).

    Parameters
    ----------
    size : int
        Bytes per code, fewer than d/8.

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

    usage = "groupedNB"
    pattern = r"grouped(?P<size>\d+)B"
    example = "grouped3B"
    summary = "N bytes, less than a bit per dimension: correlated dimensions share a bit (needs torch to fit)"
    state: ClassVar = {
        "members_": ("*", "*"),
        "orientation_": ("d",),
        "threshold_": ("d",),
        "middle_": ("d",),
        "half_": ("d",),
    }

    takes: tuple[str, ...] = ("steps", "batch", "learning_rate", "weight_decay", "relaxation")

    members_: NDArray[np.int64]
    orientation_: Floats
    threshold_: Floats
    middle_: Floats
    half_: Floats

    def __init__(self, size: int) -> None:
        self.size = size

    @property
    def n_bits(self) -> int:
        return 8 * self.size

    def _fit(self, X: Floats, seed: int) -> None:
        # codecs must be importable without torch and the training package
        from vecsmith.training import split, train_codes, unit_rows

        d = X.shape[1]
        check_range(f"grouped{self.size}B", self.size, (d - 1) // 8, "bytes", f"vectors of {d} dimensions")
        training, validation = split(X, seed)
        self.members_, self.orientation_ = _group(training, self.n_bits)
        owner = self._owner
        spread = spreads(training)
        oriented = training * self.orientation_
        # if dimensions were independent, the bit of a group would be 1 with probability 1/2
        sizes = np.bincount(owner, minlength=self.n_bits)[owner]
        self.threshold_ = np.array(
            [np.quantile(values, 0.5 ** (1 / size)) for values, size in zip(oriented.T, sizes, strict=True)], np.float32
        )
        middle, half = levels(training, self.bits(training)[:, owner], training.mean(axis=0))
        unit = max(float(np.abs(half).mean()), TINY)

        def reconstruct(p: "Mapping[str, Tensor]", x: "Tensor", sign: "Sign") -> "Tensor":
            above = x * x.new_tensor(self.orientation_ / spread) - p["threshold"]
            return unit_rows(p["middle"] + sign(above[:, self.members_].amax(dim=2))[:, owner] * p["half"])

        start = {"threshold": self.threshold_ / spread, "middle": middle / unit, "half": half / unit}
        how = {"learning_rate": LEARNING_RATE, **self.options}
        trained, _ = train_codes(start, reconstruct, training, validation, seed, "grouped", **how)
        self.threshold_ = trained["threshold"] * spread
        self.middle_, self.half_ = unit * trained["middle"], unit * trained["half"]

    @property
    def _owner(self) -> NDArray[np.int64]:
        """The group of each dimension, (d,)."""
        owner = np.empty(self.input_dimensions_, np.int64)
        owner[self.members_] = np.arange(len(self.members_))[:, None]
        return owner

    def bits(self, X: Floats) -> Bits:
        above = X * self.orientation_ > self.threshold_
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


def _group(X: Floats, m: int) -> tuple[NDArray[np.int64], Floats]:
    """Return the members (m, s) of the groups, and the orientations (d,).

    Greedy: one of the two most correlated remaining dimensions starts a group, and the remaining dimensions most
    correlated with it join.
    """
    d = X.shape[1]
    s = max(2, -(-d // m))
    single = (s * m - d) // (s - 1)
    members = np.repeat(np.arange(m)[:, None], s, axis=1)
    orientation = np.ones(d, np.float32)
    Z = (X - X.mean(axis=0)) / spreads(X)
    correlation = Moments(center=0, dtype=np.float32).add(Z).products / len(Z)
    strength = np.abs(correlation)
    np.fill_diagonal(strength, 0)
    # −1 marks dimensions that have a group
    strength[:single] = strength[:, :single] = -1
    for group, rest in enumerate(np.array_split(np.arange(single, d), m - single), start=single):
        first = int(strength.max(axis=1).argmax())
        others = np.argsort(-strength[first], kind="stable")
        others = others[others != first][: len(rest) - 1]
        members[group] = first
        members[group, 1 : len(rest)] = others
        orientation[others] = np.where(correlation[first, others] < 0, -1, 1)
        taken = [first, *others]
        strength[taken] = strength[:, taken] = -1
    return members, orientation
