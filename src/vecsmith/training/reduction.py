"""Training of reducers: where they start, and the loop that improves them (torch is imported for the loop alone)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vecsmith.embeddings import Moments, principal_axes, shrunk, with_fixed_signs
from vecsmith.errors import require
from vecsmith.training.checkpoint import Checkpoint
from vecsmith.training.descent import Parameters, Training, Watch, descend
from vecsmith.training.loop import NOISE, unit_rows
from vecsmith.training.losses import listwise

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float32]
Encode = Callable[[Parameters, "Tensor"], "Tensor"]
Decoder = Callable[[Parameters], "Tensor"]

WEIGHT_SHRINKAGE = 0.05
"""Share by which second moments are shrunk to their mean before they become weights of directions."""
QUERIES = 128
"""Pseudo-queries of a batch for the similarity loss, made from its first vectors."""


def principal_directions(X: Floats, power: float) -> tuple[Floats, Floats]:
    """Return the directions of X (n, d), by falling second moment λ, as columns (d, d), and their weights λ⁻ᵖ (d,).

    The second moments are drawn to their mean first, and the weights are relative to that mean.
    """
    spectrum, axes = principal_axes(Moments(center=0).add(X).products)
    relative = shrunk(spectrum, WEIGHT_SHRINKAGE, relative=True)
    return np.ascontiguousarray(with_fixed_signs(axes), np.float32), (relative**-power).astype(np.float32)


def train_reducer(
    start: Mapping[str, Floats],
    encode: Encode,
    decoder: Decoder,
    training: Floats,
    held_out: Floats,
    weights: Floats,
    widths: Sequence[int],
    how: Training,
    seed: int,
    description: str,
    constrain: Callable[[Parameters], None] | None = None,
    watch: Watch | None = None,
) -> dict[str, Floats]:
    """Improve a reducer, and keep what has the lowest loss on held-out vectors, the start included.

    A prefix of w values stands for D_wᵀz_w/‖z_w‖. The loss is the mean of those of all prefixes in `widths`. A training
    that was killed goes on from its last check when it is asked for again, and ends as it would have.

    Parameters
    ----------
    start : mapping of str to ndarray
        Parameters to start from, with entries of a size of about 1.
    encode, decoder : callable
        From parameters and vectors (n, d) to z (n, k); from parameters to D (k, d). All are torch's.
    training, held_out : ndarray of shape (n, d), float32
        Unit vectors.
    weights : ndarray of shape (d,)
        Of the dimensions in the similarities that are to be kept.
    widths : sequence of int
        At most k.
    how : Training
        Loss, steps, rates.
    seed : int
        Seeds the batches and the noise.
    description : str
        Of the progress bar; with `start`, it must tell `encode`, `decoder` and `constrain` from others.
    constrain : callable, optional
        Changes parameters in place after a step, so that they keep what is asked of them.
    watch : callable, optional
        Is told the parameters at the start and at every check, and their held-out loss; then nothing is resumed.

    Returns
    -------
    dict of str to ndarray
        The parameters.

    Raises
    ------
    VecsmithError
        If torch is not installed.
    """
    if not how.steps:
        return dict(start)
    torch = require("torch", "train")
    rng = np.random.default_rng(seed)
    parameters = {name: torch.tensor(array, dtype=torch.float32, requires_grad=True) for name, array in start.items()}
    sharpness = torch.tensor(-float(np.log(how.temperature)), requires_grad=True)
    documents, unseen, equal = (torch.from_numpy(np.ascontiguousarray(a)) for a in (training, held_out, weights))

    def queries(x: "Tensor") -> "Tensor":
        return unit_rows(x + NOISE / x.shape[1] ** 0.5 * torch.from_numpy(rng.standard_normal(x.shape, np.float32)))

    def loss(x: "Tensor", q: "Tensor") -> "Tensor":
        z, D = encode(parameters, x), decoder(parameters)
        wanted = unit_rows(q * equal) @ unit_rows(x * equal).T / how.temperature
        total: Tensor = torch.zeros(())
        for width in widths:
            unit, rows = unit_rows(z[:, :width]), D[:width]
            if how.loss == "similarity":
                total = total + listwise(sharpness.exp() * (q @ rows.T) @ unit.T, wanted)
            elif how.loss == "mse":
                total = total + ((x - unit @ rows) ** 2).sum(dim=1).mean()
            else:
                total = total + 1 - (unit_rows(x) * unit_rows(unit @ rows)).sum(dim=1).mean()
        return total / len(widths)

    def check() -> float:
        with torch.no_grad():
            return float(loss(unseen, asked))

    def batch_loss() -> "Tensor":
        x = documents[rng.permutation(len(documents))[: how.batch]]
        return loss(x, queries(x[:QUERIES]))

    asked = queries(unseen)
    steps = how.steps_for(len(training))
    # who watches is to see all of it
    checkpoint = None
    if not watch:
        given = [*start.values(), training, held_out, weights]
        checkpoint = Checkpoint(rng, given, [description, list(start), list(widths), asdict(how), seed])
    return descend(parameters, sharpness, batch_loss, check, how, steps, description, constrain, watch, checkpoint)
