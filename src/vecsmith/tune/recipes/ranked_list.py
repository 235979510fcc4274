"""Ranked List Loss over the documents of a batch."""

from typing import Any

from vecsmith.tune.recipes.base import RECIPES, LossContext, Recipe


def ranked_list(context: LossContext) -> Any:
    """Return the Ranked List Loss; see `vecsmith.training.ranking_losses.ranked_list`."""
    from vecsmith.tune.losses.batch_ranking import BatchRankingLoss

    return BatchRankingLoss(context.model, "ranked-list", context.relevant)


RECIPES["ranked-list"] = Recipe(
    "distances inside and outside two boundaries, weighted by violation (Ranked List Loss, Wang et al. 2019)",
    examples="triplets",
    loss=ranked_list,
    ranking_loss="ranked-list",
)
