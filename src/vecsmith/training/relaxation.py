"""Signs that gradients pass (benchmarks/results/relaxations.md compares ways to relax them)."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from vecsmith.errors import require

if TYPE_CHECKING:
    from torch import Tensor

COOLEST = 0.05
"""The lowest temperature."""


def hard_sign(reals: "Tensor") -> "Tensor":
    """Return +1 above zero and −1 elsewhere, as codes have it."""
    return (reals > 0).to(reals.dtype) * 2 - 1


def straight_through(reals: "Tensor", left: float) -> "Tensor":
    """Return hard signs with the gradient of tanh.

    Parameters
    ----------
    reals : Tensor
        With a spread of about 1.
    left : float
        The share of training that is left, for relaxations that harden on the way; this one is hard at once.

    References
    ----------
    Bengio, Léonard and Courville 2013, Estimating or propagating gradients through stochastic neurons,
    https://arxiv.org/abs/1308.3432.
    """
    soft = reals.tanh()
    return soft + (hard_sign(reals) - soft).detach()


def sigmoid(reals: "Tensor", left: float) -> "Tensor":
    """Return a sigmoid, scaled to −1 … +1, that is annealed from temperature 1."""
    return 2 * (reals / max(left, COOLEST)).sigmoid() - 1


def saturating(reals: "Tensor", left: float) -> "Tensor":
    """Return a sigmoid, scaled to −1 … +1, that is steep from the beginning."""
    return 2 * (reals / COOLEST).sigmoid() - 1


def tanh(reals: "Tensor", left: float) -> "Tensor":
    """Return a tanh that is annealed from temperature 1."""
    return (reals / max(left, COOLEST)).tanh()


def gumbel(reals: "Tensor", left: float) -> "Tensor":
    """Return an annealed tanh with logistic noise, the difference of two Gumbel variables.

    References
    ----------
    Jang, Gu and Poole 2017, Categorical reparameterization with Gumbel-softmax, https://arxiv.org/abs/1611.01144.
    """
    uniform = require("torch", "train").rand_like(reals).clamp(1e-6, 1 - 1e-6)
    noise: Tensor = uniform.logit()
    return ((reals + noise / 2) / max(left, COOLEST)).tanh()


RELAXATIONS: dict[str, Callable[["Tensor", float], "Tensor"]] = {
    "straight-through": straight_through,
    "sigmoid": sigmoid,
    "saturating": saturating,
    "tanh": tanh,
    "gumbel": gumbel,
}
"""From reals and the share of training that is left, which falls from 1 to 0, to differentiable signs."""
