"""Fine-tune a cross-encoder on pairs with negatives."""

import logging
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vecsmith.encoders.model_files import LOADING_ERRORS, ModelFiles, first_line
from vecsmith.errors import VecsmithError, require
from vecsmith.manifests import read_manifest, write_manifest
from vecsmith.outputs import check_folder, output_folder
from vecsmith.progress import steps
from vecsmith.retrievers import CrossEncoderModel
from vecsmith.tune.examples import MANIFEST, TrainingExamples
from vecsmith.tune.labels import logits, margins, single_negatives

FOLDER_KIND = "cross-encoder"
FORMAT_VERSION = 1
BASE_ORGANIZATION = "sentence-transformers"
"""Organization on the hub of a base model without one."""
HELD_OUT_SHARE = 0.1
"""Share of the queries on which a cross-encoder is checked, and not trained."""
MIN_QUERIES = 10
"""Minimum number of queries to train on."""


@dataclass(frozen=True)
class CrossEncoderTraining:
    """Settings of the training of a cross-encoder; the defaults suit a small transformer on a CPU.

    Attributes
    ----------
    epochs : int
        Passes over the training pairs.
    batch_size : int
        Pairs per step.
    learning_rate : float
        Highest learning rate; it rises during the first tenth of the steps, and falls to zero afterwards.
    max_length : int
        Maximum length of a query and a text together, in tokens.
    """

    epochs: int = 1
    batch_size: int = 16
    learning_rate: float = 5e-5
    max_length: int = 256


@dataclass(frozen=True)
class TrainedCrossEncoder:
    """A cross-encoder in a folder, and its check.

    Attributes
    ----------
    path : Path
        The folder.
    accuracy : float
        Share of the held-out triplets whose positive scores above the negative.
    triplets : int
        Number of held-out triplets.
    """

    path: Path
    accuracy: float
    triplets: int


def train_cross_encoder(
    triplets: TrainingExamples,
    base: str,
    path: str | Path,
    seed: int = 0,
    settings: CrossEncoderTraining | None = None,
    force: bool = False,
) -> TrainedCrossEncoder:
    """Fine-tune a cross-encoder by binary cross-entropy, and write it to a folder.

    The positives have the label 1. The negatives have the label 0, and so has a random positive of another query for
    each triplet. The triplets of a tenth of the queries are held out and show how well the model ranks.

    Parameters
    ----------
    triplets : TrainingExamples
        Queries, relevant texts and negatives.
    base : str
        A cross-encoder with one output, a sentence-transformers model, whose transformer gets a new output, or another
        transformer; by its name on the Hugging Face hub or its folder.
    path : str or Path
        Output folder; a cross-encoder in it that vecsmith wrote is replaced.
    seed : int
        Seed of the new output, of the random negatives and of the batches.
    settings : CrossEncoderTraining, optional
        Settings of the training.
    force : bool
        Replace other content of the folder too.

    Raises
    ------
    VecsmithError
        If there are no negatives or too few queries, the model cannot be loaded, has several outputs, or diverges.

    References
    ----------
    Nogueira and Cho 2019, Passage re-ranking with BERT, https://arxiv.org/abs/1901.04085
    """
    if triplets.kind != "triplets":
        raise VecsmithError(f"A cross-encoder is trained on triplets, not on {triplets.kind}; mine negatives first.")
    settings = settings or CrossEncoderTraining()
    check_folder(Path(path), FOLDER_KIND, force)
    rng = np.random.default_rng(seed)
    queries = rng.permutation(sorted(set(triplets.column("query"))))
    if len(queries) < MIN_QUERIES:
        raise VecsmithError(
            f"There are {len(queries)} queries to train a cross-encoder on, which is too few; give {MIN_QUERIES} or "
            "more, or a trained cross-encoder with ce:MODEL."
        )
    held_out = set(queries[: max(1, round(HELD_OUT_SHARE * len(queries)))].tolist())
    training = [example for example in triplets if example["query"] not in held_out]
    model = _load(base, settings, seed)
    _fit(model, _labelled(training, rng), settings, seed)
    checked = single_negatives(example for example in triplets if example["query"] in held_out)
    with output_folder(Path(path), FOLDER_KIND, force) as staging:
        model.save_pretrained(str(staging), create_model_card=False)
        accuracy = float(np.mean(np.array(margins(logits(CrossEncoderModel(str(staging))), checked)) > 0))
        files = sorted(file.relative_to(staging).as_posix() for file in staging.rglob("*") if file.is_file())
        about = {"base": base, "seed": seed, **asdict(settings), "accuracy": accuracy, "triplets": len(checked)}
        write_manifest(staging / MANIFEST, FOLDER_KIND, FORMAT_VERSION, about, files)
    return TrainedCrossEncoder(Path(path), accuracy, len(checked))


def open_cross_encoder(path: Path) -> TrainedCrossEncoder:
    """Return the cross-encoder that `train_cross_encoder` wrote to a folder.

    Raises
    ------
    VecsmithError
        If the folder has none, or it is damaged.
    """
    manifest = read_manifest(path / MANIFEST, FOLDER_KIND, FORMAT_VERSION)
    return TrainedCrossEncoder(path, manifest["accuracy"], manifest["triplets"])


def _labelled(training: Sequence[dict[str, str]], rng: np.random.Generator) -> Any:
    """Return the labelled pairs as a dataset."""
    rows = [(example["query"], example["positive"], 1.0) for example in training]
    rows += [(query, negative, 0.0) for query, _, negative in single_negatives(training)]
    relevant = {(query, positive) for query, positive, label in rows if label}
    others = rng.permutation([example["positive"] for example in training]).tolist()
    random = {(example["query"], other) for example, other in zip(training, others, strict=True)} - relevant
    rows += [(query, text, 0.0) for query, text in sorted(random)]
    names = ("query", "text", "label")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return require("datasets", "tune").Dataset.from_dict(columns)


def _load(base: str, settings: CrossEncoderTraining, seed: int) -> Any:
    library, files = require("sentence_transformers", "tune"), ModelFiles(base, BASE_ORGANIZATION)
    outputs = files.read("config.json").get("id2label") or {}
    is_cross_encoder = any(
        str(name).endswith("ForSequenceClassification") for name in files.read("config.json").get("architectures") or []
    )
    if is_cross_encoder and len(outputs) != 1:
        raise VecsmithError(
            f"{base} is a cross-encoder with {len(outputs) or 2} outputs; give one with one output, or another model."
        )
    if not sys.stderr.isatty():
        require("transformers.utils.logging", "tune").disable_progress_bar()
    # the new output is drawn at random
    require("transformers", "tune").set_seed(seed)
    try:
        with _without_loading_report():
            return library.CrossEncoder(
                files.name, revision=files.hub_revision, num_labels=1, max_length=settings.max_length
            )
    except LOADING_ERRORS as error:
        raise VecsmithError(
            f"The model {base} cannot be loaded as a cross-encoder ({first_line(error)}); give another transformer."
        ) from error


@contextmanager
def _without_loading_report() -> Iterator[None]:
    """Silence what the libraries say of the new output, which is meant to be missing in the files."""
    transformers, ours = require("transformers.utils.logging", "tune"), logging.getLogger("sentence_transformers")
    levels = transformers.get_verbosity(), ours.level
    transformers.set_verbosity_error()
    ours.setLevel(logging.ERROR)
    try:
        yield
    finally:
        transformers.set_verbosity(levels[0])
        ours.setLevel(levels[1])


def _fit(model: Any, dataset: Any, settings: CrossEncoderTraining, seed: int) -> None:
    library = require("sentence_transformers.cross_encoder", "tune")
    losses = require("sentence_transformers.cross_encoder.losses", "tune")
    total = settings.epochs * -(-len(dataset) // settings.batch_size)
    with tempfile.TemporaryDirectory() as folder:
        arguments = library.CrossEncoderTrainingArguments(
            output_dir=folder,
            num_train_epochs=settings.epochs,
            per_device_train_batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            warmup_steps=total // 10,
            seed=seed,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            dataloader_pin_memory=False,
        )
        trainer = library.CrossEncoderTrainer(
            model=model, args=arguments, train_dataset=dataset, loss=losses.BinaryCrossEntropyLoss(model)
        )
        trainer.remove_callback(require("transformers", "tune").PrinterCallback)
        with steps("Training a cross-encoder", total) as advance:
            trainer.add_callback(_progress(advance))
            loss = trainer.train().training_loss
    if not np.isfinite(loss):
        raise VecsmithError("The loss of the cross-encoder is not finite; give a lower learning rate.")


def _progress(advance: Any) -> Any:
    """Return a callback of transformers that counts the steps."""

    class Progress(require("transformers", "tune").TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            advance()

    return Progress()
