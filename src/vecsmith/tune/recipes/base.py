"""Recipes of training a model: which examples they need, which loss they minimize, and their presets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from vecsmith.errors import VecsmithError, unknown
from vecsmith.plugins import Registry
from vecsmith.tune.examples import Kind


@dataclass(frozen=True)
class Preset:
    """Settings of a training.

    Attributes
    ----------
    steps : int
        Number of steps.
    batch_size : int
        Examples per step.
    cached_batch : int or None
        Examples per forward pass of a loss with gradient caching, which bounds the memory of a large batch; None for a
        loss without caching, which is about a third faster.
    learning_rate : float
        Highest learning rate of AdamW.
    warmup : float
        Share of the steps in which the learning rate rises to its highest value. It falls linearly afterwards.
    max_length : int
        Maximum input length in tokens during training and validation. The saved model keeps its own.
    frozen_layers : int
        Number of first layers that are not trained, and neither are the token embeddings then; 0 trains everything.
    negatives : int
        Mined hard negatives per example.
    negative_depth : int
        The negatives of an example are drawn from this many nearest documents that are not relevant.
    margin : float or None
        Share of the positive's score by which a mined negative must score lower (see `mine_negatives`); None for any
        score.
    checks : int
        Number of checks on the validation queries, at equal distances. The model of the best check is kept.
    validation_queries : int
        Validation queries, approximately, where they are held out of the training split.
    validation_documents : int
        Nearest documents of each validation query before training; a check ranks all of them.
    code_start : float
        Share of the steps after which code-aware training starts, from 0 to 1. Codes from the first step harm an
        untuned model.
    code_weight : float
        Highest weight of the loss of the codes; the loss of the float vectors has the rest.
    code_documents : int
        Documents on whose vectors the codec is fitted during training, at every check.
    """

    steps: int
    batch_size: int
    cached_batch: int | None = None
    learning_rate: float = 5e-5
    warmup: float = 0.1
    max_length: int = 128
    frozen_layers: int = 0
    negatives: int = 1
    negative_depth: int = 30
    margin: float | None = None
    checks: int = 5
    validation_queries: int = 64
    validation_documents: int = 20
    code_start: float = 0.5
    code_weight: float = 0.75
    code_documents: int = 1500

    @property
    def interval(self) -> int:
        """Steps between checks."""
        return max(1, self.steps // self.checks)

    def checked(self) -> "Preset":
        """Return the preset after checking its numbers; there is a check at most at every step.

        Raises
        ------
        VecsmithError
            If a number is out of range.
        """
        for name in ("steps", "batch_size", "max_length", "checks", "validation_queries", "validation_documents"):
            if getattr(self, name) < 1:
                raise VecsmithError(f"The setting {name} must be at least 1, not {getattr(self, name)}.")
        if not 0 <= self.code_start <= 1:
            raise VecsmithError(f"The setting code_start must be from 0 to 1, not {self.code_start:g}.")
        if not self.learning_rate > 0:
            raise VecsmithError(f"The learning rate must be above 0, not {self.learning_rate:g}.")
        if self.steps < self.checks:
            return replace(self, checks=self.steps)
        return self


CPU_SMALL = Preset(
    steps=160, batch_size=48, learning_rate=1e-4, max_length=96, frozen_layers=3, checks=4, validation_queries=200
)
"""For some thousand examples on two cores, with a model of six layers."""
GPU = Preset(
    steps=1000,
    batch_size=256,
    cached_batch=64,
    learning_rate=2e-5,
    max_length=256,
    negatives=4,
    checks=10,
    validation_queries=200,
    validation_documents=50,
    code_documents=20_000,
)
"""For ten thousand examples or more on one GPU."""
QUERIES_ONLY = {"learning_rate": 3e-5, "checks": 10}
"""Settings of a training of queries alone, whose checks are cheap because no document is embedded.

The number of validation queries is that of the preset. So a tuned model whose queries are trained again, with the same
preset and seed, is not validated on queries that it was trained on."""


def presets(**changes: Any) -> dict[str, Preset]:
    """Return the presets ``cpu-small`` and ``gpu`` with the same changes to both."""
    return {"cpu-small": replace(CPU_SMALL, **changes), "gpu": replace(GPU, **changes)}


@dataclass(frozen=True)
class LossContext:
    """Everything that the loss of a recipe depends on.

    Attributes
    ----------
    model : SentenceTransformer
        The model that is trained.
    preset : Preset
        The settings.
    negatives : int
        Negatives per example.
    guide : SentenceTransformer or None
        The guide, for a recipe that needs one.
    margin_scale : float
        Factor of cosine margins that gives them the spread of the margins of the examples.
    relevant : mapping of int to frozenset of int
        Numbers of the relevant documents of each query, for a recipe with a ranking loss.
    """

    model: Any
    preset: Preset
    negatives: int = 0
    guide: Any = None
    margin_scale: float = 1.0
    relevant: Mapping[int, frozenset[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """A way to train a model.

    Attributes
    ----------
    summary : str
        Description in one line, with the source.
    examples : Kind
        Kind of training examples.
    loss : callable
        Takes a `LossContext` and returns the loss, a torch module with the interface of sentence-transformers.
    presets : mapping of str to Preset
        Settings by name.
    ranking_loss : str or None
        The loss in `RANKING_LOSSES` that `loss` computes over the documents of a batch, and that is computed over the
        whole corpus where documents are frozen. None for a recipe that trains documents only together with queries.
    has_guide : bool
        Whether a guide judges the negatives.
    min_negatives, max_negatives : int or None
        Minimum and maximum number of negatives per example that the loss takes; None for no maximum.
    """

    summary: str
    examples: Kind
    loss: Callable[[LossContext], Any]
    presets: Mapping[str, Preset] = field(default_factory=presets)
    ranking_loss: str | None = None
    has_guide: bool = False
    min_negatives: int = 0
    max_negatives: int | None = None

    @property
    def has_documents(self) -> bool:
        """Whether the examples have documents beside queries."""
        return self.examples != "sentences"


RECIPES: Registry[Recipe] = Registry("vecsmith.tune.recipes")
"""Recipes by name."""


def recipes(names: str) -> dict[str, Recipe]:
    """Return the recipes whose names are joined by commas, in order.

    Raises
    ------
    VecsmithError
        If a name is unknown or occurs twice.
    """
    parsed = [name.strip() for name in names.split(",")]
    for name in parsed:
        if name not in RECIPES:
            raise unknown("recipe", name, RECIPES)
    if len(set(parsed)) < len(parsed):
        raise VecsmithError(f"The recipes {names} have one twice; give each once.")
    return {name: RECIPES[name] for name in parsed}


def preset_of(recipe: Recipe, name: str, changes: Mapping[str, Any] | None = None) -> Preset:
    """Return a preset of a recipe by name, with changes.

    Raises
    ------
    VecsmithError
        If the preset is unknown, or a number is out of range.
    """
    if name not in recipe.presets:
        raise unknown("preset", name, recipe.presets)
    return replace(recipe.presets[name], **(changes or {})).checked()


def columns_with(names: Sequence[str], negatives: int | None) -> list[str]:
    """Return the columns of examples without the negatives that a loss does not take."""
    kept = list(names)
    if negatives is not None:
        extra = [name for name in names if name.startswith("negative")][negatives:]
        kept = [name for name in names if name not in extra]
    return kept
