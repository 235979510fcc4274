"""Contrastive training on pairs of a query and a relevant document, with in-batch and mined hard negatives."""

from typing import Any

from vecsmith.tune.losses import library
from vecsmith.tune.recipes.base import RECIPES, LossContext, Recipe


def contrastive(context: LossContext) -> Any:
    """Return InfoNCE over the documents of the batch, with gradient caching where the preset asks for it.

    Without caching, all relevant documents of a query may be in a batch. The cached loss of sentence-transformers knows
    one relevant document per query.

    References
    ----------
    van den Oord, Li and Vinyals 2018, Representation learning with contrastive predictive coding,
    https://arxiv.org/abs/1807.03748. Gao et al. 2021, Scaling deep contrastive learning batch size under memory limited
    setup, https://arxiv.org/abs/2101.06983.
    """
    if context.preset.cached_batch is not None:
        return library().CachedMultipleNegativesRankingLoss(context.model, mini_batch_size=context.preset.cached_batch)
    from vecsmith.tune.losses.batch_ranking import BatchRankingLoss

    return BatchRankingLoss(context.model, "infonce", context.relevant)


RECIPES["contrastive"] = Recipe(
    "pairs, with in-batch and mined negatives (InfoNCE, van den Oord et al. 2018)",
    examples="triplets",
    loss=contrastive,
    ranking_loss="infonce",
)
