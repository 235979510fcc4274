"""Pseudo-queries for training without judged queries: documents with noise."""

from typing import TYPE_CHECKING

import numpy as np

from vecsmith.errors import require

if TYPE_CHECKING:
    from torch import Tensor

NOISE_NORM = 1.0
"""Expected norm of the noise added to a unit vector: real queries are about as far from their relevant documents."""


def pseudo_queries(x: "Tensor", rng: np.random.Generator) -> "Tensor":
    """Return unit vectors (n, d): documents `x` (n, d) plus white Gaussian noise, normalized."""
    noise = require("torch", "train").from_numpy(rng.standard_normal(x.shape, dtype=np.float32))
    return unit_rows(x + NOISE_NORM / x.shape[1] ** 0.5 * noise)


def unit_rows(x: "Tensor") -> "Tensor":
    """Return the rows of `x` (n, d), normalized; all-zero rows stay zero."""
    norms: Tensor = x.norm(dim=1, keepdim=True)
    return x / norms.clamp(min=1e-12)
