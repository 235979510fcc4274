"""Tune MiniLM, or an adapter of its vectors, on the training judgements of tasks, and write tables of test figures.

    python benchmarks/tuned_models.py DATA MODEL [--only REGEX] [--seed N …] [--out FILE] [--work FOLDER]

DATA contains the BEIR folders hotpotqa-2k, scifact and cranfield, with ready vectors of MiniLM in vectors/minilm.
MODEL is the folder of all-MiniLM-L6-v2. Every run is appended to runs.jsonl in the work folder; a run that is there is
not repeated, so an interrupted benchmark resumes. A run takes some minutes to half an hour.
"""

import argparse
import json
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tuned_models_page import page
from tuned_models_runs import ADAPTER, CODES, ELSEWHERE, FUSED, PYDOCS, RUNS, Run

import vecsmith
from vecsmith.array_types import Floats
from vecsmith.encoders import embed_task
from vecsmith.retrievers.vector_sources import vector_source
from vecsmith.tasks import Task
from vecsmith.tune import ModelTuning, TunedModel, tune_adapter, tune_model
from vecsmith.tune.comparison import FLOAT, Baseline, Comparison
from vecsmith.tune.data import TuningData
from vecsmith.tune.distillation import distill_adapter
from vecsmith.tune.examples import TrainingExamples
from vecsmith.tune.recipes import RECIPES
from vecsmith.tune.training_data import DataOptions, make_examples

PASSAGES = 1000
"""Passages for which queries are extracted and labelled by a cross-encoder."""
NO_JUDGEMENTS = "none"
"""The split of a run without judgements."""
DISTILLED = ", then tune distill"
QUERIES_AGAIN = ", then queries_only distill steps=48"


@dataclass(frozen=True)
class Setting:
    """What all runs have in common: the folder of the collections, the folder of the model, and the work folder."""

    data: Path
    model: str
    work: Path

    def task(self, name: str) -> Task:
        """Return a task by its name."""
        return vecsmith.load_task(name if name == PYDOCS else str(self.data / name))

    def folder(self, run: Run, seed: int) -> Path:
        """Return the folder of the model of a run."""
        return self.work / f"{run.task}-{fingerprint(run)}-{seed}"

    def vectors(self, task: Task, model: str = "minilm", otherwise: str | None = None) -> str:
        """Return the encoder of a task's ready vectors, or the one that makes them."""
        return f"vectors:{model}" if task.folder else otherwise or f"st:{self.model}"

    def beside(self, task: Task) -> str:
        """Return WordLlama as a further encoder."""
        return "+" + self.vectors(task, "wordllama", otherwise="static")


def measure(run: Run, setting: Setting, seed: int) -> dict[str, Any]:
    """Train a model or an adapter, and return its figures."""
    task = with_judged(setting.task(run.task), run.judged, seed)
    figures = adapter_figures if run.recipe == ADAPTER else model_figures
    return {"name": run.name, "seed": seed, **figures(run, task, setting, seed)}


def with_judged(task: Task, number: int | None, seed: int) -> Task:
    """Return the task with a sample of its training queries."""
    if number is None:
        return task
    train = task.qrels["train"]
    chosen = sorted(np.random.default_rng(seed).permutation(sorted(train))[:number])
    return replace(task, qrels={**task.qrels, "train": {query: train[query] for query in chosen}})


def adapter_figures(run: Run, task: Task, setting: Setting, seed: int) -> dict[str, Any]:
    """Train a query adapter of vectors of the untuned or a tuned model, and return its figures."""
    vectors = f"st:{setting.folder(run.start, seed)}" if run.start else setting.vectors(task)
    start = time.process_time()
    tuned = tune_adapter(task, vectors + setting.beside(task) if run.is_fused else vectors, seed=seed)
    figures = {each.name: cell(each) for each in tuned.comparisons}
    return {
        "minutes": minutes_since(start),
        "step": tuned.choice.check,
        "verdict": tuned.verdict.label,
        "cells": {**figures, "float32": figures["all"]},
    }


def model_figures(run: Run, task: Task, setting: Setting, seed: int) -> dict[str, Any]:
    """Train a model, and return its figures."""
    start = time.process_time()
    without_labels = run.generator is not None or run.recipe == "tension"
    tuned = tune_model(
        task,
        f"st:{setting.folder(run.start, seed) if run.start else setting.model}",
        setting.folder(run, seed),
        ModelTuning(run.recipe, seed=seed, **run.options),
        split=NO_JUDGEMENTS if without_labels else "train",
        examples=made_examples(run, task, setting, seed),
        vectors=None if run.start else setting.vectors(task),
        force=True,
    )
    minutes = minutes_since(start)
    has_new_documents = tuned.is_saved and tuned.step > 0 and not tuned.tuning.queries_only
    is_measured_further = has_new_documents and run.judged is None
    elsewhere = [name for name in ELSEWHERE if name != run.task and is_measured_further]
    return {
        "minutes": minutes,
        "step": tuned.step,
        "verdict": tuned.verdict.label,
        "cells": cells(tuned),
        "codes": of_codes(task, tuned, setting) if is_measured_further else {},
        "elsewhere": {name: on_task(setting.task(name), tuned, setting) for name in elsewhere},
    }


def minutes_since(start: float) -> float:
    """Return the minutes of processor time since a start in seconds."""
    return (time.process_time() - start) / 60


def made_examples(run: Run, task: Task, setting: Setting, seed: int) -> list[TrainingExamples]:
    """Return training examples of generated queries, or labelled by a cross-encoder that learnt from the judgements."""
    kind = RECIPES[run.recipe.split(",")[-1]].examples
    if run.generator:
        return [make_examples(kind, task, options=DataOptions(generator=run.generator, seed=seed))]
    if kind not in ("margins", "scored pairs"):
        return []
    model = f"st:{setting.model}"  # ready vectors lack the generated queries
    options = DataOptions(miner=model, cross_encoder=model, passages=PASSAGES, seed=seed)
    return [make_examples(kind, task, options=options)]


def on_task(task: Task, tuned: TunedModel, setting: Setting) -> str:
    """Return nDCG@10 before and after tuning of all test queries of a task that the model was not trained on."""
    vectors = embed_task(task, setting.vectors(task))
    before = Baseline(TuningData(task, NO_JUDGEMENTS, "test", *vectors, tuned.tuning.seed))
    corpus, queries = embed_task(task, f"st:{tuned.path}")
    return cell(before.compare(queries.unit[before.rows], corpus.unit[:])[FLOAT][0])


def of_codes(task: Task, tuned: TunedModel, setting: Setting) -> dict[str, dict[str, str]]:
    """Return nDCG@10 before and after tuning of all test queries, on floats and cross-fitted codes.

    The first row is of the tuned model. The second is of its queries after an adapter that was trained without
    judgements. The third is of a model whose queries were trained again, against the documents of the tuned model or
    their codes.
    """
    seed = tuned.tuning.seed
    again = trained_again(task, tuned)
    rows: dict[str, dict[str, str]] = {"": {}, DISTILLED: {}, QUERIES_AGAIN: {}}
    for further, codecs in (("", CODES), (setting.beside(task), FUSED)):
        data = TuningData(task, NO_JUDGEMENTS, "test", *embed_task(task, setting.vectors(task) + further), seed)
        encoder = f"st:{tuned.path}{further}"
        corpus, queries = embed_task(task, encoder)
        adapter = distill_adapter(task, encoder, seed=seed).adapter
        for codec in codecs:
            before = Baseline(data, codec)
            Q, D = queries.unit[before.rows], corpus.unit[:]
            rows[""][codec] = cell(before.compare(Q, D)[codec][0])
            rows[DISTILLED][codec] = cell(before.compare(adapter.transform(Q), D)[codec][0])
            own = Q[:, : again.shape[1]]
            own[:] = np.linalg.norm(own, axis=1, keepdims=True) * again[before.rows]
            rows[QUERIES_AGAIN][codec] = cell(before.compare(Q, D)[codec][0])
    return rows


def trained_again(task: Task, tuned: TunedModel) -> Floats:
    """Train the queries of a tuned model against its documents, and return their unit vectors by the better model."""
    tuning = ModelTuning(
        seed=tuned.tuning.seed, codec=tuned.tuning.codec, queries_only=True, distill=True, changes={"steps": 48}
    )
    again = tune_model(task, f"st:{tuned.path}", f"{tuned.path}-queries", tuning, force=True)
    best = again.path if again.is_saved else tuned.path
    return vector_source(f"st:{best}", task).embed(task.queries, "query")


def fingerprint(run: Run) -> str:
    """Return the options of a run as a file name."""
    return re.sub(r"\W+", "-", run.name)


def cells(tuned: TunedModel) -> dict[str, str]:
    """Return the figures of all, seen and unseen test queries, and of all on float vectors."""
    figures = {each.name: cell(each) for each in tuned.comparisons}
    return figures | {"float32": cell(tuned.floats[0])}


def cell(each: Comparison) -> str:
    """Return nDCG@10 before and after, and the p-value."""
    verdict = each.verdict
    return f"{verdict.baseline:.4f} → {verdict.value:.4f} (p {verdict.p_value:.3f})"


def main() -> None:
    """Run the chosen trainings, and write the table of all that are done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the test collections")
    parser.add_argument("model", help="folder of the model")
    parser.add_argument("--only", metavar="REGEX", default="", help="runs by name")
    parser.add_argument("--seed", type=int, action="append", help="0 by default")
    parser.add_argument("--work", type=Path, default=Path("tuned-models"), help="folder for models and runs.jsonl")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "tuned-models.md")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    log = given.work / "runs.jsonl"
    for run in RUNS:
        for seed in given.seed or [0]:
            done = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
            known = any((each["name"], each["seed"]) == (run.name, seed) for each in done)
            if known or not re.search(given.only, run.name):
                continue
            figures = measure(run, Setting(given.data, given.model, given.work), seed)
            print(json.dumps(figures), flush=True)
            with log.open("a") as file:
                file.write(json.dumps(figures) + "\n")
    given.out.write_text(page([json.loads(line) for line in log.read_text().splitlines()]), encoding="utf-8")


if __name__ == "__main__":
    main()
