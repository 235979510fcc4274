"""Tune MiniLM by recipes on the training judgements of collections, and write the table of test figures.

    python benchmarks/tuned_models.py DATA MODEL [--only REGEX] [--seed N …] [--out FILE] [--work FOLDER]

DATA contains the BEIR folders hotpotqa-2k, scifact and cranfield, with ready vectors of MiniLM in vectors/minilm.
MODEL is the folder of all-MiniLM-L6-v2. Every run is appended to runs.jsonl in the work folder; a run that is there is
not repeated, so an interrupted benchmark resumes. A run takes some minutes to half an hour.
"""

import argparse
import json
import re
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import vecsmith
from vecsmith.array_types import Floats
from vecsmith.encoders import embed_task
from vecsmith.report import findings_markdown
from vecsmith.report.findings import Findings, Table
from vecsmith.retrievers.vector_sources import vector_source
from vecsmith.tasks import Task
from vecsmith.tune import ModelTuning, TunedModel, tune_model
from vecsmith.tune.comparison import FLOAT, Baseline, Comparison
from vecsmith.tune.data import TuningData
from vecsmith.tune.distillation import distill_adapter
from vecsmith.tune.examples import TrainingExamples
from vecsmith.tune.recipes import RECIPES
from vecsmith.tune.training_data import DataOptions, make_examples

VECTORS = "vectors:minilm"
GUIDE = "vectors:mpnet"
NO_JUDGEMENTS = "none"
"""The split of a run without judgements."""
CODES = {
    "": ("float32", "trellis48B", "trellis24B", "trellis12B", "binary"),
    "+vectors:wordllama": ("fuse(a@384,b@256):fit,trellis48B",),
}
"""Codecs with which a model is measured that was trained for the documents too, by the models beside it."""
ELSEWHERE = ("scifact", "cranfield")
"""Tasks on which a model is measured that was trained for another one."""
DISTILLED = ", then tune distill"
QUERIES_AGAIN = ", then queries_only distill steps=48"
FEW_EXAMPLES = {"steps": 48, "learning_rate": 3e-5}
"""Three epochs of SciFact's judgements; chosen on its validation queries, as was the learning rate."""
PACKAGES = ("vecsmith", "torch", "sentence-transformers", "transformers", "numpy", "pytrec-eval-terrier")


@dataclass(frozen=True)
class Run:
    """One training: a task, the options of the tuning, and the generator of its queries if there are no judgements."""

    task: str
    recipe: str = "contrastive"
    options: dict[str, Any] = field(default_factory=dict)
    generator: str | None = None

    @property
    def name(self) -> str:
        """Task, recipe and options in words."""
        options = {**self.options, **self.options.get("changes", {})}
        changes = [name if value is True else f"{name}={value}" for name, value in options.items() if name != "changes"]
        return " ".join([self.task, self.recipe, *changes, *([self.generator] if self.generator else [])])


RUNS = [
    *(Run(task, options={"queries_only": True}) for task in ("hotpotqa-2k", "scifact")),
    *(Run(task, options={"queries_only": True, "distill": True}) for task in ("hotpotqa-2k", "scifact")),
    *(Run(task) for task in ("hotpotqa-2k", "scifact")),
    Run("scifact", options={"changes": FEW_EXAMPLES}),
    *(Run("hotpotqa-2k", options={"codec": codec}) for codec in ("trellis24B", "trellis48B", "trellis12B", "binary")),
    Run("hotpotqa-2k", options={"codec": "trellis24B", "runs": 3}),
    Run("scifact", options={"changes": FEW_EXAMPLES, "runs": 3}),
    *(Run(task, generator="extract") for task in ("cranfield", "scifact", "hotpotqa-2k")),
    Run("scifact", "gist", {"guide": GUIDE, "changes": FEW_EXAMPLES}),
    *(Run("scifact", recipe, {"changes": FEW_EXAMPLES}) for recipe in ("ranked-list", "n-pair")),
    Run("hotpotqa-2k", "gist", {"guide": GUIDE}),
    *(Run("hotpotqa-2k", recipe) for recipe in ("ranked-list", "n-pair")),
    *(Run(task, "tension") for task in ("cranfield", "scifact", "hotpotqa-2k")),
    Run("scifact", "tension,contrastive"),
]


def measure(run: Run, data: Path, model: str, seed: int, work: Path) -> dict[str, Any]:
    """Train a model, and return its figures."""
    task = vecsmith.load_task(str(data / run.task))
    start = time.process_time()
    examples: list[TrainingExamples] = []
    if run.generator:
        kind, generated = RECIPES[run.recipe].examples, DataOptions(generator=run.generator, seed=seed)
        examples = [make_examples(kind, task, options=generated)]
    without_labels = run.generator is not None or run.recipe == "tension"
    tuned = tune_model(
        task,
        f"st:{model}",
        work / f"{run.task}-{fingerprint(run)}-{seed}",
        ModelTuning(run.recipe, seed=seed, **run.options),
        split=NO_JUDGEMENTS if without_labels else "train",
        examples=examples,
        vectors=VECTORS,
        force=True,
    )
    minutes = (time.process_time() - start) / 60
    has_new_documents = tuned.is_saved and tuned.step > 0 and not tuned.tuning.queries_only
    return {
        "name": run.name,
        "seed": seed,
        "minutes": minutes,
        "step": tuned.step,
        "verdict": tuned.verdict.label,
        "cells": cells(tuned),
        "codes": of_codes(task, tuned) if has_new_documents else {},
        "elsewhere": {
            name: on_task(data / name, tuned) for name in ELSEWHERE if name != run.task and has_new_documents
        },
    }


def on_task(folder: Path, tuned: TunedModel) -> str:
    """Return nDCG@10 before and after tuning of all test queries of a task that the model was not trained on."""
    task, seed = vecsmith.load_task(str(folder)), tuned.tuning.seed
    before = Baseline(TuningData(task, NO_JUDGEMENTS, "test", *embed_task(task, VECTORS), seed))
    corpus, queries = embed_task(task, f"st:{tuned.path}")
    return cell(before.compare(queries.unit[before.rows], corpus.unit[:])[FLOAT][0])


def of_codes(task: Task, tuned: TunedModel) -> dict[str, dict[str, str]]:
    """Return nDCG@10 before and after tuning of all test queries, on floats and cross-fitted codes.

    The first row is of the tuned model. The second is of its queries after an adapter that was trained without
    judgements. The third is of a model whose queries were trained again, against the documents of the tuned model or
    their codes.
    """
    seed = tuned.tuning.seed
    again = trained_again(task, tuned)
    rows: dict[str, dict[str, str]] = {"": {}, DISTILLED: {}, QUERIES_AGAIN: {}}
    for further, codecs in CODES.items():
        data = TuningData(task, NO_JUDGEMENTS, "test", *embed_task(task, VECTORS + further), seed)
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


def page(runs: list[dict[str, Any]]) -> str:
    """Return the table of all runs."""
    columns = ["task and recipe", "seed", "step", "all", "seen", "unseen", "float32, all", "verdict", "minutes"]
    order = [run.name for run in RUNS]
    shown = sorted(
        (each for each in runs if each["name"] in order), key=lambda each: (order.index(each["name"]), each["seed"])
    )
    rows = [
        [
            each["name"],
            str(each["seed"]),
            str(each["step"]),
            *(each["cells"].get(name, "–") for name in ("all", "seen", "unseen", "float32")),
            each["verdict"],
            f"{each['minutes']:.1f}",
        ]
        for each in shown
    ]
    columns_of_codes = [codec for codecs in CODES.values() for codec in codecs]
    codes = [
        [each["name"] + then, str(each["seed"]), *(cells[codec] for codec in columns_of_codes)]
        for each in shown
        for then, cells in each.get("codes", {}).items()
    ]
    elsewhere = [
        [each["name"], str(each["seed"]), *(each["elsewhere"].get(name, "–") for name in ELSEWHERE)]
        for each in shown
        if each.get("elsewhere")
    ]
    title = (
        "nDCG@10 of test queries before → after tuning (in brackets p, paired over queries), preset cpu-small. With a "
        "codec: on its cross-fitted codes. step: training steps of the kept model. minutes: processor time, "
        "in which the documents are embedded once; without the training of a run that was resumed"
    )
    tables = [
        Table("models", title, columns, rows),
        Table(
            "codes",
            "nDCG@10 of all test queries before → after tuning, on float vectors and cross-fitted codes of the same "
            "model. fuse: with WordLlama. tune distill: queries pass through an adapter that was trained on the "
            "training queries, without their judgements. queries_only: the queries were trained again, against the "
            "documents of the tuned model, or against their codes if there is a codec",
            ["task and recipe", "seed", *columns_of_codes],
            codes,
        ),
        Table(
            "elsewhere",
            "nDCG@10 of all test queries before → after tuning, on float vectors of the tasks for which the model was "
            "not trained",
            ["task and recipe", "seed", *ELSEWHERE],
            elsewhere,
        ),
    ]
    text = findings_markdown(Findings(tables)).partition("\n")[2].strip()
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"# tuned-models\n\nMade by `benchmarks/tuned_models.py DATA MODEL`, all-MiniLM-L6-v2; {versions}.\n\n{text}\n"
    )


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
            figures = measure(run, given.data, given.model, seed, given.work)
            print(json.dumps(figures), flush=True)
            with log.open("a") as file:
                file.write(json.dumps(figures) + "\n")
    given.out.write_text(page([json.loads(line) for line in log.read_text().splitlines()]), encoding="utf-8")


if __name__ == "__main__":
    main()
