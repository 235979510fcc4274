"""Differentiable relaxations of the sign function (compared by benchmarks/results/binary-training.md)."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from vecsmith.errors import require

if TYPE_CHECKING:
    from torch import Tensor

MIN_TEMPERATURE = 0.05
"""Lowest temperature of the annealed relaxations."""


def hard_sign(reals: "Tensor") -> "Tensor":
    """Return +1 for positive values and −1 elsewhere, as in the codes."""
    return (reals > 0).to(reals.dtype) * 2 - 1


def straight_through(reals: "Tensor", left: float) -> "Tensor":
    """Return hard signs with the gradient of tanh (straight-through estimator).

    Parameters
    ----------
    reals : Tensor
        Values with a standard deviation of about 1.
    left : float
        Fraction of the training left, for annealed relaxations; ignored here.

    References
    ----------
    Bengio, Léonard and Courville 2013, Estimating or propagating gradients through stochastic neurons,
    https://arxiv.org/abs/1308.3432.
    """
    soft = reals.tanh()
    return soft + (hard_sign(reals) - soft).detach()


def sigmoid(reals: "Tensor", left: float) -> "Tensor":
    """Return a sigmoid scaled to (−1, 1), annealed from temperature 1."""
    return 2 * (reals / max(left, MIN_TEMPERATURE)).sigmoid() - 1


def saturating(reals: "Tensor", left: float) -> "Tensor":
    """Return a sigmoid scaled to (−1, 1), at the lowest temperature throughout."""
    return 2 * (reals / MIN_TEMPERATURE).sigmoid() - 1


def tanh(reals: "Tensor", left: float) -> "Tensor":
    """Return a tanh annealed from temperature 1."""
    return (reals / max(left, MIN_TEMPERATURE)).tanh()


def gumbel(reals: "Tensor", left: float) -> "Tensor":
    """Return an annealed tanh with logistic noise, the difference of two Gumbel variables.

    References
    ----------
    Jang, Gu and Poole 2017, Categorical reparameterization with Gumbel-softmax, https://arxiv.org/abs/1611.01144.
    """
    uniform = require("torch", "train").rand_like(reals).clamp(1e-6, 1 - 1e-6)
    noise: Tensor = uniform.logit()
    return ((reals + noise / 2) / max(left, MIN_TEMPERATURE)).tanh()


RELAXATIONS: dict[str, Callable[["Tensor", float], "Tensor"]] = {
    "straight-through": straight_through,
    "sigmoid": sigmoid,
    "saturating": saturating,
    "tanh": tanh,
    "gumbel": gumbel,
}
"""Functions of values and the fraction of training left, from 1 to 0, that return differentiable signs."""
