"""Run experiments on retrieval quality, and write their tables.

    python benchmarks/quality.py DATA NAME … [--task COLLECTION …] [--seed N …] [--out FOLDER]

writes FOLDER/NAME.md, by default benchmarks/results/NAME.md. DATA contains the BEIR folders hotpotqa-2k, scifact and
cranfield, with ready vectors of minilm, mpnet, potion and wordllama. The experiment held-out also needs the vectors
that `vecsmith embed --task pydocs --encoder st:sentence-transformers/all-MiniLM-L6-v2 --out DATA/pydocs-minilm` writes.
Measurements of codecs are cached, so an interrupted run resumes.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any
from unittest.mock import patch

import numpy as np
import quality_retrievers as retrievers
import quality_translators as translators
import quality_vectors as vectors
from quality_data import ALL, COLLECTIONS, TEST, Data, table

from vecsmith.codecs.quantizers import trellis as trellis_module
from vecsmith.codecs.quantizers import unit_length
from vecsmith.embeddings import normalize
from vecsmith.evaluation import stratified_p_value
from vecsmith.evaluation.compare import measure
from vecsmith.report import findings_markdown
from vecsmith.report.findings import Findings
from vecsmith.studies import StudyConfig
from vecsmith.studies.quantization import findings, measurements

UNSHRINK_POWERS = (0.0, 0.25, 0.5, 0.75, 1.0)
TRELLIS_BYTES = (96, 48, 24, 12)
PYDOCS_MINILM = "vectors:{data}/pydocs-minilm/corpus,{data}/pydocs-minilm/queries"


@dataclass(frozen=True)
class Comparison:
    """Codecs of one encoder; ``{data}`` in a spec is the folder of the collections.

    Attributes
    ----------
    encoder : str
        Spec of the encoder.
    codecs : sequence of str
        Specs of the codecs.
    baseline : str
        Encoder whose float32 vectors are the baseline.
    tasks : sequence of str
        Names of the tasks.
    split : str
        Split of the judgements, or several joined by ``+``.
    """

    encoder: str
    codecs: Sequence[str]
    baseline: str
    tasks: Sequence[str] = COLLECTIONS
    split: str = ALL

    def rows(self, data: Data, force: bool = False) -> list[list[Any]]:
        """Return a row per codec and scoring: names, bytes, retention per task, their mean, and the p-value.

        Retention is a mean over the seeds. The p-value is of a paired test over the queries, with the first seed.
        """
        encoder, baseline = (spec.format(data=data.folder) for spec in (self.encoder, self.baseline))
        lines: dict[tuple[str, ...], dict[str, list[tuple[float, Any]]]] = {}
        for task, seed in product(data.tasks(*self.tasks), data.seeds):
            options: dict[str, Any] = {"split": task.present(self.split), "seed": seed, "baseline": baseline}
            groups = measure([task], [encoder], self.codecs, force=force, **options)
            reference = groups[0][0].ndcg_at_10
            for each in groups[-1][1:]:
                key: tuple[str, ...] = (each.result.codec, each.result.scoring, str(each.result.bytes_per_vector))
                ratio, gains = fmean(each.ndcg_at_10) / fmean(reference), np.subtract(each.ndcg_at_10, reference)
                lines.setdefault(key, {}).setdefault(task.name, []).append((ratio, gains))
        rows: list[list[Any]] = []
        for key, by_task in lines.items():
            shares = [fmean(ratio for ratio, _ in found) for found in by_task.values()]
            p_value = stratified_p_value([found[0][1] for found in by_task.values()])
            name = self.encoder.replace("vectors:", "").replace("{data}/", "")
            rows.append([name, *key, *shares, fmean(shares), f"{p_value:.4f}"])
        return rows


def compare(data: Data, comparisons: Sequence[Comparison]) -> Findings:
    """Return the table of comparisons of the same tasks."""
    rows = [row for each in comparisons for row in each.rows(data)]
    tasks = [task.name for task in data.tasks(*comparisons[0].tasks)]
    return table(TITLE, ["encoder", "codec", "scoring", "bytes", *tasks, "mean", "p"], rows)


def ready(models: Sequence[str]) -> str:
    """Return the spec of ready vectors of one or several models."""
    return "+".join(f"vectors:{model}" for model in models)


def fusions(models: Sequence[str]) -> Comparison:
    """Return the comparison of concatenated models, without and with weights, with the first model."""
    first, *others = models
    equal, weighted = f"fuse({','.join(models)})", f"fuse({first},{','.join(f'{name}:0.7' for name in others)})"
    codecs = [equal, weighted, f"{equal}:fit", f"{equal}:fit,pca384"]
    return Comparison(ready(models), codecs, ready([first]))


TITLE = (
    "nDCG@10 over that of the first model's float32 vectors, float queries, cross-fitted; p: paired over the queries"
)
PAIRS = tuple(pair.split() for pair in ("minilm wordllama", "minilm potion", "mpnet wordllama", "mpnet potion"))
MODEL_SETS = (*PAIRS, ("minilm", "mpnet"), ("minilm", "wordllama", "potion"))
FITTED, HELD_OUT = "fuse(minilm,wordllama):fit", "fuse(minilm,static):fit"
FUSION_CODES = [
    *("fuse(minilm,wordllama:0.7),binary", "fuse(minilm,wordllama:0.7),thresholds", f"{FITTED},thresholds"),
    *(f"{FITTED},{family}{size}B" for size in (80, 64, 48) for family in ("trellis", "hybrid")),
    *(f"{FITTED},{codec}" for codec in ("binary-autoencoder48B", "trellis40B", "trellis32B")),
]
PYDOCS_CODES = ("trellis96B", "trellis48B", "hybrid48B", "hybrid16B+trellis32B", "trellis24B", "faiss:RaBitQ")
PYDOCS_FUSED = [
    *("fuse(minilm,static:0.7)", HELD_OUT, f"{HELD_OUT},pca384", f"{HELD_OUT},hybrid48B"),
    *(f"{HELD_OUT},trellis{size}B" for size in (80, 64, 48, 40, 32, 24)),
]
COMPARISONS = {
    "fusion-pairs": [fusions(models) for models in MODEL_SETS],
    "fusion-codes": [Comparison(ready(PAIRS[0]), FUSION_CODES, "vectors:minilm")],
    # no constant was chosen on pydocs
    "held-out": [
        Comparison(PYDOCS_MINILM, PYDOCS_CODES, PYDOCS_MINILM, ["pydocs"], TEST),
        Comparison(f"{PYDOCS_MINILM}+static", PYDOCS_FUSED, PYDOCS_MINILM, ["pydocs"], TEST),
    ],
}


def quantizers(data: Data) -> Findings:
    """Run the study of quantizers, on all questions of HotpotQA-2k and the test queries of other tasks."""
    measured = []
    for task in data.tasks():
        split = ALL if task.name == COLLECTIONS[0] else TEST
        measured += measurements(
            StudyConfig([str(data.folder / task.name)], ["vectors:minilm"], split, seeds=data.seeds)
        )
    return findings(measured)


def trellis(data: Data) -> Findings:
    """Measure the trellis code with and without normalization, for powers of the correction of shrinkage."""
    rows = []
    codes = Comparison("vectors:minilm", [f"trellis{size}B" for size in TRELLIS_BYTES], "vectors:minilm")
    for normalized, power in product((False, True), UNSHRINK_POWERS):
        unit = normalize if normalized else partial(np.asarray, dtype=np.float32)
        with patch.object(trellis_module, "UNSHRINKING_POWER", power), patch.object(unit_length, "normalize", unit):
            # the key of the cache does not contain the patches
            found = codes.rows(data, force=True)
        rows += [["normalized" if normalized else "raw", f"{power:g}", *row[1:-1]] for row in found]
    columns = ["decoded vector", "p", "codec", "scoring", "bytes", *(task.name for task in data.tasks()), "mean"]
    return table("Retention of nDCG@10, cross-fitted, float queries", columns, rows)


EXPERIMENTS: dict[str, Callable[[Data], Findings]] = {
    **{name: partial(compare, comparisons=rows) for name, rows in COMPARISONS.items()},
    "quantizers": quantizers,
    "trellis": trellis,
    "pca": vectors.pca,
    "component-weights": vectors.component_weights,
    "inspection": vectors.inspection,
    "translators": translators.translators,
    "translators-beside": translators.translators_beside,
    "mixed-index": translators.mixed_index,
    "hybrid": retrievers.hybrid,
}


def main() -> None:
    """Run the named experiments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the test collections")
    parser.add_argument("names", nargs="+", choices=EXPERIMENTS, metavar="NAME", help=", ".join(EXPERIMENTS))
    parser.add_argument("--task", action="append", choices=COLLECTIONS, help="use only these collections")
    parser.add_argument("--seed", type=int, action="append", help="0 by default")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    data = Data(options.data.resolve(), options.task or COLLECTIONS, options.seed or [0])
    for name in options.names:
        tables = findings_markdown(EXPERIMENTS[name](data)).partition("\n")[2].strip().replace(f"{data.folder}/", "")
        seeds = ", ".join(map(str, data.seeds))
        page = f"# {name}\n\nMade by `benchmarks/quality.py DATA {name}`, seed {seeds}.\n\n{tables}\n"
        (options.out / f"{name}.md").write_text(page, encoding="utf-8")
        print(page, flush=True)


if __name__ == "__main__":
    main()
