"""A small network that makes bits, and a linear decoder trained with it."""

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from vecsmith.codecs.quantizers.binary_autoencoder import BinaryAutoencoder, descend
from vecsmith.codecs.quantizers.bits import Bits
from vecsmith.codecs.quantizers.itq import sign
from vecsmith.codecs.quantizers.unit_length import UnitBitQuantizer
from vecsmith.codecs.stages import Floats
from vecsmith.errors import VecsmithError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from vecsmith.training.codes import Sign

RATE = 3e-3
START_VECTORS = 20_000
"""So many are enough for a start."""
SWEEPS = 3


class Neural(UnitBitQuantizer):
    """A binary auto-encoder whose encoder and decoder are trained to rank documents as their vectors do.

    A network with one hidden layer guesses the bits, b = sign(tanh(xH + h) R + xS + s), from which coordinate descent
    on ‖x − μ − Dᵀb‖² goes on as in `BinaryAutoencoder`; a code stands for μ + Dᵀb, normalized. The network starts as
    one step of that descent: H is the linear start, S and R are what a step adds up. Training improves the network, but
    after the descent the code is no better than that of `BinaryAutoencoder` (docs/studies/quantizers.md).

    Parameters
    ----------
    size : int
        Bytes of a code.

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
    summary = "N bytes: a binary auto-encoder whose network is trained for ranking; fast scan (needs torch to fit)"
    state: ClassVar = {
        "hidden_": ("d", "*"),
        "hidden_bias_": ("*",),
        "feedback_": ("*", "*"),
        "skip_": ("d", "*"),
        "bias_": ("*",),
        "offset_": ("d",),
        "decoder_": ("*", "d"),
    }

    takes: tuple[str, ...] = ("steps", "batch", "learning_rate", "weight_decay", "relaxation")

    hidden_: Floats
    hidden_bias_: Floats
    feedback_: Floats
    skip_: Floats
    bias_: Floats
    offset_: Floats
    decoder_: Floats

    def _fit(self, X: Floats, seed: int) -> None:
        # training is to the right of codecs and needs torch: imported for fitting alone
        from vecsmith.training import split, train_codes, unit_rows

        if self.size < 1:
            raise VecsmithError("neural0B has no bits; ask for a byte or more.")
        training, held_out = split(X, seed)
        start = _start(training[:START_VECTORS], self.size, seed)
        # Adam moves every entry alike, so all are brought to a size of about 1
        units = {name: max(float(np.abs(array).mean()), 1e-6) for name, array in start.items()}
        # biases add up with what they are beside; the reconstruction is free in scale, but only as a whole
        units |= {"hidden_bias": 1.0, "bias": 1.0, "offset": units["decoder"]}

        def reconstruct(p: "Mapping[str, Tensor]", x: "Tensor", sign: "Sign") -> "Tensor":
            p = {name: tensor * units[name] for name, tensor in p.items()}
            hidden = (x @ p["hidden"] + p["hidden_bias"]).tanh()
            signs = sign(hidden @ p["feedback"] + x @ p["skip"] + p["bias"])
            return unit_rows(p["offset"] + signs @ p["decoder"])

        scaled = {name: array / units[name] for name, array in start.items()}
        how = {"learning_rate": RATE, **self.options}
        found, _ = train_codes(scaled, reconstruct, training, held_out, seed, "neural", **how)
        for name, array in found.items():
            setattr(self, f"{name}_", array * np.float32(units[name]))

    def _guess(self, X: Floats) -> Floats:
        hidden = np.tanh(X @ self.hidden_ + self.hidden_bias_)
        return np.asarray(hidden @ self.feedback_ + X @ self.skip_ + self.bias_, dtype=np.float32)

    def bits(self, X: Floats) -> Bits:
        return descend(X - self.offset_, self.decoder_, sign(self._guess(X)), SWEEPS) > 0

    def from_signs(self, signs: Floats) -> Floats:
        return self.offset_ + signs @ self.decoder_


def _start(X: Floats, size: int, seed: int) -> dict[str, Floats]:
    """Return the network that makes one step of a binary auto-encoder's descent with all bits at once."""
    fitted = BinaryAutoencoder(size).fit(X, seed)
    A, mean = fitted.directions_, fitted.mean_
    centered = X - mean
    # twice the spread, so that tanh is nearly a sign
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
