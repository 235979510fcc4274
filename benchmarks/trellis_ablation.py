"""What makes the trellis code keep retrieval: the norm, the shrinkage undone, and the trellis itself.

    python benchmarks/trellis_ablation.py --task DIR … --encoder vectors:NAME …    writes benchmarks/results/trellis.md

Cross-fitted retention of nDCG@10, float query, mean of the seeds. "Raw" leaves the decoded vector at the length that
least squares gives it; p is the exponent with which the shrinkage of components is undone (see `Trellis`).
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from unittest.mock import patch

import numpy as np

import vecsmith
from vecsmith.codecs.quantizers import trellis, unit_length
from vecsmith.embeddings import normalize

SIZES = (96, 48, 24, 12)
SEEDS = (0, 1, 2)
VARIANTS = [(normalized, p) for normalized in (False, True) for p in (0.0, 0.25, 0.5, 0.75, 1.0)]


@contextmanager
def variant(normalized: bool, p: float) -> Iterator[None]:
    """Change what `Trellis` does within the block."""
    lengths = normalize if normalized else partial(np.asarray, dtype=np.float32)
    with patch.object(trellis, "UNSHRINKING_POWER", p), patch.object(unit_length, "normalize", lengths):
        yield


def retention(task: vecsmith.Task, encoder: str, codecs: list[str], seed: int) -> list[float]:
    """Return the retention of each codec."""
    split = "+".join(name for name in ("train", "test") if name in task.qrels) if "hotpot" in task.name else "test"
    # what is changed here is no part of the cache's key
    results = vecsmith.compare([task], [encoder], codecs, split=split, seed=seed, force=True)
    return [result.retention for result in results[1:]]


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", action="append", required=True)
    parser.add_argument("--encoder", action="append", required=True)
    arguments = parser.parse_args()
    codecs = [f"trellis{size}B" for size in SIZES]
    lines = [
        "# The trellis code: norm and shrinkage",
        "",
        "Made by `benchmarks/trellis_ablation.py`: nDCG@10 over that of float32, cross-fitted, float query, mean of "
        f"seeds {', '.join(map(str, SEEDS))}. vecsmith {version('vecsmith')}, NumPy {version('numpy')}, "
        f"FAISS {version('faiss-cpu')}.",
        "",
        "| task | encoder | decoded vector | p | " + " | ".join(f"{size} B" for size in SIZES) + " |",
        "|---|---|---|---:|" + "---:|" * len(SIZES),
    ]
    for spec in arguments.task:
        task = vecsmith.load_task(spec)
        for encoder in arguments.encoder:
            for normalized, p in VARIANTS:
                with variant(normalized, p):
                    shares = [retention(task, encoder, codecs, seed) for seed in SEEDS]
                cells = " | ".join(f"{fmean(column):.1%}" for column in zip(*shares, strict=True))
                name = "normalised" if normalized else "raw"
                lines.append(f"| {task.name} | {encoder} | {name} | {p} | {cells} |")
                print(lines[-1], flush=True)
    (Path(__file__).parent / "results" / "trellis.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
