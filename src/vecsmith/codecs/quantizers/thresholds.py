"""Quantization at learned thresholds: one bit per dimension."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from vecsmith.array_types import Bits, Codes, Floats
from vecsmith.codecs.checks import standard_deviations
from vecsmith.codecs.quantizers.trained import Parameters, Start, TrainedQuantizer
from vecsmith.codecs.stages import Quantizer
from vecsmith.embeddings import normalize

if TYPE_CHECKING:
    from torch import Tensor

    from vecsmith.training.codes import Sign

LEARNING_RATE = 0.01
TINY = 1e-12
LOWEST_QUANTILE = 0.25
"""Random initial thresholds are quantiles between this and one minus this."""


class Thresholds(TrainedQuantizer):
    """One bit per dimension, 1 above a learned threshold; a bit decodes to a learned level, and codes are normalized.

    Thresholds and levels are trained to rank documents as the vectors do, from several initial thresholds (zero, mean,
    median, random quantiles), of which the validation loss selects the best. Training lowers the loss, but retrieval
    quality is about the same as with `Binary` (docs/studies/quantizers.md).

    Attributes
    ----------
    threshold_ : ndarray of shape (d,)
        Thresholds; a bit is 1 above its threshold.
    middle_, half_ : ndarray of shape (d,)
        A bit b ∈ {−1, +1} decodes to middle + b · half.
    """

    usage = pattern = example = "thresholds"
    summary = "one bit per dimension: above or below a threshold trained for ranking (needs torch to fit)"
    state: ClassVar = {"threshold_": ("d",), "middle_": ("d",), "half_": ("d",)}

    default_starts = 4
    default_learning_rate = LEARNING_RATE

    threshold_: Floats
    middle_: Floats
    half_: Floats

    def _fit(self, X: Floats, seed: int) -> None:
        # codecs must be importable without torch and the training package
        from vecsmith.training import split

        training, validation = split(X, seed)
        self._train(self._starts(training, seed), training, validation, seed)

    def _starts(self, X: Floats, seed: int) -> Iterator[Start]:
        from vecsmith.training import unit_rows

        spread = standard_deviations(X)

        def reconstruct(p: Parameters, x: "Tensor", sign: "Sign") -> "Tensor":
            return unit_rows(p["middle"] + sign(x / x.new_tensor(spread) - p["threshold"]) * p["half"])

        for name, threshold in _initial_thresholds(X, seed):
            middle, half = levels(X, X > threshold, threshold)
            unit = max(float(half.mean()), TINY)
            parameters = {"threshold": threshold, "middle": middle, "half": half}
            yield Start(name, parameters, {"threshold": spread, "middle": unit, "half": unit}, reconstruct)

    def bits(self, X: Floats) -> Bits:
        return X > self.threshold_

    def from_signs(self, signs: Floats) -> Floats:
        return np.asarray(self.middle_ + signs * self.half_, dtype=np.float32)

    def decode(self, codes: Codes) -> Floats:
        return normalize(super().decode(codes))

    # norms vary too much for a scan of unscaled scores, so the decoded vectors are searched
    project_queries = Quantizer.project_queries
    index = Quantizer.index


def _initial_thresholds(X: Floats, seed: int) -> Iterator[tuple[str, Floats]]:
    """Yield names and initial thresholds (d,): three fixed ones, then random ones without end."""
    ordered = np.sort(X, axis=0)
    yield "zero", np.zeros(X.shape[1], np.float32)
    yield "mean", X.mean(axis=0)
    yield "median", ordered[len(X) // 2]
    rng = np.random.default_rng(seed)
    while True:
        ranks = rng.uniform(LOWEST_QUANTILE, 1 - LOWEST_QUANTILE, X.shape[1])
        rows = np.round(ranks * (len(X) - 1)).astype(int)
        yield "random quantiles", ordered[rows, np.arange(X.shape[1])]


def levels(X: Floats, above: Bits, otherwise: Floats) -> tuple[Floats, Floats]:
    """Return the levels of the bits of each dimension, as middle and half distance (d,).

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Values. The levels are the means of the values with bit 1 and with bit 0.
    above : ndarray of shape (n, d), bool
        Bits.
    otherwise : ndarray of shape (d,)
        The level of a bit without values.
    """
    means = [
        np.where(side.any(axis=0), np.where(side, X, 0).sum(axis=0) / np.maximum(side.sum(axis=0), 1), otherwise)
        for side in (above, ~above)
    ]
    return ((means[0] + means[1]) / 2).astype(np.float32), ((means[0] - means[1]) / 2).astype(np.float32)
