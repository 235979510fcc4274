"""The N-pair loss: the documents of the other queries of a batch are the negatives."""

from vecsmith.tune.recipes.base import RECIPES, Recipe, presets
from vecsmith.tune.recipes.contrastive import contrastive

# Sohn 2016, Improved deep metric learning with multi-class N-pair loss objective, NIPS. On unit vectors the loss needs
# a temperature, because cosines are at most 1.
RECIPES["n-pair"] = Recipe(
    "pairs, with in-batch negatives alone (Sohn 2016)",
    examples="pairs",
    loss=contrastive,
    ranking_loss="infonce",
    presets=presets(negatives=0),
    max_negatives=0,
)
