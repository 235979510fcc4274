"""Recipes of training a model, a file each."""

from vecsmith.tune.recipes.base import RECIPES, LossContext, Preset, Recipe, columns_with, preset_of, recipes

__all__ = ["RECIPES", "LossContext", "Preset", "Recipe", "columns_with", "preset_of", "recipes"]
