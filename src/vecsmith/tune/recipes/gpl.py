"""Generative pseudo-labelling: generated queries with mined negatives and the margins of a cross-encoder."""

from functools import partial
from typing import TYPE_CHECKING, Any

from vecsmith.tune.losses import library
from vecsmith.tune.recipes.base import RECIPES, LossContext, Recipe

if TYPE_CHECKING:
    from torch import Tensor


def gpl(context: LossContext) -> Any:
    """Return MarginMSE of scaled cosines. The margins of a cross-encoder have no bound, but margins of cosines do.

    References
    ----------
    Wang et al. 2022, GPL, https://arxiv.org/abs/2112.07577. Hofstätter et al. 2020, Improving efficient neural ranking
    models with cross-architecture knowledge distillation, https://arxiv.org/abs/2010.02666.
    """
    return library().MarginMSELoss(context.model, similarity_fct=partial(scaled_cosine, scale=context.margin_scale))


def scaled_cosine(queries: "Tensor", documents: "Tensor", scale: float) -> "Tensor":
    """Return the cosines (b,) of the rows of two matrices (b, d), multiplied by a scale."""
    from sentence_transformers.util import pairwise_cos_sim

    cosines: Tensor = scale * pairwise_cos_sim(queries, documents)
    return cosines


RECIPES["gpl"] = Recipe(
    "generated queries with margins of a cross-encoder (GPL, Wang et al. 2022)",
    examples="margins",
    loss=gpl,
)
