"""GISTEmbed: contrastive training in which a guide leaves out negatives that are probably relevant."""

from typing import Any

from vecsmith.tune.losses import library
from vecsmith.tune.recipes.base import RECIPES, LossContext, Recipe

TEMPERATURE = 0.05
"""Temperature of the softmax over cosines, as in contrastive training."""


def gist(context: LossContext) -> Any:
    """Return the GISTEmbed loss; several negatives per example need gradient caching.

    References
    ----------
    Solatorio 2024, GISTEmbed, https://arxiv.org/abs/2402.16829.
    """
    preset, losses = context.preset, library()
    if preset.cached_batch is None and context.negatives <= 1:
        return losses.GISTEmbedLoss(context.model, context.guide, temperature=TEMPERATURE)
    size = preset.cached_batch or preset.batch_size
    return losses.CachedGISTEmbedLoss(context.model, context.guide, TEMPERATURE, mini_batch_size=size)


RECIPES["gist"] = Recipe(
    "contrastive, without the negatives that a guide finds too near (GISTEmbed, Solatorio 2024)",
    examples="triplets",
    loss=gist,
    has_guide=True,
)
