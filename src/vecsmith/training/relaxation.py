"""Signs that gradients pass (benchmarks/relaxations.py compares ways to relax them)."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


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
