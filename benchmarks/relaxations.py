"""Ways to train the thresholds of one bit a dimension: benchmarks/results/relaxations.md.

    python benchmarks/relaxations.py --task DIR … --encoder vectors:NAME [--seed N …]

Relaxations of the sign, training losses and starts, cross-fitted, float queries. What is best is chosen by held-out
documents within each fit, never by the judgements. Of the relaxations, sigmoid and tanh differ by a factor of two in
temperature only: 2σ(2h) − 1 = tanh h.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vecsmith.codecs.options import RELAXATIONS
from vecsmith.codecs.quantizers.thresholds import STARTS, Thresholds
from vecsmith.evaluation.compare import compare
from vecsmith.tasks import load_task

if TYPE_CHECKING:
    from vecsmith.codecs.stages import Floats

Tensor = torch.Tensor


def similarity(scores: Tensor, targets: Tensor) -> Tensor:
    """Preserve similarities: their squared error, both over the temperature of the targets."""
    return ((scores - targets) ** 2).mean()


def variant(name: str, start: str = "", **options: Any) -> str:
    """Register thresholds that are trained otherwise, and return their spec."""

    def starts(self: Thresholds, X: "Floats", seed: int) -> "Iterator[tuple[str, Floats]]":
        every = islice(Thresholds._starts(self, X, seed), STARTS)
        return (each for each in every if start in ("", each[0]))

    usage = f"thresholds-{name}"
    content = {"usage": usage, "pattern": usage, "options": options, "_starts": starts}
    type(name, (Thresholds,), content)
    return usage


SPECS = [
    "binary",
    "median",
    "thresholds",
    *(variant(relaxation, relaxation=relaxation) for relaxation in RELAXATIONS[1:]),
    variant("similarity", loss=similarity),
    *(variant(f"from-{start.split()[0]}", start=start) for start in ("zero", "mean", "median", "random quantiles")),
]


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", action="append", required=True)
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--seed", type=int, action="append")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    seeds = arguments.seed or [0]
    kept: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    fit_seconds: dict[str, list[float]] = defaultdict(list)
    for spec in arguments.task:
        task = load_task(spec)
        # a large collection's questions are used whole: codecs see none of them
        split = "+".join(name for name in ("train", "test") if name in task.qrels) if "hotpot" in task.name else "test"
        for seed in seeds:
            # what the cache has may be of variants defined otherwise
            for result in compare([task], [arguments.encoder], SPECS, split=split, seed=seed, force=True):
                kept[result.codec][f"{task.name} ({split})"].append(100 * result.retention)
                fit_seconds[result.codec].append(result.fit_seconds)
        print(task.name, {codec: np.round(list(tasks.values())[-1], 1) for codec, tasks in kept.items()}, flush=True)
    tasks = list(kept["binary"])
    lines = [
        "# Ways to train thresholds",
        "",
        f"Made by `benchmarks/relaxations.py` on {time.strftime('%Y-%m-%d')}: nDCG@10 over that of float32 in percent, "
        f"{arguments.encoder}, cross-fitted, float queries, mean of seeds {', '.join(map(str, seeds))} "
        "(and their spread). `thresholds` is the default: straight-through, listwise, the best of four starts.",
        "",
        f"| codec | {' | '.join(tasks)} | mean | fit s |",
        "|---" + "|---:" * (len(tasks) + 2) + "|",
    ]
    for spec in SPECS:
        cells = [f"{np.mean(kept[spec][task]):.1f} ({np.ptp(kept[spec][task]):.1f})" for task in tasks]
        mean = np.mean([np.mean(kept[spec][task]) for task in tasks])
        lines.append(f"| {spec} | {' | '.join(cells)} | {mean:.1f} | {np.mean(fit_seconds[spec]):.1f} |")
    (Path(__file__).parent / "results" / "relaxations.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
