"""Autoencoders: a linear map or a small network down to k dimensions, and a linear decoder."""

from copy import copy
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vecsmith.array_types import Floats
from vecsmith.codecs.checks import standard_deviations
from vecsmith.codecs.reducers.trained import Trained
from vecsmith.codecs.stages import check_range
from vecsmith.embeddings import normalize
from vecsmith.errors import VecsmithError, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

POWER = 1 / 8
"""The exponent p of the weights λ⁻ᵖ of principal components (docs/studies/reducers.md)."""


@dataclass(frozen=True)
class Preset:
    """Architecture and training settings of an autoencoder.

    Attributes
    ----------
    hidden : tuple of int
        Widths of up to two hidden layers with GELU, as multiples of k.
    tied : bool
        Whether the decoder is the transpose of the linear part of the encoder.
    residual : bool
        Whether the output of the hidden layers is added to a linear map or stands alone.
    standardize : bool
        Whether the hidden layers take principal components of mean 0 and variance 1.
    power : float
        The exponent p, both of the initial map and of the target similarities.
    training : tuple of (str, value)
        Arguments of `vecsmith.training.Training` that differ from its defaults.
    """

    hidden: tuple[int, ...] = ()
    tied: bool = True
    residual: bool = True
    standardize: bool = False
    power: float = POWER
    training: tuple[tuple[str, Any], ...] = ()


_NETWORK: tuple[tuple[str, Any], ...] = (("learning_rate", 1e-3), ("weight_decay", 0.01))
PRESETS = {
    "linear": Preset(),
    "untied": Preset(tied=False),
    "mse": Preset(tied=False, power=0, training=(("loss", "mse"),)),
    "cosine": Preset(tied=False, power=0, training=(("loss", "cosine"),)),
    "mlp1": Preset(hidden=(2,), tied=False, standardize=True, training=_NETWORK),
    "mlp2": Preset(hidden=(2, 2), tied=False, standardize=True, training=_NETWORK),
    "mlp1-mse": Preset(hidden=(2,), tied=False, standardize=True, power=0, training=(("loss", "mse"), *_NETWORK)),
}
"""Presets by name (compared in docs/studies/reducers.md)."""


class Autoencoder(Trained):
    """An encoder z = f(x)/‖f(x)‖ with f(x) = xS + GELU(…)O + c, and a linear decoder x̂ = Dᵀz.

    Without hidden layers, f(x) = xS is a linear map. Training starts from the weighted principal components of
    `WhitenedPCA`. The listwise loss makes pseudo-queries rank documents as the weighted original vectors do; the
    other losses are reconstruction errors. The parameters of lowest validation loss are saved, which may be the
    initial ones. Queries need no network: ⟨q, Dᵀz⟩ = ⟨Dq, z⟩ for any f, so they are projected to q' = Dq.

    Parameters
    ----------
    widths : str or int
        k, or several decreasing widths such as ``"256/128/64"``. The first is k. Training optimizes the prefixes of the
        other widths as well, and a following stage such as ``truncate64`` cuts to one of them.
    preset : str
        A key of `PRESETS`.

    Attributes
    ----------
    skip_ : ndarray of shape (d, k)
        S.
    first_, first_bias_, second_, second_bias_ : ndarray
        The hidden layers, of shapes (d, h), (h,), (h, h') and (h',); empty where there is no such layer.
    out_, bias_ : ndarray of shapes (h or h', k) and (k,)
        O and c.
    decoder_ : ndarray of shape (k, d)
        D.
    watch : callable or None
        If set before `fit`, it is called with a copy of the stage and its validation loss at every check of the
        training. `fit` resets it to None.

    References
    ----------
    Kusupati et al. 2022, Matryoshka Representation Learning, https://arxiv.org/abs/2205.13147, for nested widths.
    """

    usage = "autoencoderK:PRESET"
    pattern = r"autoencoder(?P<widths>\d+(?:/\d+)*):(?P<preset>[\w-]+)"
    example = "autoencoder16:linear"
    summary = "K dimensions: a trained autoencoder, linear, mlp1 …; K/K2/… for nested widths (needs torch to fit)"
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

    def __init__(self, widths: str | int, preset: str) -> None:
        if preset not in PRESETS:
            raise unknown("preset of autoencoderK", preset, PRESETS)
        self.widths = parse_widths(widths)
        self.preset = preset
        self.watch: Callable[[Autoencoder, float], None] | None = None

    @property
    def output_dimensions(self) -> int:
        return self.widths[0]

    def _check_widths(self, d: int) -> None:
        for width in self.widths:
            check_range(self.spec, width, d, "dimensions", f"vectors of {d} dimensions")

    def _train(self, X: Floats, training: Floats, validation: Floats, seed: int) -> None:
        from vecsmith.training import principal_directions, train_reducer

        d = X.shape[1]
        self._check_widths(d)
        preset = PRESETS[self.preset]
        V, weights = principal_directions(X, preset.power)
        training, validation = training @ V, validation @ V
        if preset.standardize:
            mean, spread = training.mean(axis=0), standard_deviations(training)
        else:
            mean, spread = np.zeros(d, np.float32), np.full(d, d**-0.5)

        def watch(parameters: "Mapping[str, Floats]", loss: float) -> None:
            checkpoint = copy(self)
            checkpoint._set_layers(parameters, V, mean, spread)
            if self.watch:
                self.watch(checkpoint, loss)

        parameters = train_reducer(
            _start(preset, weights, self.widths[0], seed),
            lambda p, u: _encode(p, u, u.new_tensor(mean), u.new_tensor(spread)),
            lambda p: p["decoder"] if "decoder" in p else p["skip"].T,
            training,
            validation,
            weights,
            self.widths,
            self._training_settings(**dict(preset.training)),
            seed,
            f"autoencoder{self.widths[0]}:{self.preset}",
            watch=watch if self.watch else None,
        )
        self._set_layers(parameters, V, mean, spread)
        self.watch = None

    def _set_layers(self, parameters: "Mapping[str, Floats]", V: Floats, mean: Floats, spread: Floats) -> None:
        """Set the attributes from parameters that apply to principal components.

        Parameters
        ----------
        parameters : mapping of str to ndarray
            As `_start` returns them.
        V : ndarray of shape (d, d)
            The principal directions, as columns.
        mean, spread : ndarray of shape (d,)
            Mean and standard deviation by which the hidden layers standardize principal components.
        """
        d, k = len(V), self.widths[0]
        skip = parameters.get("skip", np.zeros((d, k), np.float32))
        first = parameters.get("first", np.zeros((d, 0))) / spread[:, None]
        arrays = {
            "skip_": V @ skip,
            "first_": V @ first,
            "first_bias_": parameters.get("first_bias", np.zeros(0)) - mean @ first,
            "second_": parameters.get("second", np.zeros((0, 0))),
            "second_bias_": parameters.get("second_bias", np.zeros(0)),
            "out_": parameters.get("out", np.zeros((0, k))),
            "bias_": parameters.get("bias", np.zeros(k)),
            "decoder_": parameters.get("decoder", skip.T) @ V.T,
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


def parse_widths(widths: str | int) -> list[int]:
    """Return the widths in a text such as ``"256/128/64"``.

    Raises
    ------
    VecsmithError
        If they do not decrease.
    """
    parsed = [int(width) for width in str(widths).split("/")]
    if parsed != sorted(set(parsed), reverse=True):
        raise VecsmithError(f"The widths {widths} must decrease; write the largest first.")
    return parsed


def _start(preset: Preset, weights: Floats, k: int, seed: int) -> dict[str, Floats]:
    """Return the initial parameters: weighted principal components, and hidden layers whose output is zero.

    Hidden layers without a linear map beside them start with random outputs instead.
    """
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


def _encode(p: "Mapping[str, Tensor]", u: "Tensor", mean: "Tensor", spread: "Tensor") -> "Tensor":
    """Return f of principal components u (n, d), in torch."""
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
