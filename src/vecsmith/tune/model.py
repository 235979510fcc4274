"""Tune a model on training examples, and measure it on seen and unseen documents before it is saved."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vecsmith.array_types import Floats
from vecsmith.embeddings import EmbeddingSet
from vecsmith.encoders import EncoderOptions, Side, cache_vectors, embed_task, embed_texts, load_encoder
from vecsmith.encoders.load import options_by_encoder
from vecsmith.encoders.sentence_transformers import SentenceTransformerEncoder
from vecsmith.errors import VecsmithError, require
from vecsmith.evaluation.folds import encode_corpus
from vecsmith.outputs import check_folder
from vecsmith.tasks import Task, Texts
from vecsmith.tune.comparison import FLOAT, Baseline, Comparison, Tuned
from vecsmith.tune.data import NO_SPLIT, TRAIN, TuningData, check_searched
from vecsmith.tune.examples import TrainingExamples
from vecsmith.tune.model_data import ModelValidation, Source, check_given
from vecsmith.tune.model_files import KIND, WorkFolder
from vecsmith.tune.model_options import ModelTuning

SAME_VECTORS = 0.99
"""Minimum cosine of the ready vector of a text with the model's own; half precision and cut texts cost less."""
CHECKED_VECTORS = 8
"""Queries whose ready vectors are compared with the model's own."""


@dataclass(frozen=True, kw_only=True)
class TunedModel(Tuned):
    """Measurement of a tuned model.

    Attributes
    ----------
    path : Path
        Folder of the model; it is written unless the verdict is REGRESSION.
    tuning : ModelTuning
        The recipe and its options.
    step : int
        Training steps of the kept checkpoint; 0 if none was better than the model before tuning.
    gain : float
        Gain of nDCG@10 on the validation queries. It is optimistic, because it is the highest of all checks.
    floats : list of Comparison
        The comparisons without a codec, as `comparisons` where there is none.
    notes : list of str
        Sentences about the training examples.
    """

    path: Path
    tuning: ModelTuning
    step: int
    gain: float
    floats: list[Comparison]
    notes: list[str]

    @property
    def is_saved(self) -> bool:
        """Whether the model is better than before, and was written."""
        return self.verdict.label != "REGRESSION"


def tune_model(
    task: Task,
    model: str,
    out: str | Path,
    tuning: ModelTuning | None = None,
    split: str = TRAIN,
    test: str = "test",
    examples: Sequence[TrainingExamples] = (),
    vectors: str | None = None,
    options: EncoderOptions | None = None,
    force: bool = False,
) -> TunedModel:
    """Train a model on examples, keep its best checkpoint, and save it if it is better on the test queries.

    The best checkpoint has the highest nDCG@10 on validation queries whose relevant documents are not relevant to any
    training query. The test split is used for the reported figures alone. An interrupted call is resumed by the next
    one with the same arguments; its checkpoints are in the folder ``OUT.training`` until it ends. The vectors of the
    task that were measured stay in the cache, so that `embed_task` does not compute them again.

    Parameters
    ----------
    task : Task
        The task. Queries that are judged in `test` too are not trained on.
    model : str
        Spec of a sentence-transformers model, ``st:NAME_OR_DIR``.
    out : str or Path
        Output folder, a sentence-transformers model; a tuned model in it is replaced.
    tuning : ModelTuning, optional
        The recipe and its options.
    split, test : str
        Splits of the judgements to train on and to measure on. Recipes without judgements do not need `split`; if the
        task has it, its queries validate. With ``none``, no judgements validate, and the last model is kept.
    examples : sequence of TrainingExamples
        Training examples; each recipe takes the first of its kind. By default, pairs are made of the judgements of
        `split`, and sentences of the documents.
    vectors : str, optional
        Spec of precomputed vectors of the model before tuning, ``vectors:NAME``. By default the model embeds the task.
    options : EncoderOptions, optional
        Prompts and maximum input length of the model and of the guide.
    force : bool
        Replace the output folder, whatever it contains.

    Returns
    -------
    TunedModel
        The measurement.

    Raises
    ------
    VecsmithError
        If a name is unknown, options do not go together, there are too few judgements or examples, `vectors` are of
        another model, or `out` has other content.
    """
    tuning, out = tuning or ModelTuning(), Path(out)
    chain = tuning.chain
    for module in ("sentence_transformers.sentence_transformer.losses", "accelerate", "datasets"):
        require(module, "tune")
    guides = [] if tuning.guide is None else [tuning.guide]
    options_of = options_by_encoder(options, [model, *guides])
    encoder = _encoder(model, options_of[model])
    check_searched(task)
    task.judgements(test)
    if split not in (TRAIN, NO_SPLIT):
        task.judgements(split)  # refuses an unknown split
    check_given({name: recipe for name, (recipe, _) in chain.items()}, examples, task, split)
    check_folder(out, KIND, force)
    source = Source(model, options_of[model]) if vectors is None else Source(vectors)
    data = TuningData(task, split, test, *embed_task(task, *source), tuning.seed)
    if vectors is not None:
        _check_vectors(encoder, vectors, data)
    baseline = Baseline(data, tuning.codec)
    frozen = _documents(baseline, tuning) if tuning.queries_only else None
    preset = list(chain.values())[-1][1]
    validation = ModelValidation.of(data, preset, frozen) if data.is_judged else None

    # imported late, because it imports torch
    from vecsmith.tune.model_training import ModelTraining

    guide = source if tuning.guide is None else Source(tuning.guide, options_of[tuning.guide])
    training = ModelTraining(encoder, source, guide, data, validation, tuning, frozen)
    stages = training.examples(examples)
    work = WorkFolder(out, training.settings(stages))
    try:
        kept = training.run(stages, work)
    except VecsmithError:
        work.remove(keep_log=False)
        raise
    Q, D = baseline.queries, baseline.documents
    embedded: dict[Side, EmbeddingSet] = {}
    if kept.step:
        embedded = _embed(f"st:{work.model}", task, work, options_of[model], frozen is None)
        Q = embedded["query"].unit[baseline.rows]
        D = embedded["passage"].unit[:] if frozen is None else D
    compared = baseline.compare(Q, D)
    tuned = TunedModel(
        path=out,
        tuning=tuning,
        step=kept.step,
        gain=kept.gain,
        validated_on="no queries" if validation is None else validation.name,
        comparisons=next(iter(compared.values())),
        floats=compared[FLOAT],
        seen_share=baseline.seen_share,
        popularity_weight=baseline.popularity[0],
        notes=training.notes,
    )
    if tuned.is_saved:
        work.publish(out, force, {"task": task.name, "model": model, "verdict": str(tuned.verdict)})
        published = load_encoder(f"st:{out}", options_of[model])
        with suppress(VecsmithError, OSError):  # without the cache, the vectors are computed again
            for side, each in embedded.items():
                cache_vectors(published, _texts(task, side), side, each)
    work.remove(keep_log=not tuned.is_saved)
    return tuned


def _encoder(spec: str, options: EncoderOptions | None) -> SentenceTransformerEncoder:
    encoder = load_encoder(spec, options)
    if not isinstance(encoder, SentenceTransformerEncoder):
        raise VecsmithError(f"{spec} cannot be trained; give a sentence-transformers model, st:NAME_OR_DIR.")
    return encoder


def _embed(
    spec: str, task: Task, work: WorkFolder, options: EncoderOptions, with_documents: bool
) -> dict[Side, EmbeddingSet]:
    """Embed the queries of a task, and its documents if asked, into the work folder."""
    encoder = load_encoder(spec, options)
    sides: list[Side] = ["query", "passage"] if with_documents else ["query"]
    return {side: embed_texts(encoder, _texts(task, side), side, work.path / side) for side in sides}


def _texts(task: Task, side: Side) -> Texts:
    return task.queries if side == "query" else task.corpus


def _check_vectors(encoder: SentenceTransformerEncoder, spec: str, data: TuningData) -> None:
    """Refuse ready vectors of another model than the one that is tuned."""
    own = encoder.encode(data.task.queries.texts[:CHECKED_VECTORS], "query")
    ready = data.queries.unit[: len(own)]
    if own.shape != ready.shape or np.einsum("nd,nd->n", own, ready).min() < SAME_VECTORS:
        raise VecsmithError(
            f"{spec} differs from the vectors that {encoder.spec} gives for the queries of {data.task.name}; give "
            "vectors of this model, or leave out --vectors."
        )


def _documents(baseline: Baseline, tuning: ModelTuning) -> Floats:
    """Return the frozen vectors of the documents, decoded from their codes if there is a codec."""
    if tuning.codec is None:
        return baseline.documents
    decoded = np.empty_like(baseline.documents)
    for part in encode_corpus(tuning.codec, baseline.documents, seed=tuning.seed).parts:
        decoded[np.asarray(part.rows)] = part.codec.decode(part.codes)
    return decoded
