"""A small network that computes bits, and a linear decoder trained with it."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from vecsmith.array_types import Bits, Floats
from vecsmith.codecs.quantizers.binary_autoencoder import BinaryAutoencoder, descend
from vecsmith.codecs.quantizers.itq import sign
from vecsmith.codecs.quantizers.trained import Parameters, Start, TrainedQuantizer
from vecsmith.codecs.quantizers.unit_length import UnitBitQuantizer
from vecsmith.errors import VecsmithError

if TYPE_CHECKING:
    from torch import Tensor

    from vecsmith.training.codes import Sign

LEARNING_RATE = 3e-3
START_VECTORS = 20_000
"""Maximum number of vectors that the initial parameters are fitted on, which is enough."""
SWEEPS = 3
"""Sweeps of coordinate descent in encoding."""


class Neural(UnitBitQuantizer, TrainedQuantizer):
    """A binary autoencoder whose encoder and decoder are trained to rank documents as the vectors do.

    A network with one hidden layer predicts initial bits, b = sign(tanh(xH + h) R + xS + s), which coordinate descent
    on ‖x − μ − Dᵀb‖² improves as in `BinaryAutoencoder`. A code decodes to μ + Dᵀb, normalized. The initial network
    computes one step of that descent: H predicts the bits, and S and R are the coefficients of the step. Training
    improves the network, but after the descent the codes are no better than with `BinaryAutoencoder`
    (docs/studies/quantizers.md).

    Parameters
    ----------
    size : int
        Bytes per code.

    Attributes
    ----------
    hidden_, hidden_bias_ : ndarray of shape (d, m) and (m,)
        H and h.
    feedback_ : ndarray of shape (m, m)
        R.
    skip_, bias_ : ndarray of shape (d, m) and (m,)
        S and s.
    offset_, decoder_ : ndarray of shape (d,) and (m, d)
        μ and D.
    """

    usage = "neuralNB"
    pattern = r"neural(?P<size>\d+)B"
    example = "neural4B"
    summary = "N bytes: a binary autoencoder whose network is trained for ranking; fast scan (needs torch to fit)"
    state: ClassVar = {
        "hidden_": ("d", "*"),
        "hidden_bias_": ("*",),
        "feedback_": ("*", "*"),
        "skip_": ("d", "*"),
        "bias_": ("*",),
        "offset_": ("d",),
        "decoder_": ("*", "d"),
    }

    default_learning_rate = LEARNING_RATE

    hidden_: Floats
    hidden_bias_: Floats
    feedback_: Floats
    skip_: Floats
    bias_: Floats
    offset_: Floats
    decoder_: Floats

    def _fit(self, X: Floats, seed: int) -> None:
        # codecs must be importable without torch and the training package
        from vecsmith.training import split

        if self.size < 1:
            raise VecsmithError("neural0B has no bits; ask for a byte or more.")
        training, validation = split(X, seed)
        self._train(self._starts(training[:START_VECTORS], seed), training, validation, seed)

    def _starts(self, X: Floats, seed: int) -> Iterator[Start]:
        rng, start_seed = np.random.default_rng(seed), seed
        while True:
            parameters = _initial_network(X, self.size, start_seed)
            # Adam's steps have the same size for all entries, so all are scaled to a size of about 1
            units = {name: max(float(np.abs(array).mean()), 1e-6) for name, array in parameters.items()}
            # a bias has the unit of the products it is added to; offset and decoder may only be scaled together
            units |= {"hidden_bias": 1.0, "bias": 1.0, "offset": units["decoder"]}
            yield Start("a binary autoencoder", parameters, units, partial(_reconstruct, units))
            start_seed = int(rng.integers(2**32))

    def _predict(self, X: Floats) -> Floats:
        hidden = np.tanh(X @ self.hidden_ + self.hidden_bias_)
        return np.asarray(hidden @ self.feedback_ + X @ self.skip_ + self.bias_, dtype=np.float32)

    def bits(self, X: Floats) -> Bits:
        return descend(X - self.offset_, self.decoder_, sign(self._predict(X)), SWEEPS) > 0

    def from_signs(self, signs: Floats) -> Floats:
        return self.offset_ + signs @ self.decoder_


def _reconstruct(units: Mapping[str, float], p: Parameters, x: "Tensor", sign: "Sign") -> "Tensor":
    """Decode the codes of the network for vectors x (n, d); the parameters are divided by `units`."""
    from vecsmith.training import unit_rows

    p = {name: tensor * units[name] for name, tensor in p.items()}
    hidden = (x @ p["hidden"] + p["hidden_bias"]).tanh()
    signs = sign(hidden @ p["feedback"] + x @ p["skip"] + p["bias"])
    return unit_rows(p["offset"] + signs @ p["decoder"])


def _initial_network(X: Floats, size: int, seed: int) -> dict[str, Floats]:
    """Return initial parameters: one step of the descent of `BinaryAutoencoder`, for all bits at once."""
    fitted = BinaryAutoencoder(size).fit(X, seed)
    A, mean = fitted.directions_, fitted.mean_
    centered = X - mean
    # twice the standard deviation, so that tanh is close to the sign
    first = 2 * fitted.start_ / np.maximum((centered @ fitted.start_).std(axis=0), 1e-6)
    G = A @ A.T
    np.fill_diagonal(G, 0)
    unit = max(float((centered @ A.T - np.tanh(centered @ first) @ G).std()), 1e-6)
    return {
        "hidden": first,
        "hidden_bias": -mean @ first,
        "feedback": -G / unit,
        "skip": A.T / unit,
        "bias": -mean @ A.T / unit,
        "offset": mean,
        "decoder": fitted.decoder_,
    }
