"""Training of binary codes: their scores learn to rank documents as the scores of the vectors do."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from vecsmith.array_types import Floats
from vecsmith.errors import require
from vecsmith.training.batches import Batch, judged_batch, pseudo_batch
from vecsmith.training.loop import Training, train
from vecsmith.training.losses import LOSSES
from vecsmith.training.pairs import JudgedPairs
from vecsmith.training.relaxation import RELAXATIONS, hard_sign
from vecsmith.training.validation import MAX_VALIDATION_VECTORS, VALIDATION_FRACTION

if TYPE_CHECKING:
    from torch import Tensor

Sign = Callable[["Tensor"], "Tensor"]
Reconstruct = Callable[[Mapping[str, "Tensor"], "Tensor", Sign], "Tensor"]

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
    loss: str = "listwise",
    pairs: JudgedPairs | None = None,
    **options: Any,
) -> tuple[dict[str, Floats], float]:
    """Train the parameters of a binary quantizer and return the parameters with the lowest validation loss.

    The loss compares the scores of the decoded documents with the scores of the float documents, or with relevance.
    The queries are pseudo-queries, and a pseudo-query's relevant document is the one that it is made from. Only a
    contrastive loss uses judged pairs, in place of the pseudo-queries.

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
    loss : str
        A key of `LOSSES`.
    pairs : JudgedPairs, optional
        Judged queries for the contrastive loss, a tenth of which serve as validation set.
    **options
        Other settings of `Training`. An explicit `steps` is not lowered for small training sets.

    Returns
    -------
    parameters : dict of str to ndarray
        Those of lowest validation loss, the initial ones included.
    loss : float
        Their loss on the validation set, with hard signs as in the codes.

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
    measure, judged = LOSSES[loss]
    if judged and pairs is not None:
        seen_pairs, unseen_pairs = pairs.split(VALIDATION_FRACTION, rng)
        held_out = judged_batch(unseen_pairs, 2 * MAX_VALIDATION_VECTORS, rng)
    else:
        seen_pairs, held_out = None, pseudo_batch(unseen, loss, rng)

    def best_sharpness() -> tuple[float, float]:
        """Return the lowest validation loss over `SHARPNESS_GRID`, and its inverse temperature."""
        with torch.no_grad():
            scores = held_out.queries @ reconstruct(parameters, held_out.documents, hard_sign).T
            return min((float(measure(k * scores, held_out.targets)), k) for k in SHARPNESS_GRID)

    def draw() -> Batch:
        if seen_pairs is not None:
            return judged_batch(seen_pairs, settings.batch, rng)
        return pseudo_batch(documents[rng.permutation(len(documents))[: settings.batch]], loss, rng)

    def batch_loss(left: float) -> "Tensor":
        batch = draw()
        relaxed = reconstruct(parameters, batch.documents, lambda reals: RELAXATIONS[relaxation](reals, left))
        scores = batch.queries @ relaxed.T
        return measure(sharpness.exp() * scores, batch.targets)

    sharpness = torch.tensor(float(np.log(best_sharpness()[1])), requires_grad=True)
    steps = settings.steps_for(len(training))
    with torch.random.fork_rng(devices=[]):
        # relaxations may draw from torch's own generator
        torch.manual_seed(seed)
        return train(parameters, sharpness, batch_loss, lambda: best_sharpness()[0], settings, steps, description)
