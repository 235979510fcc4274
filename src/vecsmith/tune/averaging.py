"""Averaging the weights of several trainings of a model."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from vecsmith.tune.trainer import Trained


def train_and_average(
    model: Any, runs: int, train: Callable[[int], Trained], gain: Callable[[], float] | None
) -> Trained:
    """Train a model several times from the same weights, and keep the mean of the weights.

    Trainings that start from the same weights stay close enough for their mean to be a good model. It is often better
    than each of them, because their errors differ. The best training is not kept instead: the validation queries are
    too few to tell a better training from a lucky one.

    Parameters
    ----------
    model : torch.nn.Module
        The model. It is trained in place, and has the mean weights in the end.
    runs : int
        Number of trainings.
    train : callable
        Takes the number of a training, trains the model, and returns its best checkpoint.
    gain : callable or None
        Returns the gain of the model on the validation queries; None without validation.

    Returns
    -------
    Trained
        The kept checkpoint: the most steps of all, and the gain of the mean. Its step is 0 if nothing is gained.

    References
    ----------
    Wortsman et al. 2022, Model soups: averaging weights of multiple fine-tuned models improves accuracy without
    increasing inference time, https://arxiv.org/abs/2203.05482.
    """
    if runs == 1:
        return train(0)
    initial = _copy(model)
    mean, steps = {name: torch.zeros_like(tensor) for name, tensor in initial.items()}, 0
    for number in range(runs):
        model.load_state_dict(initial)
        steps = max(steps, train(number).step)
        for name, tensor in _copy(model).items():
            # integers, such as positions, are no weights
            mean[name] = mean[name] + tensor / runs if tensor.is_floating_point() else tensor
    model.load_state_dict(mean)
    if gain is None:
        return Trained(steps, 0.0)
    gained = gain()
    return Trained(steps, gained) if gained > 0 else Trained(0, 0.0)


def _copy(model: Any) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
