"""Training of a model by one recipe, or by several one after the other."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.encoders import Side
from vecsmith.encoders.model_files import first_line
from vecsmith.encoders.sentence_transformers import SentenceTransformerEncoder
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.versions import package_versions
from vecsmith.files import replacing_folder, write_text
from vecsmith.tune.averaging import train_and_average
from vecsmith.tune.data import TuningData
from vecsmith.tune.examples import TrainingExamples
from vecsmith.tune.freezing import disable_dropout, freeze_layers
from vecsmith.tune.losses import library
from vecsmith.tune.losses.batch_ranking import QueryBatchSampler, Relevance, numbered
from vecsmith.tune.losses.code_aware import CodeAwareLoss, TrainedCodes
from vecsmith.tune.losses.frozen_documents import FrozenDocumentsLoss
from vecsmith.tune.losses.guide import guide_of
from vecsmith.tune.model_data import (
    ModelValidation,
    Source,
    embed_with,
    examples_of,
    guide_vectors,
    note_of_cut_texts,
    relevant_rows,
    sides,
)
from vecsmith.tune.model_files import WorkFolder
from vecsmith.tune.model_options import ModelTuning
from vecsmith.tune.recipes import LossContext, Preset, Recipe
from vecsmith.tune.teacher import TeacherScores, hybrid_scores
from vecsmith.tune.trainer import NO_DUPLICATES, Stage, Trained

PACKAGES = ("vecsmith", "torch", "sentence-transformers", "transformers", "accelerate")
BEFORE = "before.json"
"""File of the nDCG@10 before tuning."""
CALIBRATED_MARGINS = 256
"""Examples whose margins give the scale of cosine margins."""

Stages = Mapping[str, TrainingExamples]
"""Training examples of each recipe, by its name."""


class ModelTraining:
    """Training of the model of an encoder.

    Parameters
    ----------
    encoder : SentenceTransformerEncoder
        The model before tuning.
    source : Source
        The vectors before tuning, by which negatives are mined.
    guide : Source
        Vectors that judge the negatives of the recipe ``gist``.
    data : TuningData
        Judgements, and the vectors before tuning.
    validation : ModelValidation or None
        Validation queries; without, the last model is kept.
    tuning : ModelTuning
        The recipes and their options.
    frozen : ndarray of shape (n, d) or None
        Vectors of the documents if only queries are trained.

    Attributes
    ----------
    notes : list of str
        Sentences about the training examples.
    """

    def __init__(
        self,
        encoder: SentenceTransformerEncoder,
        source: Source,
        guide: Source,
        data: TuningData,
        validation: ModelValidation | None,
        tuning: ModelTuning,
        frozen: Floats | None,
    ) -> None:
        self.encoder, self.source, self.guide = encoder, source, guide
        self.data, self.validation, self.tuning, self.frozen = data, validation, tuning, frozen
        self.model = encoder.model
        self.prompts: dict[Side, str] = {side: encoder.provenance(side).prompt for side in ("query", "passage")}
        self.embed = embed_with(self.model, self.prompts)
        self.notes: list[str] = []
        self._guides: dict[str, tuple[list[str], Floats]] = {}
        self._relevant: dict[str, dict[str, RowNumbers]] = {}
        self._teachers: dict[str, TeacherScores] = {}

    def examples(self, given: Sequence[TrainingExamples]) -> dict[str, TrainingExamples]:
        """Return the examples of each recipe (see `examples_of`). Guides and teachers score them.

        All bad input is refused here, before anything is written.

        Raises
        ------
        VecsmithError
            If too few examples are left, the guide lacks a text, or an option does not suit the model or the examples.
        """
        if any(not 1 <= size <= self.data.corpus.dimensions for size in self.tuning.matryoshka):
            raise VecsmithError(
                f"--matryoshka takes numbers from 1 to {self.data.corpus.dimensions}, the dimensions of the model."
            )
        held_out = frozenset[str]() if self.validation is None else self.validation.ids
        made = {}
        for name, (recipe, preset) in self.tuning.chain.items():
            # queries alone learn from the whole corpus, not from mined negatives
            needed = replace(preset, negatives=0) if self.frozen is not None else preset
            made[name] = examples_of(recipe, name, needed, self.data, given, held_out, self.source)
            if recipe.has_guide:
                self._guides[name] = guide_vectors(self.guide, made[name], self.data.task, self.prompts)
            if self.frozen is not None:
                self._relevant[name] = relevant_rows(made[name], self.data.task)
                if self.tuning.distill:
                    self._teachers[name] = hybrid_scores(self.source, self.data.task, list(self._relevant[name]))
        return made

    def settings(self, stages: Stages) -> dict[str, Any]:
        """Return everything that the training depends on."""
        data = self.data
        return {
            "task": data.task.fingerprint,
            "splits": [data.split, data.test],
            "model": [self.encoder.provenance(side).key for side in ("query", "passage")],
            "vectors": [data.corpus.fingerprint, data.queries.fingerprint],
            "tuning": {**asdict(self.tuning), "matryoshka": list(self.tuning.matryoshka)},
            "presets": {name: asdict(preset) for name, (_, preset) in self.tuning.chain.items()},
            "examples": {name: examples.fingerprint for name, examples in stages.items()},
            "versions": package_versions(PACKAGES),
        }

    def run(self, stages: Stages, work: WorkFolder) -> Trained:
        """Train by each recipe in turn, save the kept model in the work folder, and return its checkpoint.

        Only the last recipe is validated; its checkpoints are compared with the model before all recipes.
        """
        own_length, before = self.model.max_seq_length, None
        chain = list(self.tuning.chain.items())
        kept = Trained(0, 0.0)
        for number, (name, (recipe, preset)) in enumerate(chain, start=1):
            if own_length is not None:
                self.model.max_seq_length = min(preset.max_length, own_length)
            trained = sides(stages[name]) if self.frozen is None else ["query"]
            self.notes += note_of_cut_texts(self.model, stages[name], trained)
            freeze_layers(self.model, preset.frozen_layers)
            disable_dropout(self.model)
            stage = partial(self._stage, name, recipe, preset, stages[name], work, number)
            if number == 1:
                before = self._before(work.path / BEFORE, chain[-1][1][1])
            if number < len(chain):
                stage(is_last=False).train()
            else:
                kept = self._train_last(stage, preset, before)
        self.model.max_seq_length = own_length
        if kept.step and not work.model.exists():
            # a second copy would have other tokenizer settings, and vectors of the first would not be its own
            with replacing_folder(work.model) as staging:
                self._published().save_pretrained(str(staging), create_model_card=False)
        return kept

    def _train_last(self, stage: Callable[..., Stage], preset: Preset, before: float | None) -> Trained:
        """Train by the last recipe, and return the kept checkpoint."""

        def train(run: int) -> Trained:
            return replace(stage(is_last=True, run=run), before=before).train()

        def gain() -> float:
            return self._validate(self._codes(preset), 0) - (before or 0.0)

        return train_and_average(self.model, self.tuning.runs, train, None if before is None else gain)

    def _stage(
        self,
        name: str,
        recipe: Recipe,
        preset: Preset,
        examples: TrainingExamples,
        work: WorkFolder,
        number: int,
        is_last: bool,
        run: int = 0,
    ) -> Stage:
        """Return the training by a recipe. Recipes are numbered in their order; the last one may have several runs."""
        label = f"{name}, run {run + 1}" if run else name
        codes = self._codes(preset, run) if is_last else None
        # the trainer knows numbers by the names of their columns
        dataset = examples.dataset.rename_columns({"margin": "label"} if examples.kind == "margins" else {})
        relevant: Relevance = {}
        ranks_batch = recipe.ranking_loss is not None and preset.cached_batch is None and self.frozen is None
        if ranks_batch:
            dataset, relevant = numbered(examples)
        if self.frozen is None:
            loss = self._loss(name, recipe, preset, examples, codes, relevant, is_last)
        else:
            loss, dataset = self._frozen_loss(name, recipe, examples)
        return Stage(
            name=label,
            model=self.model,
            loss=loss,
            examples=dataset,
            preset=preset,
            prompts={column: self.prompts[side] for column, side in sides(examples).items() if self.prompts[side]},
            folder=work.path / (f"{number}-{name}-{run + 1}" if run else f"{number}-{name}"),
            log=work.log,
            sampler=QueryBatchSampler if ranks_batch else NO_DUPLICATES,
            seed=self.tuning.seed + run,
            validate=None if self.validation is None or not is_last else partial(self._validate, codes),
        )

    def _validate(self, codes: TrainedCodes | None, step: int) -> float:
        """Return the nDCG@10 of the model at a step on the validation queries."""
        assert self.validation is not None
        return self.validation.ndcg(self.embed, codes.fit(step) if codes else None)

    def _before(self, file: Path, preset: Preset) -> float | None:
        """Return the nDCG@10 before tuning, which a resumed training reads from a file."""
        if self.validation is None:
            return None
        if not file.exists():
            write_text(file, json.dumps(self._validate(self._codes(preset), 0)))
        return float(json.loads(file.read_text(encoding="utf-8")))

    def _loss(
        self,
        name: str,
        recipe: Recipe,
        preset: Preset,
        examples: TrainingExamples,
        codes: TrainedCodes | None,
        relevant: Relevance,
        is_last: bool,
    ) -> Any:
        """Return the loss of a recipe with its options."""
        guide = guide_of(self.model, *self._guides[name]) if recipe.has_guide else None
        scale = self._margin_scale(examples) if examples.kind == "margins" else 1.0
        try:
            base = recipe.loss(LossContext(self.model, preset, examples.negatives, guide, scale, relevant))
        except ValueError as error:
            raise VecsmithError(f"{self.encoder.spec} does not suit the recipe {name}: {first_line(error)}") from error
        if not is_last:
            return base
        loss = base
        if self.tuning.matryoshka:
            loss = library().MatryoshkaLoss(self.model, base, list(self.tuning.matryoshka))
        return loss if codes is None else CodeAwareLoss(self.model, loss, base, codes)

    def _frozen_loss(self, name: str, recipe: Recipe, examples: TrainingExamples) -> tuple[Any, Any]:
        """Return the loss against the frozen documents, and the queries with their numbers as labels."""
        assert self.frozen is not None and recipe.ranking_loss is not None
        rows = self._relevant[name]
        dataset = type(examples.dataset).from_dict({"query": list(rows), "label": list(range(len(rows)))})
        relevant, teacher = list(rows.values()), self._teachers.get(name)
        return FrozenDocumentsLoss(self.model, self.frozen, relevant, recipe.ranking_loss, teacher), dataset

    def _codes(self, preset: Preset, run: int = 0) -> TrainedCodes | None:
        """Return the codec for the documents; None without one, or if they are frozen and hence already decoded."""
        seed = self.tuning.seed + run
        if self.tuning.codec is None or self.frozen is not None:
            return None
        texts = self.data.task.corpus.texts
        rows = np.random.default_rng(seed).permutation(len(texts))[: preset.code_documents]
        sample = [texts[row] for row in sorted(rows)]
        return TrainedCodes(self.tuning.codec, lambda texts: self.embed(texts, "passage"), sample, preset, seed)

    def _margin_scale(self, examples: TrainingExamples) -> float:
        """Return the ratio of the spread of the examples' margins to the spread of the model's cosine margins."""
        some = examples.dataset.select(range(min(CALIBRATED_MARGINS, len(examples))))
        queries = self.embed(list(some["query"]), "query")
        positive, negative = (self.embed(list(some[name]), "passage") for name in ("positive", "negative"))
        margins = np.einsum("nd,nd->n", queries, positive - negative)
        return float(np.std(some["margin"]) / max(float(np.std(margins)), 1e-6)) or 1.0

    def _published(self) -> Any:
        """Return the model to save: the trained one, or both models, each for its side, if documents are frozen."""
        if self.frozen is None:
            return self.model
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import Router

        before = SentenceTransformerEncoder(self.encoder.name, self.encoder.options).model
        router = Router.for_query_document(list(self.model.children()), list(before.children()))
        return SentenceTransformer(modules=[router], prompts=self.model.prompts, device="cpu")
