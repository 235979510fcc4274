"""A linear map with a small neural network for its residuals."""

from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.embeddings import Moments
from vecsmith.errors import VecsmithError, require
from vecsmith.translators.affine import Affine, affine, hold_out
from vecsmith.translators.base import Translator
from vecsmith.translators.canonical import Canonical
from vecsmith.translators.linear import Linear

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    Parameters = Mapping[str, Tensor]

LOSSES = {"": "mse", "cosine": "cosine", "retrieval": "listwise"}
"""Losses of `vecsmith.training.Training` by the suffix of a spec."""
LEARNING_RATE, WEIGHT_DECAY, TEMPERATURE = 3e-3, 0.01, 0.05
MIN_RELATIVE_VARIANCE = 0.1
"""Variance of a component, relative to the largest, below which it is not scaled up to 1."""
STEPS, MAX_EPOCHS = 1000, 60
"""Training steps, and the maximum number of passes over the pairs."""
BATCH, QUERIES_PER_BATCH = 1024, 256
"""Pairs per batch, and the first of them that are also queries in the retrieval loss."""


class MLP(Translator):
    """y = f(x) + GELU(GELU(zH + h)K + k)O, with standardized principal components z of the source.

    f is `Linear`, or `Canonical` with the retrieval loss. Training starts at O = 0, which is f alone, and keeps the
    parameters of lowest loss on a validation set. The default loss is the squared error. ``cosine`` is one minus the
    cosine. ``retrieval`` compares the ranking of a batch by translated vectors, as queries and as documents, with the
    ranking by the target vectors (ListNet). An interrupted fit resumes from its last checkpoint.

    Parameters
    ----------
    layers : int
        1 or 2 hidden layers.
    width : int
        Width of each layer as a multiple of min(a, b).
    loss : str
        ``""``, ``"cosine"`` or ``"retrieval"``.

    Attributes
    ----------
    weights_, offset_ : ndarray of shape (a, b) and (b,)
        W and c of f.
    mean_, components_ : ndarray of shape (a,) and (a, r)
        z = (x − mean) components.
    first_, first_bias_, second_, second_bias_ : ndarray
        H, h, K and k; K and k are empty with one layer.
    out_ : ndarray of shape (*, b)
        O.

    References
    ----------
    Cao et al. 2007, Learning to rank: from pairwise approach to listwise approach, ICML. Hinton, Vinyals and Dean 2015,
    Distilling the knowledge in a neural network, https://arxiv.org/abs/1503.02531.
    """

    usage = "mlp1|mlp2[xW][:cosine|:retrieval]"
    pattern = r"mlp(?P<layers>[12])(?:x(?P<width>\d+))?(?::(?P<loss>cosine|retrieval))?"
    example = "mlp1"
    summary = "linear, and a network of one or two hidden layers of W times full rank (needs torch to fit)"
    state: ClassVar = {
        **Linear.state,
        "mean_": ("a",),
        "components_": ("a", "*"),
        "first_": ("*", "*"),
        "first_bias_": ("*",),
        "second_": ("*", "*"),
        "second_bias_": ("*",),
        "out_": ("*", "b"),
    }

    weights_: Floats
    offset_: Floats
    mean_: Floats
    components_: Floats
    first_: Floats
    first_bias_: Floats
    second_: Floats
    second_bias_: Floats
    out_: Floats

    def __init__(self, layers: int, width: int = 1, loss: str = "") -> None:
        self.layers = layers
        self.width = width
        self.loss = loss

    def _fit(self, X: Floats, Y: Floats) -> None:
        if not self.width:
            raise VecsmithError(f"{self.spec} has hidden layers of width 0; choose a width of 1 or more.")
        torch = require("torch", "train")
        from vecsmith.training import Training, listwise, train, unit_rows
        from vecsmith.training.checkpoint import Checkpoint

        def gelu(x: "Tensor") -> "Tensor":
            return torch.nn.functional.gelu(x, approximate="tanh")  # type: ignore[no-any-return]

        training, held_out = hold_out(len(X), self.seed)
        self._start(X, Y, training)
        rng = np.random.default_rng(self.seed)
        # a step changes all h · b entries of O by about the same amount, so their scale is reduced accordingly
        scale = (self.hidden * Y.shape[1]) ** -0.5
        parameters = {name: torch.tensor(array, requires_grad=True) for name, array in self._weights(rng).items()}
        sharpness = torch.tensor(-float(np.log(TEMPERATURE)), requires_grad=True)
        components, line = (X - self.mean_) @ self.components_, affine(X, self.weights_, self.offset_)
        sources, lines, targets = map(torch.from_numpy, (components, line, Y))
        settings = Training(
            LOSSES[self.loss],  # type: ignore[arg-type]
            STEPS,
            MAX_EPOCHS,
            BATCH,
            LEARNING_RATE,
            weight_decay=WEIGHT_DECAY,
            temperature=TEMPERATURE,
        )

        def loss(rows: "Tensor") -> "Tensor":
            predicted, expected = lines[rows] + scale * _network(parameters, sources[rows], gelu), targets[rows]
            if settings.loss == "mse":
                return torch.square(predicted - expected).sum(dim=1).mean()  # type: ignore[no-any-return]
            predicted, expected = unit_rows(predicted), unit_rows(expected)
            if settings.loss == "cosine":
                return 1 - (predicted * expected).sum(dim=1).mean()
            ranked = expected[:QUERIES_PER_BATCH] @ expected.T / TEMPERATURE
            return listwise(sharpness.exp() * predicted[:QUERIES_PER_BATCH] @ expected.T, ranked) + listwise(
                sharpness.exp() * expected[:QUERIES_PER_BATCH] @ predicted.T, ranked
            )

        def check() -> float:
            with torch.no_grad():
                return float(loss(torch.from_numpy(held_out)))

        def batch_loss(left: float) -> "Tensor":
            return loss(torch.from_numpy(rng.permutation(training)[: settings.batch]))

        steps = settings.steps_for(len(training))
        checkpoint = Checkpoint(rng, (X, Y), [self.spec, self.seed, X.shape, Y.shape, asdict(settings)])
        trained, _ = train(parameters, sharpness, batch_loss, check, settings, steps, self.spec, checkpoint=checkpoint)
        for name, array in trained.items():
            setattr(self, f"{name}_", array * np.float32(scale) if name == "out" else array)
        # the validation set is no longer needed, so f is fitted on all pairs
        final = self._line(X, Y)
        self.weights_, self.offset_ = final.weights_, final.offset_

    @property
    def hidden(self) -> int:
        """Width of a hidden layer."""
        return self.width * min(self.input_dimensions_, self.output_dimensions_)

    def _start(self, X: Floats, Y: Floats, training: RowNumbers) -> None:
        """Set f and the components; f is fitted on the training set alone, because the validation set scores it."""
        line = self._line(X[training], Y[training])
        self.weights_, self.offset_ = line.weights_, line.offset_
        self.mean_ = X[training].mean(axis=0, dtype=np.float64).astype(np.float32)
        spectrum, V = np.linalg.eigh(Moments(center=0).add(X - self.mean_).second_moment)
        # equal vectors have no variance
        spread = np.sqrt(np.maximum(spectrum, MIN_RELATIVE_VARIANCE * spectrum.max()) if spectrum.max() > 0 else 1.0)
        self.components_ = np.asarray(V / spread, dtype=np.float32)

    def _line(self, X: Floats, Y: Floats) -> Affine:
        line = Canonical() if self.loss == "retrieval" else Linear()
        line.spec, line.seed = line.usage, self.seed
        return line.fit(X, Y)

    def _weights(self, rng: np.random.Generator) -> dict[str, Floats]:
        """Return the initial layers: He initialization (He et al. 2015), and zeros for O."""
        sizes = [self.input_dimensions_, *([self.hidden] * self.layers)]
        layers = [(rng.standard_normal((m, n)) * np.sqrt(2 / m)).astype(np.float32) for m, n in pairwise(sizes)]
        start = {"first": layers[0], "first_bias": np.zeros(self.hidden, np.float32)}
        second = layers[1] if self.layers == 2 else np.zeros((0, 0), np.float32)
        start |= {"second": second, "second_bias": np.zeros(second.shape[1], np.float32)}
        return start | {"out": np.zeros((self.hidden, self.output_dimensions_), np.float32)}

    def _map(self, X: Floats) -> Floats:
        layers = {name: getattr(self, f"{name}_") for name in ("first", "first_bias", "second", "second_bias", "out")}
        added = _network(layers, (X - self.mean_) @ self.components_, _gelu)
        return affine(X, self.weights_, self.offset_) + np.asarray(added, np.float32)


def _network(p: "Mapping[str, Any]", z: Any, activation: Callable[[Any], Any]) -> Any:
    """Return the output (n, b) of the network for components z (n, r), as torch or NumPy arrays."""
    hidden = activation(z @ p["first"] + p["first_bias"])
    if p["second"].shape[0]:
        hidden = activation(hidden @ p["second"] + p["second_bias"])
    return hidden @ p["out"]


def _gelu(x: Floats) -> Floats:
    return np.asarray(x / 2 * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))), dtype=np.float32)
