"""Contrastive training that learns the scores of hybrid search too."""

from typing import Any

from vecsmith.tune.recipes.base import RECIPES, LossContext, Recipe, presets


def distill(context: LossContext) -> Any:
    """Return the mean of InfoNCE over the documents of the batch and the distillation of a teacher's scores of them.

    The teacher, hybrid search, ranks better than vectors alone, and its scores say how far a document is relevant that
    nobody has judged.

    References
    ----------
    Hinton, Vinyals and Dean 2015, Distilling the knowledge in a neural network, https://arxiv.org/abs/1503.02531.
    """
    from vecsmith.tune.losses.batch_ranking import BatchRankingLoss

    return BatchRankingLoss(context.model, "infonce", context.relevant, context.taught)


RECIPES["distill"] = Recipe(
    "contrastive, and the scores of hybrid search: BM25 with the vectors of a guide (Hinton et al. 2015)",
    examples="triplets",
    loss=distill,
    ranking_loss="infonce",
    presets=presets(cached_batch=None),
    has_teacher=True,
)
