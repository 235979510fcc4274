"""Options of the tuning of a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vecsmith.codecs import Codec
from vecsmith.errors import VecsmithError
from vecsmith.tune.recipes import Preset, Recipe, preset_of, recipes
from vecsmith.tune.recipes.base import QUERIES_ONLY


@dataclass(frozen=True)
class ModelTuning:
    """A recipe and its options.

    Attributes
    ----------
    recipe : str
        Name of a recipe in `RECIPES`, or several joined by commas, one after the other.
    preset : str
        Name of a preset of the recipes: ``cpu-small`` or ``gpu``.
    changes : mapping of str to number
        Fields of `Preset` that differ from the preset.
    guide : str, optional
        Encoder that judges the negatives of the recipe ``gist``; by default the model before tuning.
    matryoshka : sequence of int
        Numbers of first dimensions whose losses are added.
    codec : str, optional
        Spec of the codec that will encode the documents. The loss is computed on its codes too, and the verdict is on
        them.
    queries_only : bool
        Whether only queries are trained, against the vectors of all documents before tuning.
    distill : bool
        Whether half of the loss of `queries_only` imitates hybrid search, the fusion of the vectors with BM25.
    runs : int
        Trainings by the last recipe, with other batches each; the mean of their weights is kept.
    seed : int
        Seed of validation queries, mined negatives and batches.
    """

    recipe: str = "contrastive"
    preset: str = "cpu-small"
    changes: Mapping[str, Any] = field(default_factory=dict)
    guide: str | None = None
    matryoshka: Sequence[int] = ()
    codec: str | None = None
    queries_only: bool = False
    distill: bool = False
    runs: int = 1
    seed: int = 0

    @property
    def chain(self) -> dict[str, tuple[Recipe, Preset]]:
        """Recipes and their presets by name, in order.

        Raises
        ------
        VecsmithError
            If a name is unknown, a number is out of range, or the recipes do not support an option.
        """
        if self.runs < 1:
            raise VecsmithError(f"The number of runs must be at least 1, not {self.runs}.")
        changes = {**QUERIES_ONLY, **self.changes} if self.queries_only else self.changes
        chain = {
            name: (recipe, preset_of(recipe, self.preset, changes)) for name, recipe in recipes(self.recipe).items()
        }
        name, (last, _) = list(chain.items())[-1]
        if self.codec is not None:
            Codec(self.codec)  # refuses an unknown spec
        if (self.matryoshka or self.codec) and last.examples == "sentences":
            raise VecsmithError(
                f"The recipe {name} has no documents, which --matryoshka and --codec need; add another recipe after it."
            )
        if "code_start" in self.changes and (self.codec is None or self.queries_only):
            raise VecsmithError("Only documents are trained on codes, with --codec SPEC; leave out --code-start.")
        if self.guide and not any(recipe.has_guide for recipe, _ in chain.values()):
            raise VecsmithError(f"The recipe {self.recipe} takes no guide; leave out --guide, or choose gist.")
        for name, (recipe, _) in chain.items():
            if self.queries_only and recipe.ranking_loss is None:
                raise VecsmithError(
                    f"The recipe {name} trains documents too; with --queries-only, choose contrastive or ranked-list."
                )
        if self.queries_only and self.matryoshka:
            raise VecsmithError("The documents of --queries-only have all their dimensions; leave out --matryoshka.")
        if self.distill and not self.queries_only:
            raise VecsmithError("Only queries learn from hybrid search; add --queries-only to --distill.")
        return chain
