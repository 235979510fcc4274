"""One bit a dimension: above a learned threshold or not."""

from collections.abc import Iterator
from itertools import islice
from typing import ClassVar

import numpy as np

from vecsmith.codecs.quantizers.bits import BitQuantizer, Bits
from vecsmith.codecs.stages import Codes, Floats, Quantizer
from vecsmith.embeddings import normalize

RATE = 0.01
TINY = 1e-12
STARTS = 4
"""Initial thresholds from which training starts, of which the best result is kept."""
SPREAD = 0.25
"""Random thresholds are quantiles between this and one less this."""


class Thresholds(BitQuantizer):
    """One bit a dimension, 1 above a learned threshold; a bit stands for a learned level, and the code is normalized.

    Thresholds and levels are trained to rank documents as their vectors do, from several starts (zero, mean,
    median, random quantiles); held-out documents as queries choose among them. That lowers the loss, but retrieval
    stays about that of `Binary` (docs/studies/quantizers.md).

    Attributes
    ----------
    threshold_ : ndarray of shape (d,)
        Above it, a bit is 1.
    middle_, half_ : ndarray of shape (d,)
        A bit b ∈ {−1, +1} stands for middle + b · half.
    """

    usage = pattern = example = "thresholds"
    summary = "above a threshold trained for ranking or not: one bit a dimension (needs torch to fit)"
    state: ClassVar = {"threshold_": ("d",), "middle_": ("d",), "half_": ("d",)}

    takes: tuple[str, ...] = ("steps", "batch", "learning_rate", "weight_decay", "starts", "relaxation")

    threshold_: Floats
    middle_: Floats
    half_: Floats

    def _fit(self, X: Floats, seed: int) -> None:
        # training is to the right of codecs and needs torch: imported for fitting alone
        from vecsmith.training import split, train_codes, unit_rows

        training, held_out = split(X, seed)
        spread = spreads(training)
        how = {"learning_rate": RATE, **self.options}
        starts = how.pop("starts", STARTS)
        lowest = np.inf
        for name, threshold in islice(self._starts(training, seed), starts):
            middle, half = levels(training, training > threshold, threshold)
            unit = max(float(half.mean()), TINY)
            start: dict[str, Floats] = {"threshold": threshold / spread, "middle": middle / unit, "half": half / unit}
            found, loss = train_codes(
                start,
                lambda p, x, sign: unit_rows(p["middle"] + sign(x / x.new_tensor(spread) - p["threshold"]) * p["half"]),
                training,
                held_out,
                seed,
                f"thresholds from {name}",
                **how,
            )
            if loss < lowest:
                lowest = loss
                self.threshold_ = spread * found["threshold"]
                self.middle_, self.half_ = unit * found["middle"], unit * found["half"]

    def _starts(self, X: Floats, seed: int) -> Iterator[tuple[str, Floats]]:
        """Yield names and initial thresholds (d,); after the first three, random ones without end."""
        ordered = np.sort(X, axis=0)
        yield "zero", np.zeros(X.shape[1], np.float32)
        yield "mean", X.mean(axis=0)
        yield "median", ordered[len(X) // 2]
        rng = np.random.default_rng(seed)
        while True:
            ranks = rng.uniform(SPREAD, 1 - SPREAD, X.shape[1])
            rows = np.round(ranks * (len(X) - 1)).astype(int)
            yield "random quantiles", ordered[rows, np.arange(X.shape[1])]

    def bits(self, X: Floats) -> Bits:
        return X > self.threshold_

    def from_signs(self, signs: Floats) -> Floats:
        return np.asarray(self.middle_ + signs * self.half_, dtype=np.float32)

    def decode(self, codes: Codes) -> Floats:
        return normalize(super().decode(codes))

    # norms vary so much that a scan of scores before they are scaled would miss documents: the decoded are searched
    project_queries = Quantizer.project_queries
    index = Quantizer.index


def spreads(X: Floats) -> Floats:
    """Return the standard deviations (d,), 1 for dimensions that are constant."""
    spread: Floats = X.std(axis=0)
    return np.where(spread > 1e-6, spread, 1).astype(np.float32)


def levels(X: Floats, above: Bits, otherwise: Floats) -> tuple[Floats, Floats]:
    """Return middle and half the distance (d,) of the means of the values with and without a bit, both (n, d).

    Where a side has no values, its mean is taken to be `otherwise`.
    """
    means = [
        np.where(side.any(axis=0), np.where(side, X, 0).sum(axis=0) / np.maximum(side.sum(axis=0), 1), otherwise)
        for side in (above, ~above)
    ]
    return ((means[0] + means[1]) / 2).astype(np.float32), ((means[0] - means[1]) / 2).astype(np.float32)
