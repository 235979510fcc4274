"""Fused vectors and codes of them on a task that nothing in vecsmith was chosen on: pydocs with MiniLM.

    vecsmith embed --task pydocs --encoder st:sentence-transformers/all-MiniLM-L6-v2 --out FOLDER
    python benchmarks/held_out.py FOLDER > benchmarks/results/held-out.md

The judgements are those of the built-in task; no constant of a codec was chosen on them.
"""

import sys

import numpy as np

from vecsmith.evaluation import stratified_p_value
from vecsmith.evaluation.compare import measure
from vecsmith.evaluation.runner import Measurement
from vecsmith.report import findings_markdown
from vecsmith.report.findings import Findings, Table
from vecsmith.tasks import load_task

ALONE = ("trellis96B", "trellis48B", "hybrid48B", "hybrid16B+trellis32B", "trellis24B", "faiss:RaBitQ")
FITTED = "fuse(minilm,static):fit"
FUSED = (
    "fuse(minilm,static:0.7)",
    FITTED,
    f"{FITTED},pca384",
    *(f"{FITTED},trellis{size}B" for size in (80, 64, 48, 40, 32, 24)),
    f"{FITTED},hybrid48B",
)
HEADLINE, SEEDS = f"{FITTED},trellis48B", range(4)


def main(folder: str) -> None:
    """Print the table."""
    task, minilm = load_task("pydocs"), f"vectors:{folder}/corpus,{folder}/queries"
    first, *alone = measure([task], [minilm], list(ALONE))[0]
    _, *fused = measure([task], [f"{minilm}+static"], list(FUSED))[0]

    def row(found: Measurement) -> list[str]:
        ratio = found.result.ndcg_at_10 / first.result.ndcg_at_10
        p = stratified_p_value([np.subtract(found.ndcg_at_10, first.ndcg_at_10)])
        return [f"{ratio:.1%}", f"{p:.4f}"]

    rows = [
        [found.result.codec, found.result.scoring, str(found.result.bytes_per_vector), *row(found)]
        for found in (*alone, *fused)
    ]
    by_seed = [[str(seed), *row(measure([task], [f"{minilm}+static"], [HEADLINE], seed=seed)[0][1])] for seed in SEEDS]
    title = "nDCG@10 on pydocs over that of MiniLM's float32 vectors (1,536 bytes), cross-fitted, seed 0; p: paired"
    results = [each.result for each in (first, *alone, *fused)]
    table = Table("held-out", title, ["codec", "scoring", "bytes", "nDCG@10", "p"], rows)
    seeds = Table("seeds", f"{HEADLINE} with other seeds of codec and halves", ["seed", "nDCG@10", "p"], by_seed)
    print(findings_markdown(Findings([table, seeds], results)))


if __name__ == "__main__":
    main(sys.argv[1])
