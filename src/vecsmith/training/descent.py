"""The one descent: steps, checks on held-out data, and the best state kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import cos, pi
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from vecsmith.errors import require
from vecsmith.progress import losses
from vecsmith.training.checkpoint import Checkpoint, Reached

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float32]
Parameters = Mapping[str, "Tensor"]
Watch = Callable[[Mapping[str, Floats], float], None]

CHECKS, EPOCHS = 20, 30
"""Checks of the held-out loss, and passes over few vectors at most."""
SHARPNESS_RATE = 0.01


@dataclass(frozen=True)
class Training:
    """How a reducer or a translator is trained.

    Attributes
    ----------
    loss : {"similarity", "mse", "cosine"}
        Of how documents rank, or of the reconstruction.
    steps : int
        Maximum steps; with 0 the start is the result.
    epochs : int or None
        Maximum passes over few vectors, which lowers the steps; None does not lower them.
    batch : int
        Vectors of a batch.
    learning_rate : float
        Of AdamW.
    schedule : {"cosine", "step"}
        The learning rate falls to 0 like a cosine, or to a tenth after two thirds of the steps.
    weight_decay : float
        Of AdamW.
    temperature : float
        Of the softmax over similarities that are to be kept.
    patience : int
        Training ends when the held-out loss has not fallen in so many of 20 checks.
    """

    loss: Literal["similarity", "mse", "cosine"] = "similarity"
    steps: int = 200
    epochs: int | None = EPOCHS
    batch: int = 2048
    learning_rate: float = 3e-3
    schedule: Literal["cosine", "step"] = "cosine"
    weight_decay: float = 0.0
    temperature: float = 0.1
    patience: int = 6

    def steps_for(self, vectors: int) -> int:
        """Return the maximum steps for a number of training vectors."""
        if self.epochs is None:
            return self.steps
        return min(self.steps, max(CHECKS, self.epochs * vectors // self.batch))


def descend(
    parameters: Parameters,
    sharpness: "Tensor",
    batch_loss: Callable[[], "Tensor"],
    check: Callable[[], float],
    how: Training,
    steps: int,
    description: str,
    constrain: Callable[[Parameters], None] | None = None,
    watch: Watch | None = None,
    checkpoint: Checkpoint | None = None,
) -> dict[str, Floats]:
    """Lower a loss by AdamW, and keep what has the lowest held-out loss, the start included.

    Parameters
    ----------
    parameters : mapping of str to Tensor
        What is trained, in place.
    sharpness : Tensor
        Logarithm of an inverse temperature, trained too, at a rate of its own.
    batch_loss : callable
        Draws a batch and returns its loss.
    check : callable
        Returns the held-out loss.
    how : Training
        Rate, schedule, decay and patience.
    steps : int
        At most.
    description : str
        Of the progress bar.
    constrain : callable, optional
        Changes parameters in place after a step, so that they keep what is asked of them.
    watch : callable, optional
        Is told the parameters at the start and at every check, and their held-out loss.
    checkpoint : Checkpoint, optional
        From which a training that was killed goes on, and to which it is saved at every check; removed at the end.
    """
    torch = require("torch", "train")
    optimizer = torch.optim.AdamW(
        [
            {"params": list(parameters.values()), "weight_decay": how.weight_decay},
            {"params": [sharpness], "weight_decay": 0.0},
        ]
    )
    restored = checkpoint.restore(optimizer) if checkpoint else None
    if restored:
        best, reached = restored
        description = f"{description} from step {reached.step}"
    else:
        loss = check()
        best, reached = _arrays(parameters), Reached(0, loss, loss)
        if watch:
            watch(best, loss)
    every = max(1, steps // CHECKS)
    with losses(description, steps - reached.step) as report:
        for step in range(reached.step, steps):
            share = _share(how, step / steps)
            for group, rate in zip(optimizer.param_groups, (how.learning_rate, SHARPNESS_RATE), strict=True):
                group["lr"] = rate * share
            found = batch_loss()
            optimizer.zero_grad()
            found.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if constrain:
                with torch.no_grad():
                    constrain(parameters)
            report(float(found.detach()), reached.loss)
            if (step + 1) % every == 0:
                loss = check()
                if watch:
                    watch(_arrays(parameters), loss)
                better = loss < reached.lowest
                if better:
                    best = _arrays(parameters)
                reached = Reached(step + 1, loss, loss if better else reached.lowest, 0 if better else reached.vain + 1)
                if reached.vain == how.patience:
                    break
                if checkpoint:
                    checkpoint.save(optimizer, best, reached)
    if checkpoint:
        checkpoint.remove()
    return best


def _share(how: Training, done: float) -> float:
    """Return which share of its learning rate a step has when the share `done` of training is over."""
    if how.schedule == "step":
        return 1.0 if done < 2 / 3 else 0.1
    return (1 + cos(pi * done)) / 2


def _arrays(parameters: Parameters) -> dict[str, Floats]:
    return {name: tensor.detach().numpy().copy() for name, tensor in parameters.items()}
