"""The triplet loss: a relevant document is nearer than a mined negative by a margin."""

from typing import Any

from vecsmith.tune.losses import library
from vecsmith.tune.recipes.base import RECIPES, LossContext, Recipe, presets

MARGIN = 0.2
"""Margin of cosine distances, as in FaceNet."""


def triplet(context: LossContext) -> Any:
    """Return the triplet loss of cosine distances.

    References
    ----------
    Schroff, Kalenichenko and Philbin 2015, FaceNet, https://arxiv.org/abs/1503.03832.
    """
    losses = library()
    return losses.TripletLoss(context.model, losses.TripletDistanceMetric.COSINE, MARGIN)


RECIPES["triplet"] = Recipe(
    "triplets with one mined negative (Schroff et al. 2015)",
    examples="triplets",
    loss=triplet,
    presets=presets(negatives=1),
    min_negatives=1,
    max_negatives=1,
)
