"""Averaging the weights of several trainings of a model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vecsmith.tune.trainer import Trained


@dataclass(frozen=True)
class _Run:
    trained: Trained
    weights: Mapping[str, Tensor]


def train_and_average(
    model: Any, runs: int, train: Callable[[int], Trained], gain: Callable[[], float] | None
) -> Trained:
    """Train a model several times from the same weights, and keep the mean of the weights or the best training.

    Trainings that start from the same weights stay close enough for their mean to be a good model. It is often better
    than each of them, because their errors differ.

    Parameters
    ----------
    model : torch.nn.Module
        The model. It is trained in place, and has the kept weights in the end.
    runs : int
        Number of trainings.
    train : callable
        Takes the number of a training, trains the model, and returns its best checkpoint.
    gain : callable or None
        Returns the gain of the model on the validation queries; None without validation, when the mean is kept.

    Returns
    -------
    Trained
        The kept checkpoint; for the mean, the one with the most steps, and the gain of the mean.

    References
    ----------
    Wortsman et al. 2022, Model soups: averaging weights of multiple fine-tuned models improves accuracy without
    increasing inference time, https://arxiv.org/abs/2203.05482.
    """
    if runs == 1:
        return train(0)
    initial, trained = _copy(model), list[_Run]()
    for number in range(runs):
        model.load_state_dict(initial)
        trained.append(_Run(train(number), _copy(model)))
    best = max(trained, key=lambda run: run.trained.gain)
    model.load_state_dict(_mean([run.weights for run in trained]))
    steps = max(run.trained.step for run in trained)
    if gain is None:
        return Trained(steps, 0.0)
    gained = gain()
    if gained >= best.trained.gain:
        return Trained(steps, gained)
    model.load_state_dict(best.weights)
    return best.trained


def _copy(model: Any) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}


def _mean(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the mean of floating-point tensors, and other tensors of the first state."""
    return {
        name: torch.stack([state[name] for state in states]).mean(dim=0) if tensor.is_floating_point() else tensor
        for name, tensor in states[0].items()
    }
