"""The training loop: AdamW steps, a validation loss, early stopping, and the selection of the best parameters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import cos, pi
from typing import TYPE_CHECKING, Literal

import numpy as np

from vecsmith.array_types import Floats
from vecsmith.errors import require
from vecsmith.progress import losses
from vecsmith.training.checkpoint import Checkpoint, Progress

if TYPE_CHECKING:
    from torch import Tensor

Parameters = Mapping[str, "Tensor"]
Watch = Callable[[Mapping[str, Floats], float], None]

CHECKS, EPOCHS = 20, 30
"""Checks of the validation loss in one training, and the default maximum of passes over the training set."""


@dataclass(frozen=True)
class Training:
    """Settings of a training.

    Attributes
    ----------
    loss : {"listwise", "mse", "cosine"}
        The listwise loss of the ranking, the squared reconstruction error, or one minus the cosine.
    steps : int
        Maximum number of steps. With 0, the initial parameters are returned.
    epochs : int or None
        Maximum number of passes over the training set, which lowers `steps` for a small one; None for no maximum.
    batch : int
        Vectors per batch.
    learning_rate : float
        Initial learning rate of AdamW.
    schedule : {"cosine", "sine"}
        Learning rate schedule: a half cosine from 1 to 0, or a quarter sine from 1 to 0, which stays high longer.
    weight_decay : float
        Weight decay of AdamW.
    temperature : float
        Temperature of the softmax over target similarities.
    patience : int
        Number of consecutive checks without improvement after which training stops.
    sharpness_rate : float
        Initial learning rate of the logarithm of the inverse temperature.
    """

    loss: Literal["listwise", "mse", "cosine"] = "listwise"
    steps: int = 200
    epochs: int | None = EPOCHS
    batch: int = 2048
    learning_rate: float = 3e-3
    schedule: Literal["cosine", "sine"] = "cosine"
    weight_decay: float = 0.0
    temperature: float = 0.1
    patience: int = 6
    sharpness_rate: float = 0.01

    def steps_for(self, vectors: int) -> int:
        """Return the maximum number of steps for a training set of `vectors` vectors."""
        if self.epochs is None:
            return self.steps
        return min(self.steps, max(CHECKS, self.epochs * vectors // self.batch))

    def rate_factor(self, done: float) -> float:
        """Return the factor of the learning rates after the fraction `done` of the steps."""
        if self.schedule == "sine":
            return float(np.sin(np.pi / 2 * (1 - done)))
        return (1 + cos(pi * done)) / 2


def train(
    parameters: Parameters,
    sharpness: "Tensor",
    batch_loss: Callable[[float], "Tensor"],
    validation_loss: Callable[[], float],
    settings: Training,
    steps: int,
    description: str,
    constrain: Callable[[Parameters], None] | None = None,
    watch: Watch | None = None,
    checkpoint: Checkpoint | None = None,
) -> tuple[dict[str, Floats], float]:
    """Minimize a loss with AdamW and return the parameters of lowest validation loss, the initial ones included.

    Parameters
    ----------
    parameters : mapping of str to Tensor
        Initial parameters; trained in place.
    sharpness : Tensor
        Logarithm of the inverse temperature of predicted scores; trained in place without weight decay.
    batch_loss : callable
        Draws a batch and returns its loss, given the fraction of training left, which falls from 1 to 0.
    validation_loss : callable
        Returns the loss on the validation set.
    settings : Training
        Learning rates, schedule, weight decay and patience.
    steps : int
        Maximum number of steps.
    description : str
        Label of the progress bar.
    constrain : callable, optional
        Projects the parameters onto their constraints, in place, after every step.
    watch : callable, optional
        Called with the parameters and their validation loss, initially and at every check.
    checkpoint : Checkpoint, optional
        Where the training is saved at every check, and from which an interrupted one resumes; removed at the end.

    Returns
    -------
    parameters : dict of str to ndarray
        The parameters of lowest validation loss.
    loss : float
        That validation loss.

    Raises
    ------
    VecsmithError
        If torch is not installed.
    """
    torch = require("torch", "train")
    optimizer = torch.optim.AdamW(
        [
            {"params": list(parameters.values()), "weight_decay": settings.weight_decay},
            {"params": [sharpness], "weight_decay": 0.0},
        ]
    )
    restored = checkpoint.restore(optimizer) if checkpoint else None
    if restored:
        best, progress = restored
        description = f"{description} from step {progress.step}"
    else:
        loss = validation_loss()
        best, progress = _arrays(parameters), Progress(0, loss, loss)
        if watch:
            watch(best, loss)
    steps_per_check = max(1, steps // CHECKS)
    with losses(description, steps - progress.step) as report:
        for step in range(progress.step, steps):
            factor = settings.rate_factor(step / steps)
            rates = (settings.learning_rate, settings.sharpness_rate)
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            batch = batch_loss(1 - step / steps)
            optimizer.zero_grad()
            batch.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if constrain:
                with torch.no_grad():
                    constrain(parameters)
            report(float(batch.detach()), progress.loss)
            if (step + 1) % steps_per_check:
                continue
            progress = progress.checked(step + 1, validation_loss())
            if watch:
                watch(_arrays(parameters), progress.loss)
            if not progress.checks_without_improvement:
                best = _arrays(parameters)
            if progress.checks_without_improvement == settings.patience:
                break
            if checkpoint:
                checkpoint.save(optimizer, best, progress)
    if checkpoint:
        checkpoint.remove()
    return best, progress.lowest


def _arrays(parameters: Parameters) -> dict[str, Floats]:
    return {name: tensor.detach().numpy().copy() for name, tensor in parameters.items()}
