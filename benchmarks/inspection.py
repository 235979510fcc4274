"""What facts about vectors foretell: bytes, balance of bits and prefixes against nDCG@10.

    python benchmarks/inspection.py --task DIR … --encoder vectors:NAME …   writes benchmarks/results/inspection.md

Cross-fitted, nDCG@10 over that of float32, all judged queries.
"""

import argparse
from importlib.metadata import version
from pathlib import Path

import numpy as np

import vecsmith
from vecsmith.advise.inspection import Inspection, inspect
from vecsmith.evaluation.compare import compare

PARTS = (4, 8, 16, 32)


def share_for(facts: Inspection, size: int) -> float:
    """Return the share of the variance that a number of bytes has room for."""
    shares = np.linspace(0, 0.9999, 10_000)
    return float(shares[np.searchsorted([facts.bytes_for(share) for share in shares], size) - 1])


def measure(task: vecsmith.Task, encoder: str) -> tuple[list[str], str, list[str]]:
    """Return lines of the three tables."""
    split = "+".join(name for name in ("train", "test") if name in task.qrels)
    facts = inspect(vecsmith.embed_task(task, encoder)[0])
    d = facts.dimensions
    sized = [f"{name}{d // part}B" for part in PARTS for name in ("trellis", "hybrid")]
    cuts = [f"{name}{d // part}" for part in (2, 4) for name in ("truncate", "pca")]
    bits = ["binary", "median", f"itq{d // 8}B"]
    results = compare([task], [encoder], [*sized, *cuts, *bits], ["asymmetric"], split)
    results += compare([task], [encoder], bits, ["symmetric"], split)
    kept = {(result.codec, result.scoring): f"{result.retention:.1%}" for result in results}
    float_query = {codec: cell for (codec, scoring), cell in kept.items() if scoring != "symmetric"}
    name = f"| {task.name} ({split}) | {encoder} "
    sizes = [
        f"{name}| {d // part} | {share_for(facts, d // part):.1%} | {float_query[f'trellis{d // part}B']} "
        f"| {float_query[f'hybrid{d // part}B']} |"
        for part in PARTS
    ]
    signs = [cell for bit in bits for cell in (float_query[bit], kept[bit, "symmetric"])]
    balance = f"{name}| {facts.unbalanced / d:.0%} | {facts.mean_share:.0%} | {' | '.join(signs)} |"
    prefixes = [
        f"{name}| {d} → {d // part} | {facts.prefix_ratio(d // part):.2f} | {float_query[f'truncate{d // part}']} "
        f"| {float_query[f'pca{d // part}']} |"
        for part in (2, 4)
    ]
    return sizes, balance, prefixes


def main() -> None:
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", action="append", required=True)
    parser.add_argument("--encoder", action="append", required=True)
    arguments = parser.parse_args()
    tasks = [vecsmith.load_task(spec) for spec in arguments.task]
    measured = [measure(task, encoder) for task in tasks for encoder in arguments.encoder]
    lines = [
        "# What facts about vectors foretell",
        "",
        "Made by `benchmarks/inspection.py`: nDCG@10 over that of float32, cross-fitted, all judged queries, seed 0.",
        f"vecsmith {version('vecsmith')}, NumPy {version('numpy')}, FAISS {version('faiss-cpu')}.",
        "",
        "## Share of the variance that N bytes have room for (reverse water-filling); float queries",
        "",
        "| task | encoder | N | share | `trellisNB` | `hybridNB` |",
        "|---|---|---:|---:|---:|---:|",
        *(line for sizes, _, _ in measured for line in sizes),
        "",
        "## Badly balanced dimensions, and one bit a dimension; float queries and Hamming distance",
        "",
        "| task | encoder | unbalanced | mean's share | `binary` | Hamming | `median` | Hamming | `itqNB` | Hamming |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        *(balance for _, balance, _ in measured),
        "",
        "## Variance of the first k dimensions over that of k principal components; float queries",
        "",
        "| task | encoder | dimensions | ratio | `truncateK` | `pcaK` |",
        "|---|---|---|---:|---:|---:|",
        *(line for _, _, prefixes in measured for line in prefixes),
    ]
    (Path(__file__).parent / "results" / "inspection.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
