"""An auto-encoder: a linear map or a small network down to k dimensions, and a linear decoder."""

from copy import copy
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vecsmith.codecs.reducers.trained import Trained
from vecsmith.codecs.stages import Floats, check_range
from vecsmith.embeddings import normalize
from vecsmith.errors import VecsmithError, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

POWER = 1 / 8
"""The exponent p of the weights λ⁻ᵖ that principal components get (docs/studies/reducers.md)."""


@dataclass(frozen=True)
class Preset:
    """What an auto-encoder is made of.

    Attributes
    ----------
    hidden : tuple of int
        Widths of up to two hidden layers with GELU, in multiples of k.
    tied : bool
        Whether the decoder is the transpose of the linear part of the encoder.
    residual : bool
        Whether hidden layers correct a linear map, or stand alone.
    standardise : bool
        Whether hidden layers see principal components of mean 0 and variance 1.
    power : float
        The exponent p, of the start and of the similarities that are to be kept.
    training : tuple of (str, value)
        Arguments of `vecsmith.training.Training` that are not its defaults.
    """

    hidden: tuple[int, ...] = ()
    tied: bool = True
    residual: bool = True
    standardise: bool = False
    power: float = POWER
    training: tuple[tuple[str, Any], ...] = ()


_NETWORK: tuple[tuple[str, Any], ...] = (("learning_rate", 1e-3), ("weight_decay", 0.01))
PRESETS: dict[float | str, Preset] = {
    # for k/d up to so much, where the spec names none: the start as it is, which no training improved on all tasks
    1.0: Preset(training=(("steps", 0),)),
    # by name
    "linear": Preset(),
    "untied": Preset(tied=False),
    "mse": Preset(tied=False, power=0, training=(("loss", "mse"),)),
    "cosine": Preset(tied=False, power=0, training=(("loss", "cosine"),)),
    "mlp1": Preset(hidden=(2,), tied=False, standardise=True, training=_NETWORK),
    "mlp2": Preset(hidden=(2, 2), tied=False, standardise=True, training=_NETWORK),
    "mlp1-mse": Preset(hidden=(2,), tied=False, standardise=True, power=0, training=(("loss", "mse"), *_NETWORK)),
}
"""Settings by largest k/d, and by the name that follows a colon in a spec.

They were chosen by measurement (docs/studies/reducers.md).
"""


class Autoencoder(Trained):
    """z = f(x)/‖f(x)‖ with f(x) = xS + GELU(…)O + c; queries are projected by the decoder, q' = Dq.

    Without hidden layers, f(x) = xS is a linear map. It starts as principal components that are weighted by λ⁻ᵖ, where
    λ is the second moment: the leading ones, which all texts share, would else decide the inner product. That start is
    what a spec without a preset gets, because no training was better on all tasks (docs/studies/reducers.md).
    Training makes pseudo-queries rank documents as the vectors themselves do, weighted alike, or lowers the error of
    reconstruction; the state with the lowest loss on held-out vectors is kept, the start included. Queries need no
    network, since ⟨q, Dᵀz⟩ = ⟨Dq, z⟩ whatever f is.

    Parameters
    ----------
    widths : str or int
        k, or several falling widths such as ``"256/128/64"``: the first is k, and every other is that of a prefix
        which training makes good too; a stage ``truncate64`` takes it.
    preset : str
        ``""``, or ``":"`` and a name in `PRESETS`.

    Attributes
    ----------
    skip_ : ndarray of shape (d, k)
        S.
    first_, first_bias_, second_, second_bias_ : ndarray
        The hidden layers, (d, h), (h,), (h, h') and (h',); without entries where there are none.
    out_, bias_ : ndarray of shape (h or h', k) and (k,)
        O and c.
    decoder_ : ndarray of shape (k, d)
        D.
    watch : callable or None
        Set before `fit`, is given a copy of the stage, and its held-out loss, at every check of the training. `fit`
        drops it.

    References
    ----------
    Kusupati et al. 2022, Matryoshka Representation Learning, https://arxiv.org/abs/2205.13147, for nested widths.
    """

    usage = "autoencoderK"
    pattern = r"autoencoder(?P<widths>\d+(?:/\d+)*)(?P<preset>(?::[\w-]+)?)"
    example = "autoencoder16"
    summary = "K weighted principal components; K:linear, K:mlp1 …: trained from there, K/K2/… nested (torch to fit)"
    state: ClassVar = {
        "skip_": ("d", "k"),
        "first_": ("d", "*"),
        "first_bias_": ("*",),
        "second_": ("*", "*"),
        "second_bias_": ("*",),
        "out_": ("*", "k"),
        "bias_": ("k",),
        "decoder_": ("k", "d"),
    }

    skip_: Floats
    first_: Floats
    first_bias_: Floats
    second_: Floats
    second_bias_: Floats
    out_: Floats
    bias_: Floats
    decoder_: Floats

    def __init__(self, widths: str | int, preset: str = "") -> None:
        self.widths = [int(width) for width in str(widths).split("/")]
        self.preset = preset
        self.watch: Callable[[Autoencoder, float], None] | None = None
        if not preset:
            self.takes = ()
        if self.widths != sorted(set(self.widths), reverse=True):
            raise VecsmithError(f"autoencoder{widths} has widths that do not fall; write the largest first.")
        if preset and preset[1:] not in PRESETS:
            raise unknown("preset of autoencoderK", preset[1:], [name for name in PRESETS if isinstance(name, str)])

    @property
    def output_dimensions(self) -> int:
        return self.widths[0]

    def _settings(self, d: int) -> Preset:
        if self.preset:
            return PRESETS[self.preset[1:]]
        return PRESETS[min(bound for bound in PRESETS if isinstance(bound, float) and bound >= self.widths[0] / d)]

    @property
    def trains(self) -> bool:
        return dict(self._settings(self.input_dimensions_).training).get("steps") != 0

    def _train(self, X: Floats, training: Floats, held_out: Floats, seed: int) -> None:
        from vecsmith.training import principal_directions, train_reducer

        d = X.shape[1]
        for width in self.widths:
            check_range(f"autoencoder{width}", width, d, "dimensions", f"vectors of {d} dimensions")
        preset = self._settings(d)
        V, weights = principal_directions(X, preset.power)
        training, held_out = training @ V, held_out @ V
        mean, spread = _standard(training) if preset.standardise else (np.zeros(d, np.float32), np.full(d, d**-0.5))
        found = train_reducer(
            _start(preset, weights, self.widths[0], seed),
            lambda p, u: _encode(p, u, u.new_tensor(mean), u.new_tensor(spread)),
            lambda p: p["decoder"] if "decoder" in p else p["skip"].T,
            training,
            held_out,
            weights,
            self.widths,
            self._how(**dict(preset.training)),
            seed,
            f"autoencoder{self.widths[0]}{self.preset}",
            watch=self.watch and (lambda found, loss: self._show(found, loss, V, mean, spread)),
        )
        self._fold(found, V, mean, spread)
        self.watch = None

    def _show(self, found: "Mapping[str, Floats]", loss: float, V: Floats, mean: Floats, spread: Floats) -> None:
        checkpoint = copy(self)
        checkpoint._fold(found, V, mean, spread)
        if self.watch:
            self.watch(checkpoint, loss)

    def _fold(self, found: "Mapping[str, Floats]", V: Floats, mean: Floats, spread: Floats) -> None:
        """Set the attributes from parameters that apply to principal components, standardised for hidden layers."""
        d, k = len(V), self.widths[0]
        skip = found.get("skip", np.zeros((d, k), np.float32))
        first = found.get("first", np.zeros((d, 0))) / spread[:, None]
        arrays = {
            "skip_": V @ skip,
            "first_": V @ first,
            "first_bias_": found.get("first_bias", np.zeros(0)) - mean @ first,
            "second_": found.get("second", np.zeros((0, 0))),
            "second_bias_": found.get("second_bias", np.zeros(0)),
            "out_": found.get("out", np.zeros((0, k))),
            "bias_": found.get("bias", np.zeros(k)),
            "decoder_": found.get("decoder", skip.T) @ V.T,
        }
        for name, array in arrays.items():
            setattr(self, name, np.ascontiguousarray(array, np.float32))

    def transform(self, X: Floats) -> Floats:
        reduced = X @ self.skip_ + self.bias_
        if self.first_.size:
            hidden = _gelu(X @ self.first_ + self.first_bias_)
            if self.second_.size:
                hidden = _gelu(hidden @ self.second_ + self.second_bias_)
            reduced = reduced + hidden @ self.out_
        return normalize(reduced)

    def inverse_transform(self, Z: Floats) -> Floats:
        return np.asarray(Z @ self.decoder_, dtype=np.float32)

    def project_queries(self, Q: Floats) -> tuple[Floats, Floats]:
        return np.asarray(Q @ self.decoder_.T, dtype=np.float32), np.zeros(len(Q), np.float32)


def _start(preset: Preset, weights: Floats, k: int, seed: int) -> dict[str, Floats]:
    """Return weighted principal components, and hidden layers that add nothing to them yet."""
    rng = np.random.default_rng(seed)
    d = len(weights)
    linear = np.eye(d, k, dtype=np.float32) * weights[:k]
    start = {"skip": linear} if preset.residual else {}
    if not preset.tied:
        start["decoder"] = np.ascontiguousarray(linear.T)
    sizes = [d, *(factor * k for factor in preset.hidden)]
    for name, (rows, columns) in zip(("first", "second"), pairwise(sizes), strict=False):
        start[name] = (rng.standard_normal((rows, columns)) / rows**0.5).astype(np.float32)
        start[f"{name}_bias"] = np.zeros(columns, np.float32)
    if preset.hidden:
        out = np.zeros((sizes[-1], k)) if preset.residual else rng.standard_normal((sizes[-1], k)) / sizes[-1] ** 0.5
        start |= {"out": out.astype(np.float32), "bias": np.zeros(k, np.float32)}
    return start


def _standard(X: Floats) -> tuple[Floats, Floats]:
    spread = X.std(axis=0)
    return X.mean(axis=0), np.where(spread > 1e-6, spread, 1).astype(np.float32)


def _encode(p: "Mapping[str, Tensor]", u: "Tensor", mean: "Tensor", spread: "Tensor") -> "Tensor":
    """Return f of principal components u (n, d), by torch."""
    from torch.nn.functional import gelu

    reduced: Tensor = u @ p["skip"] if "skip" in p else u.new_zeros(())
    if "first" in p:
        hidden = gelu((u - mean) / spread @ p["first"] + p["first_bias"], approximate="tanh")
        if "second" in p:
            hidden = gelu(hidden @ p["second"] + p["second_bias"], approximate="tanh")
        reduced = reduced + hidden @ p["out"] + p["bias"]
    return reduced


def _gelu(x: Floats) -> Floats:
    return np.asarray(x / 2 * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))), dtype=np.float32)
