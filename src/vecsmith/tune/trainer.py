"""Training of a model with the trainer of sentence-transformers: seeded, logged, and resumed after a kill."""

import errno
import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.base.evaluation import BaseEvaluator
from transformers import PrinterCallback, TrainerCallback, TrainerState
from transformers.trainer import TRAINER_STATE_NAME

from vecsmith.files import write_text
from vecsmith.progress import losses
from vecsmith.tune.recipes.base import Preset

LOG = "training.jsonl"
COMPLETE = "complete"
"""File that marks a checkpoint whose files are all written."""
LOSS_WEIGHTS = "loss.safetensors"
METRIC = "ndcg_at_10"
NO_DUPLICATES = "no_duplicates"
"""Batches in which no text occurs twice, for losses that would take it for its own negative."""
TORCH_WRITER = "inline_container"
"""Part of the error that torch.save raises on a full disk, which does not name the cause."""


@dataclass(frozen=True)
class Stage:
    """A training of a model.

    Attributes
    ----------
    name : str
        Name of the recipe, for the progress and the log.
    model : SentenceTransformer
        The model, which is trained in place.
    loss : Module
        The loss.
    examples : datasets.Dataset
        The training examples.
    preset : Preset
        The settings.
    prompts : mapping of str to str
        Text put before the texts of each column.
    folder : Path
        Folder for checkpoints.
    log : Path
        JSON lines of losses and checks; a resumed training continues the file.
    sampler : str or type
        Batch sampler, as sentence-transformers' training arguments take it.
    seed : int
        Seed of the batches.
    validate : callable or None
        Takes a step and returns the nDCG@10 of the model at this step; None to keep the last model.
    before : float or None
        nDCG@10 before tuning; None without validation.
    """

    name: str
    model: Any
    loss: Any
    examples: Any
    preset: Preset
    prompts: Mapping[str, str]
    folder: Path
    log: Path
    sampler: Any
    seed: int
    validate: Callable[[int], float] | None
    before: float | None = None

    def train(self) -> "Trained":
        """Train the model, from the last checkpoint in the folder if there is one, and keep the best check.

        The best check is the one of highest nDCG@10.
        """
        logging.getLogger("transformers").setLevel(logging.ERROR)
        last = _last_checkpoint(self.folder)
        trainer = _Trainer(
            self.model,
            self._arguments(),
            train_dataset=self.examples,
            loss=self.loss,
            evaluator=None if self.validate is None else _Validation(self.validate),
        )
        trainer.remove_callback(PrinterCallback)
        done = 0 if last is None else int(last.name.rpartition("-")[2])
        _cut(self.log, self.name, done)
        if last is not None and done == self.preset.steps:
            # the trainer would make another step
            trainer.state = TrainerState.load_from_json(str(last / TRAINER_STATE_NAME))
            trainer._load_from_checkpoint(trainer.state.best_model_checkpoint or str(last))
        else:
            description = f"Training with {self.name}" + (f" from step {done}" if done else "")
            with losses(description, self.preset.steps - done) as report:
                trainer.add_callback(_Log(self.name, self.log, report))
                trainer.add_callback(_Steps(self.loss))
                try:
                    trainer.train(resume_from_checkpoint=None if last is None else str(last))
                except RuntimeError as error:
                    if TORCH_WRITER in str(error):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.folder)) from error
                    raise
        self.model.eval()
        if self.before is None:
            return Trained(self.preset.steps, 0.0)
        gain = float(trainer.state.best_metric) - self.before
        return Trained(int(trainer.state.best_global_step), gain) if gain > 0 else Trained(0, 0.0)

    def _arguments(self) -> Any:
        preset, on_gpu = self.preset, torch.cuda.is_available()
        checked: dict[str, Any] = {}
        if self.validate is not None:
            checked = {
                "eval_strategy": "steps",
                "eval_steps": preset.interval,
                "load_best_model_at_end": True,
                "metric_for_best_model": METRIC,
                "greater_is_better": True,
            }
        return SentenceTransformerTrainingArguments(
            output_dir=str(self.folder),
            max_steps=preset.steps,
            per_device_train_batch_size=preset.batch_size,
            learning_rate=preset.learning_rate,
            warmup_steps=round(preset.warmup * preset.steps),
            seed=self.seed,
            data_seed=self.seed,
            batch_sampler=self.sampler,
            prompts=dict(self.prompts) or None,
            bf16=_multiplies_bfloat16(),
            use_cpu=not (on_gpu or torch.backends.mps.is_available()),
            dataloader_pin_memory=on_gpu,
            save_strategy="steps",
            save_steps=preset.interval,
            save_total_limit=2,
            logging_steps=1,
            disable_tqdm=True,
            report_to=_loggers(),
            **checked,
        )


@dataclass(frozen=True)
class Trained:
    """The kept checkpoint of a training.

    Attributes
    ----------
    step : int
        Steps of the kept model; 0 if no check was better than the model before tuning.
    gain : float
        Gain of nDCG@10 on the validation queries at this step; it is optimistic, because it is the highest of all
        checks.
    """

    step: int
    gain: float


class _Trainer(SentenceTransformerTrainer):  # type: ignore[misc]  # sentence-transformers is not typed here
    """The trainer of sentence-transformers. Checkpoints have the parameters of the loss too, and no model card."""

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        pass

    def _save(self, output_dir: str | None = None, state_dict: object = None) -> None:
        folder = output_dir or self.args.output_dir
        self.model.save_pretrained(folder, create_model_card=False)
        if own := self._weights_of_the_loss():
            save_file(own, Path(folder) / LOSS_WEIGHTS)

    def _load_from_checkpoint(self, checkpoint_path: str) -> None:
        super()._load_from_checkpoint(checkpoint_path)
        file = Path(checkpoint_path) / LOSS_WEIGHTS
        if file.exists():
            stored = load_file(file)
            for name, tensor in self._weights_of_the_loss().items():
                tensor.copy_(stored[name])

    def _weights_of_the_loss(self) -> dict[str, Any]:
        """Return the parameters of the loss that are not the model's."""
        model = {id(parameter) for parameter in self.model.parameters()}
        return {name: each.data for name, each in self.loss.named_parameters() if id(each) not in model}


class _Validation(BaseEvaluator):  # type: ignore[misc]  # sentence-transformers is not typed here
    """An evaluator that returns the nDCG@10 of the validation queries."""

    def __init__(self, validate: Callable[[int], float]) -> None:
        super().__init__()
        self.validate, self.primary_metric = validate, METRIC

    def __call__(self, model: Any, output_path: object = None, epoch: float = -1, steps: int = -1) -> dict[str, float]:
        return {METRIC: self.validate(steps)}


class _Steps(TrainerCallback):
    """Tells a loss each step, and marks complete checkpoints."""

    def __init__(self, loss: Any) -> None:
        self.loss = loss

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if hasattr(self.loss, "begin"):
            self.loss.begin(state.global_step)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        write_text(Path(args.output_dir) / f"checkpoint-{state.global_step}" / COMPLETE, "")


class _Log(TrainerCallback):
    """Writes losses and checks to a file, and reports them as progress."""

    def __init__(self, name: str, file: Path, report: Callable[..., None]) -> None:
        self.name, self.file, self.report = name, file, report
        self.checked: float | None = None

    def on_log(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        logs = given["logs"]
        known = {"loss": "loss", "learning_rate": "learning_rate", "grad_norm": "gradient_norm"}
        line = {ours: logs[theirs] for theirs, ours in known.items() if theirs in logs}
        if f"eval_{METRIC}" in logs:
            line = {f"validation_{METRIC}": logs[f"eval_{METRIC}"]}
        if not line:
            return
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"recipe": self.name, "step": state.global_step, **line}) + "\n")
        if "loss" in line:
            self.report(line["loss"])


def _cut(log: Path, name: str, step: int) -> None:
    """Remove the lines of a killed training after its last checkpoint."""
    if not log.exists():
        return
    lines = log.read_text(encoding="utf-8").splitlines()
    kept = []
    for line in lines:
        # a kill may have cut the last line
        entry: dict[str, Any] = json.loads(line) if line.endswith("}") else {"recipe": name, "step": step + 1}
        if entry["recipe"] != name or entry["step"] <= step:
            kept.append(f"{line}\n")
    write_text(log, "".join(kept))


def _last_checkpoint(folder: Path) -> Path | None:
    """Return the complete checkpoint with the most steps, after removing the others that are not complete."""
    complete: dict[int, Path] = {}
    for checkpoint in folder.glob("checkpoint-*"):
        if (checkpoint / COMPLETE).exists():
            complete[int(checkpoint.name.rpartition("-")[2])] = checkpoint
        else:
            shutil.rmtree(checkpoint)
    return complete[max(complete)] if complete else None


def _multiplies_bfloat16() -> bool:
    """Return whether the GPU, or else the CPU, multiplies numbers in bfloat16, which makes a step much faster."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    if torch.backends.mps.is_available():
        return False
    # older versions of torch do not tell
    capabilities = getattr(torch.cpu, "get_capabilities", dict[str, Any])()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def _loggers() -> list[str]:
    """Return the loggers that are installed; Weights & Biases also needs a key, because it uploads the log."""
    found = ["tensorboard"] if find_spec("tensorboard") else []
    return [*found, "wandb"] if find_spec("wandb") and os.environ.get("WANDB_API_KEY") else found
