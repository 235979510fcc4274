"""The one training loop: arrays in, better arrays out, the same for the same seed."""

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vecsmith.errors import VecsmithWarning, require
from vecsmith.progress import track
from vecsmith.training.descent import CHECKS, EPOCHS
from vecsmith.training.losses import listwise
from vecsmith.training.relaxation import RELAXATIONS, hard_sign

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float32]
Sign = Callable[["Tensor"], "Tensor"]
Loss = Callable[["Tensor", "Tensor"], "Tensor"]
Reconstruct = Callable[[Mapping[str, "Tensor"], "Tensor", Sign], "Tensor"]

TEMPERATURE = 0.05
"""Of the softmax over similarities."""
SHARPNESS = (14, 20, 28, 40, 56)
"""Inverse temperatures among which the scores of codes, whose spread is another, find theirs."""
NOISE = 1.0
"""Norm of the noise that makes a query of a unit vector: questions are about as far from their documents."""
MOST, HELD_OUT, MOST_HELD_OUT = 50_000, 0.1, 1000
"""The most vectors that are used, and how many of them do not train but say when to stop."""
FEWEST = 20
"""With fewer vectors nothing is held out."""
BATCH, MOST_STEPS = 512, 300
PATIENCE = 6
"""Training ends after so many checks in vain."""


def split(X: Floats, seed: int, validation: Floats | None = None) -> tuple[Floats, Floats]:
    """Return vectors that train, and vectors held out, both drawn at random from X (n, d).

    With vectors for `validation` (m, d), those held out are drawn from them, and all of X may train.
    """
    rng = np.random.default_rng(seed)
    if len(X) > MOST:
        warnings.warn(
            f"Training uses {MOST:,} of the {len(X):,} vectors, drawn at random with the seed.",
            VecsmithWarning,
            stacklevel=2,
        )
    if validation is not None:
        return X[rng.permutation(len(X))[:MOST]], validation[rng.permutation(len(validation))[:MOST_HELD_OUT]]
    if len(X) < FEWEST:
        return X, X
    drawn = rng.permutation(len(X))[:MOST]
    held_out = min(MOST_HELD_OUT, round(HELD_OUT * len(drawn)))
    return X[drawn[held_out:]], X[drawn[:held_out]]


def train(
    start: Mapping[str, Floats],
    reconstruct: Reconstruct,
    training: Floats,
    held_out: Floats,
    seed: int,
    description: str,
    learning_rate: float,
    steps: int | None = None,
    batch: int = BATCH,
    weight_decay: float = 0.0,
    relaxation: str = "straight-through",
    loss: Loss = listwise,
) -> tuple[dict[str, Floats], float]:
    """Make codes rank as their vectors do, by AdamW, and keep what does so best on held-out vectors.

    Pseudo-queries are the vectors themselves with noise; how a query scores the other vectors is what it should score
    their codes.

    Parameters
    ----------
    start : mapping of str to ndarray
        Parameters to start from, with entries of a size of about 1.
    reconstruct : callable
        From parameters, vectors (n, d) and a function that makes signs, all torch's, to what the codes of the vectors
        stand for, (n, d).
    training, held_out : ndarray of shape (n, d), float32
        Unit vectors.
    seed : int
        Seeds the batches, the noise and the relaxation.
    description : str
        Of the progress bar.
    learning_rate : float
        Of AdamW; it falls to 0.
    steps : int, optional
        Maximum steps; by default 300, or fewer for few vectors.
    batch : int
        Vectors of a batch.
    weight_decay : float
        Of AdamW.
    relaxation : str
        How gradients pass a sign, one of `RELAXATIONS`.
    loss : callable
        From scores of codes and of vectors, (n, n), each over its temperature, to what is minimized.

    Returns
    -------
    parameters : dict of str to ndarray
        The best seen, the start included.
    loss : float
        Their listwise loss on the held-out vectors, with signs as codes have them.

    Raises
    ------
    VecsmithError
        If torch is not installed.
    """
    torch = require("torch", "train")
    rng = np.random.default_rng(seed)
    documents, unseen = torch.from_numpy(training), torch.from_numpy(held_out)
    parameters = {name: torch.tensor(array, dtype=torch.float32, requires_grad=True) for name, array in start.items()}

    def queries(x: "Tensor") -> "Tensor":
        noise = torch.from_numpy(rng.standard_normal(x.shape, dtype=np.float32))
        return unit_rows(x + NOISE / x.shape[1] ** 0.5 * noise)

    def scores(q: "Tensor", x: "Tensor", sign: Sign) -> "Tensor":
        decoded: Tensor = reconstruct(parameters, x, sign)
        return q @ decoded.T

    def check() -> tuple[float, float]:
        """Return the loss on the held-out vectors, and at which sharpness."""
        with torch.no_grad():
            found, wanted = scores(asked, unseen, hard_sign), asked @ unseen.T / TEMPERATURE
            return min((float(listwise(k * found, wanted)), k) for k in SHARPNESS)

    asked = queries(unseen)
    lowest, k = check()
    best = _arrays(parameters)
    sharpness = torch.tensor(float(np.log(k)), requires_grad=True)
    optimizer = torch.optim.AdamW(
        [
            {"params": list(parameters.values()), "weight_decay": weight_decay},
            {"params": [sharpness], "weight_decay": 0.0},
        ]
    )
    steps = steps or min(MOST_STEPS, max(CHECKS, EPOCHS * len(training) // batch))
    relax = RELAXATIONS[relaxation]
    vain = 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for step in track(range(steps), description, steps):
            left = 1 - step / steps
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * np.sin(np.pi / 2 * left)
            x = documents[rng.permutation(len(documents))[:batch]]
            q = queries(x)
            found = scores(q, x, lambda reals, left=left: relax(reals, left))  # type: ignore[misc]
            optimizer.zero_grad()
            loss(sharpness.exp() * found, q @ x.T / TEMPERATURE).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if (step + 1) % max(1, steps // CHECKS) == 0:
                reached, _ = check()
                vain = 0 if reached < lowest else vain + 1
                if reached < lowest:
                    lowest, best = reached, _arrays(parameters)
                if vain == PATIENCE:
                    break
    return best, lowest


def unit_rows(x: "Tensor") -> "Tensor":
    """Return the rows of x (n, d) with norm 1."""
    norms: Tensor = x.norm(dim=1, keepdim=True)
    return x / norms.clamp(min=1e-12)


def _arrays(parameters: Mapping[str, "Tensor"]) -> dict[str, Floats]:
    return {name: tensor.detach().numpy().copy() for name, tensor in parameters.items()}
