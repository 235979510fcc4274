"""Augmented SBERT: pairs that a cross-encoder has scored, beside the judged ones."""

from typing import Any

from vecsmith.tune.losses import library
from vecsmith.tune.recipes.base import RECIPES, LossContext, Recipe


def augmented_sbert(context: LossContext) -> Any:
    """Return the CoSENT loss, which orders pairs by score; cosines need not equal the scores.

    References
    ----------
    Thakur et al. 2021, Augmented SBERT, https://arxiv.org/abs/2010.08240. Su 2022, CoSENT,
    https://kexue.fm/archives/8847.
    """
    return library().CoSENTLoss(context.model)


RECIPES["augmented-sbert"] = Recipe(
    "pairs scored by a cross-encoder (Augmented SBERT, Thakur et al. 2021)",
    examples="scored pairs",
    loss=augmented_sbert,
)
