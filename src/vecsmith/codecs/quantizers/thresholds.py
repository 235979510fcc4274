"""Quantization at learned thresholds: one bit per dimension."""

from collections.abc import Iterator
from itertools import islice
from typing import ClassVar

import numpy as np

from vecsmith.codecs.quantizers.bits import BitQuantizer, Bits
from vecsmith.codecs.stages import Codes, Floats, Quantizer
from vecsmith.embeddings import normalize

LEARNING_RATE = 0.01
TINY = 1e-12
STARTS = 4
"""Number of trainings with different initial thresholds, of which the best is kept."""
LOWEST_QUANTILE = 0.25
"""Random initial thresholds are quantiles between this and one minus this."""


class Thresholds(BitQuantizer):
    """One bit per dimension, 1 above a learned threshold; a bit decodes to a learned level, and codes are normalized.

    Thresholds and levels are trained to rank documents as the vectors do, from several initial thresholds (zero, mean,
    median, random quantiles), of which the validation loss selects the best. Training lowers the loss, but retrieval
    quality stays about that of `Binary` (docs/studies/quantizers.md).

    Attributes
    ----------
    threshold_ : ndarray of shape (d,)
        Thresholds; a bit is 1 above its threshold.
    middle_, half_ : ndarray of shape (d,)
        A bit b ∈ {−1, +1} decodes to middle + b · half.
    """

    usage = pattern = example = "thresholds"
    summary = "above a threshold trained for ranking or not: one bit per dimension (needs torch to fit)"
    state: ClassVar = {"threshold_": ("d",), "middle_": ("d",), "half_": ("d",)}

    takes: tuple[str, ...] = ("steps", "batch", "learning_rate", "weight_decay", "starts", "relaxation")

    threshold_: Floats
    middle_: Floats
    half_: Floats

    def _fit(self, X: Floats, seed: int) -> None:
        # codecs must be importable without torch and the training package
        from vecsmith.training import split, train_codes, unit_rows

        training, validation = split(X, seed)
        spread = spreads(training)
        how = {"learning_rate": LEARNING_RATE, **self.options}
        starts = how.pop("starts", STARTS)
        lowest = np.inf
        for name, threshold in islice(self._starts(training, seed), starts):
            middle, half = levels(training, training > threshold, threshold)
            unit = max(float(half.mean()), TINY)
            start: dict[str, Floats] = {"threshold": threshold / spread, "middle": middle / unit, "half": half / unit}
            trained, loss = train_codes(
                start,
                lambda p, x, sign: unit_rows(p["middle"] + sign(x / x.new_tensor(spread) - p["threshold"]) * p["half"]),
                training,
                validation,
                seed,
                f"thresholds from {name}",
                **how,
            )
            if loss < lowest:
                lowest = loss
                self.threshold_ = spread * trained["threshold"]
                self.middle_, self.half_ = unit * trained["middle"], unit * trained["half"]

    def _starts(self, X: Floats, seed: int) -> Iterator[tuple[str, Floats]]:
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

    def bits(self, X: Floats) -> Bits:
        return X > self.threshold_

    def from_signs(self, signs: Floats) -> Floats:
        return np.asarray(self.middle_ + signs * self.half_, dtype=np.float32)

    def decode(self, codes: Codes) -> Floats:
        return normalize(super().decode(codes))

    # norms vary too much for a scan of unscaled scores, so the decoded vectors are searched
    project_queries = Quantizer.project_queries
    index = Quantizer.index


def spreads(X: Floats) -> Floats:
    """Return the standard deviations (d,), 1 for constant dimensions."""
    spread: Floats = X.std(axis=0)
    return np.where(spread > 1e-6, spread, 1).astype(np.float32)


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
