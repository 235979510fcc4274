"""Training of reducers: the initial directions and the loss (torch is imported for the loop alone)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from vecsmith.array_types import Floats
from vecsmith.embeddings import Moments, principal_axes, shrunk, with_fixed_signs
from vecsmith.errors import require
from vecsmith.training.checkpoint import Checkpoint
from vecsmith.training.loop import Parameters, Training, Watch, train
from vecsmith.training.losses import listwise
from vecsmith.training.pseudo_queries import pseudo_queries, unit_rows

if TYPE_CHECKING:
    from torch import Tensor

Encode = Callable[[Parameters, "Tensor"], "Tensor"]
Decoder = Callable[[Parameters], "Tensor"]

WEIGHT_SHRINKAGE = 0.05
"""Share by which second moments are shrunk to their mean before they become weights of directions."""
QUERIES_PER_BATCH = 128
"""Number of pseudo-queries per batch in the listwise loss, made from its first vectors."""


def principal_directions(X: Floats, power: float) -> tuple[Floats, Floats]:
    """Return the principal directions of `X` (n, d) and their weights.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Vectors; they are not centered.
    power : float
        The exponent p.

    Returns
    -------
    directions : ndarray of shape (d, d)
        Eigenvectors of the second-moment matrix as columns, by decreasing eigenvalue λ.
    weights : ndarray of shape (d,)
        λ⁻ᵖ, with the eigenvalues divided by their mean and shrunk towards it by `WEIGHT_SHRINKAGE`.
    """
    spectrum, axes = principal_axes(Moments(center=0).add(X).products)
    relative = shrunk(spectrum, WEIGHT_SHRINKAGE, relative=True)
    return np.ascontiguousarray(with_fixed_signs(axes), np.float32), (relative**-power).astype(np.float32)


def train_reducer(
    start: Mapping[str, Floats],
    encode: Encode,
    decoder: Decoder,
    training: Floats,
    validation: Floats,
    weights: Floats,
    widths: Sequence[int],
    settings: Training,
    seed: int,
    description: str,
    constrain: Callable[[Parameters], None] | None = None,
    watch: Watch | None = None,
) -> dict[str, Floats]:
    """Train a reducer and return the parameters of lowest validation loss, the initial ones included.

    The first w reduced values, z_w, decode to D_wᵀz_w/‖z_w‖, where D_w are the first w rows of the decoder. The loss is
    the mean over all w in `widths`. An interrupted training resumes from its last check when it is repeated, with the
    same result as an uninterrupted one.

    Parameters
    ----------
    start : mapping of str to ndarray
        Initial parameters, scaled so that entries have a size of about 1.
    encode : callable
        From parameters and vectors (n, d) to reduced vectors z (n, k), in torch.
    decoder : callable
        From parameters to the decoder D (k, d), in torch.
    training, validation : ndarray of shape (·, d), float32
        Unit vectors.
    weights : ndarray of shape (d,)
        Weights of the dimensions in the target similarities.
    widths : sequence of int
        Numbers of leading reduced dimensions, at most k.
    settings : Training
        Loss, number of steps and learning rates.
    seed : int
        Seed of the batches and the noise.
    description : str
        Label of the progress bar. Trainings with equal `start` and data but different `encode`, `decoder` or
        `constrain` need different labels, because checkpoints are found by them.
    constrain : callable, optional
        Projects the parameters onto their constraints, in place, after every step.
    watch : callable, optional
        Called with the parameters and their validation loss, initially and at every check. Such a training does not
        resume from a checkpoint.

    Returns
    -------
    dict of str to ndarray
        The trained parameters.

    Raises
    ------
    VecsmithError
        If torch is not installed.
    """
    if not settings.steps:
        return dict(start)
    torch = require("torch", "train")
    rng = np.random.default_rng(seed)
    parameters = {name: torch.tensor(array, dtype=torch.float32, requires_grad=True) for name, array in start.items()}
    sharpness = torch.tensor(-float(np.log(settings.temperature)), requires_grad=True)
    documents, unseen, scale = (torch.from_numpy(np.ascontiguousarray(a)) for a in (training, validation, weights))

    def loss(x: "Tensor", q: "Tensor") -> "Tensor":
        z, D = encode(parameters, x), decoder(parameters)
        targets = unit_rows(q * scale) @ unit_rows(x * scale).T / settings.temperature
        total: Tensor = torch.zeros(())
        for width in widths:
            unit, rows = unit_rows(z[:, :width]), D[:width]
            if settings.loss == "listwise":
                total = total + listwise(sharpness.exp() * (q @ rows.T) @ unit.T, targets)
            elif settings.loss == "mse":
                total = total + ((x - unit @ rows) ** 2).sum(dim=1).mean()
            else:
                total = total + 1 - (unit_rows(x) * unit_rows(unit @ rows)).sum(dim=1).mean()
        return total / len(widths)

    def validation_loss() -> float:
        with torch.no_grad():
            return float(loss(unseen, validation_queries))

    def batch_loss(left: float) -> "Tensor":
        x = documents[rng.permutation(len(documents))[: settings.batch]]
        return loss(x, pseudo_queries(x[:QUERIES_PER_BATCH], rng))

    validation_queries = pseudo_queries(unseen, rng)
    checkpoint = None
    # a caller that watches expects every check, also those before an interruption
    if not watch:
        arrays = [*start.values(), training, validation, weights]
        checkpoint = Checkpoint(rng, arrays, [description, list(start), list(widths), asdict(settings), seed])
    steps = settings.steps_for(len(training))
    best, _ = train(
        parameters,
        sharpness,
        batch_loss,
        validation_loss,
        settings,
        steps,
        description,
        constrain,
        watch,
        checkpoint,
    )
    return best
