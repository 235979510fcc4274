"""Figures of fused vectors, alone and compressed, and of small models in a large one's place.

    python benchmarks/fusion.py DATA SECTION > benchmarks/results/SECTION.md

DATA has hotpotqa-2k, scifact and cranfield in BEIR's layout, with ready vectors of minilm, mpnet, potion and wordllama.
SECTION is a name in `SECTIONS`. All train and test questions count: nothing is chosen on either. Studies that train at
many widths leave hotpotqa-2k out.
"""

import sys
from collections.abc import Callable
from statistics import fmean

import numpy as np

from vecsmith.evaluation import stratified_p_value
from vecsmith.evaluation.compare import measure
from vecsmith.evaluation.results import Result
from vecsmith.report import findings_markdown
from vecsmith.report.findings import Findings, Table
from vecsmith.studies import StudyConfig, autoencoder_dimensions, fusion, matryoshka, small_to_large
from vecsmith.tasks import Task, load_task

SPLIT = "train+test"
PAIRS = (
    ("minilm", "wordllama"),
    ("minilm", "potion"),
    ("mpnet", "wordllama"),
    ("mpnet", "potion"),
    ("minilm", "mpnet"),
    ("minilm", "wordllama", "potion"),
)


def pairs(tasks: list[str]) -> Findings:
    """Measure models side by side, without and with weights, on every task."""
    rows, results = [], []
    loaded = [load_task(task) for task in tasks]
    for models in PAIRS:
        first, *others = models
        specs = [f"fuse({','.join(models)})", f"fuse({first},{','.join(f'{name}:0.7' for name in others)})"]
        specs += [f"fuse({','.join(models)}):fit", f"fuse({','.join(models)}):fit,pca384"]
        found, measured = against_first(loaded, models, specs)
        rows += found
        results += measured
    return findings("pairs", loaded, rows, results)


def codes(tasks: list[str]) -> Findings:
    """Measure codes of fused vectors, which are compared with the first model's 1,536 bytes."""
    loaded = [load_task(task) for task in tasks]
    fitted = "fuse(minilm,wordllama):fit"
    specs = ["fuse(minilm,wordllama:0.7),binary", "fuse(minilm,wordllama:0.7),thresholds", f"{fitted},thresholds"]
    specs += [f"{fitted},{family}{size}B" for size in (80, 64, 48) for family in ("trellis", "hybrid")]
    specs += [f"{fitted},binary-autoencoder48B", f"{fitted},trellis40B", f"{fitted},trellis32B"]
    return findings("codes", loaded, *against_first(loaded, ("minilm", "wordllama"), specs))


def against_first(
    loaded: list[Task], models: tuple[str, ...], specs: list[str]
) -> tuple[list[list[str]], list[Result]]:
    """Return a row per codec of fused vectors: nDCG@10 over that of the first model alone, by task."""
    measured = []
    for task in loaded:
        split = task.present(SPLIT)
        alone = measure([task], [f"vectors:{models[0]}"], [], split=split)[0][0]
        fused = measure([task], ["+".join(f"vectors:{name}" for name in models)], specs, split=split)[0][1:]
        measured.append((alone, fused))
    rows = []
    for number, spec in enumerate(specs):
        ratios = [fused[number].result.ndcg_at_10 / alone.result.ndcg_at_10 for alone, fused in measured]
        gains = [np.subtract(fused[number].ndcg_at_10, alone.ndcg_at_10) for alone, fused in measured]
        result = measured[0][1][number].result
        cells = [f"{ratio:.1%}" for ratio in [*ratios, fmean(ratios)]]
        size = [str(result.dimensions), str(result.bytes_per_vector)]
        rows.append(["+".join(models), spec, *size, *cells, f"{stratified_p_value(gains):.4f}"])
    return rows, [each.result for alone, fused in measured for each in [alone, *fused]]


def findings(name: str, loaded: list[Task], rows: list[list[str]], results: list[Result]) -> Findings:
    """Return rows as a table."""
    columns = ["models", "codec", "width", "bytes", *(task.name for task in loaded), "mean", "p"]
    title = "nDCG@10 over that of the first model, float queries, cross-fitted, seed 0; p: paired over the queries"
    return Findings([Table(name, title, columns, rows)], results)


def ready(tasks: list[str], *models: str) -> StudyConfig:
    """Return the setting of tasks and ready vectors."""
    return StudyConfig(tasks, [f"vectors:{model}" for model in models], SPLIT, seeds=[0])


SECTIONS: dict[str, Callable[[list[str]], Findings]] = {
    "fusion-pairs": pairs,
    "fusion-codes": codes,
    "fusion": lambda tasks: fusion(ready(tasks, "minilm", "wordllama")),
    "autoencoder-dimensions": lambda tasks: autoencoder_dimensions(ready(tasks[1:], "minilm")),
    "matryoshka": lambda tasks: matryoshka(ready(tasks[1:], "potion", "wordllama")),
    "small-to-large": lambda tasks: small_to_large(ready(tasks, "minilm", "wordllama", "mpnet")),
    "small-to-large-static": lambda tasks: small_to_large(ready(tasks, "wordllama", "potion", "mpnet")),
}


if __name__ == "__main__":
    data, section = sys.argv[1:]
    print(findings_markdown(SECTIONS[section]([f"{data}/{name}" for name in ("hotpotqa-2k", "scifact", "cranfield")])))
