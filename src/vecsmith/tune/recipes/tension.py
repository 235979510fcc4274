"""Contrastive Tension: two copies of a model agree on a sentence and differ on others, without any label."""

from typing import Any

from vecsmith.tune.losses import library
from vecsmith.tune.recipes.base import RECIPES, LossContext, Recipe, presets


def tension(context: LossContext) -> Any:
    """Return the loss of Contrastive Tension with in-batch negatives.

    References
    ----------
    Carlsson et al. 2021, Semantic re-tuning with Contrastive Tension, https://openreview.net/forum?id=Ov_sMNau-PF.
    """
    return library().ContrastiveTensionLossInBatchNegatives(context.model)


RECIPES["tension"] = Recipe(
    "sentences alone, no labels (Contrastive Tension, Carlsson et al. 2021)",
    examples="sentences",
    loss=tension,
    presets=presets(learning_rate=1e-5, cached_batch=None),
)
