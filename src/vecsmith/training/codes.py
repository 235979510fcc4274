"""Training of binary codes: their scores learn to rank documents as the scores of the vectors do."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from vecsmith.array_types import Floats
from vecsmith.errors import require
from vecsmith.training.loop import Training, train
from vecsmith.training.losses import listwise
from vecsmith.training.pseudo_queries import pseudo_queries
from vecsmith.training.relaxation import RELAXATIONS, hard_sign

if TYPE_CHECKING:
    from torch import Tensor

Sign = Callable[["Tensor"], "Tensor"]
Reconstruct = Callable[[Mapping[str, "Tensor"], "Tensor", Sign], "Tensor"]

TEMPERATURE = 0.05
"""Temperature of the softmax over the similarities of the vectors."""
SHARPNESS_GRID = (14, 20, 28, 40, 56)
"""Inverse temperatures of the softmax over the scores of codes, whose variance differs from that of similarities."""
DEFAULTS: dict[str, Any] = {"batch": 512, "steps": 300, "schedule": "sine"}
"""Settings that differ from the defaults of `Training`."""


def train_codes(
    start: Mapping[str, Floats],
    reconstruct: Reconstruct,
    training: Floats,
    validation: Floats,
    seed: int,
    description: str,
    learning_rate: float,
    relaxation: str = "straight-through",
    **options: Any,
) -> tuple[dict[str, Floats], float]:
    """Train the parameters of a binary quantizer and return those of lowest validation loss.

    The loss is the listwise loss between the scores of the decoded documents and those of the documents themselves.
    The queries are pseudo-queries.

    Parameters
    ----------
    start : mapping of str to ndarray
        Initial parameters, scaled so that entries have a size of about 1.
    reconstruct : callable
        Decodes the codes of vectors, given parameters, vectors (n, d) and a sign function; returns (n, d). All are
        torch's.
    training, validation : ndarray of shape (·, d), float32
        Unit vectors.
    seed : int
        Seed of batches, noise and relaxation.
    description : str
        Label of the progress bar.
    learning_rate : float
        Initial learning rate of all parameters.
    relaxation : str
        Differentiable approximation of the sign, a key of `RELAXATIONS`.
    **options
        Other settings of `Training`. An explicit `steps` is not lowered for small training sets.

    Returns
    -------
    parameters : dict of str to ndarray
        Those of lowest validation loss, the initial ones included.
    loss : float
        Their listwise loss on the validation set, with hard signs as in the codes.

    Raises
    ------
    VecsmithError
        If torch is not installed.
    """
    torch = require("torch", "train")
    epochs = {"epochs": None} if "steps" in options else {}
    rates = {"learning_rate": learning_rate, "sharpness_rate": learning_rate}
    settings = Training(**{**DEFAULTS, **epochs, **rates, **options})
    rng = np.random.default_rng(seed)
    documents, unseen = torch.from_numpy(training), torch.from_numpy(validation)
    parameters = {name: torch.tensor(array, dtype=torch.float32, requires_grad=True) for name, array in start.items()}
    validation_queries = pseudo_queries(unseen, rng)

    def best_sharpness() -> tuple[float, float]:
        """Return the lowest validation loss over `SHARPNESS_GRID`, and its inverse temperature."""
        with torch.no_grad():
            scores = validation_queries @ reconstruct(parameters, unseen, hard_sign).T
            targets = validation_queries @ unseen.T / TEMPERATURE
            return min((float(listwise(k * scores, targets)), k) for k in SHARPNESS_GRID)

    def batch_loss(left: float) -> "Tensor":
        x = documents[rng.permutation(len(documents))[: settings.batch]]
        q = pseudo_queries(x, rng)
        scores = q @ reconstruct(parameters, x, lambda reals: RELAXATIONS[relaxation](reals, left)).T
        return listwise(sharpness.exp() * scores, q @ x.T / TEMPERATURE)

    sharpness = torch.tensor(float(np.log(best_sharpness()[1])), requires_grad=True)
    steps = settings.steps_for(len(training))
    with torch.random.fork_rng(devices=[]):
        # relaxations may draw from torch's own generator
        torch.manual_seed(seed)
        return train(parameters, sharpness, batch_loss, lambda: best_sharpness()[0], settings, steps, description)
