"""How the weights of components and of models change what a fusion retrieves.

    python benchmarks/fusion_weights.py DATA > benchmarks/results/fusion-weights.md

DATA has hotpotqa-2k, scifact and cranfield in BEIR's layout, with ready vectors of minilm, mpnet, potion and wordllama.
A component of second moment λ, relative to the mean, is weighted by (λ + 0.05 + k d/n)⁻ᵖ inside every model's block;
the second model's cosine by w beside 1 for the first. Cross-fitted, seed 0, all train and test questions.
"""

import sys
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from vecsmith.embeddings import normalize
from vecsmith.encoders import embed_task
from vecsmith.evaluation import evaluate
from vecsmith.tasks import Task, load_task

SPLIT = "train+test"
TASKS = ("hotpotqa-2k", "scifact", "cranfield")
MODELS = ("minilm", "mpnet", "potion", "wordllama")
PAIRS = (
    ("minilm", "wordllama"),
    ("minilm", "potion"),
    ("mpnet", "wordllama"),
    ("mpnet", "potion"),
    ("minilm", "mpnet"),
)
SETTINGS = ((0.0, 0.0), (1 / 8, 0.0), (1 / 8, 5.0), (1 / 4, 5.0))
WEIGHTS = (0.3, 0.5, 1.0)
Floats = NDArray[np.float32]


def cosines(X: Floats, Q: Floats, p: float, k: float) -> Floats:
    """Return the cosines (n_queries, n) of queries and documents, weighted by what the other half of them says."""
    scores = np.empty((len(Q), len(X)), np.float32)
    order = np.random.default_rng(0).permutation(len(X))
    for rows, others in ((order[::2], order[1::2]), (order[1::2], order[::2])):
        moments, V = np.linalg.eigh(X[others].T.astype(np.float64) @ X[others])
        spectrum = np.maximum(moments, 0) / moments.mean()
        weights = V * (spectrum + 0.05 + k * X.shape[1] / len(others)) ** -p
        scores[:, rows] = normalize(Q @ weights) @ normalize(X[rows] @ weights).T
    return scores


def ndcg(task: Task, scores: Floats, asked: list[str]) -> float:
    """Return nDCG@10 of the scores (n_queries, n) of the queries `asked`."""
    top = np.argpartition(-scores, 10, axis=1)[:, :10]
    best = np.take_along_axis(scores, top, axis=1)
    judgements = task.judgements(task.present(SPLIT))
    return float(evaluate(best, top, asked, task.corpus.ids, judgements).ndcg_at_10.mean())


def main(data: str) -> None:
    """Print the table."""
    kept: dict[tuple[str, float, float, float], list[float]] = {}
    for name in TASKS:
        task = load_task(f"{data}/{name}")
        judgements = task.judgements(task.present(SPLIT))
        rows = np.array([row for row, id_ in enumerate(task.queries.ids) if id_ in judgements])
        asked = [task.queries.ids[row] for row in rows]

        sets = {model: embed_task(task, f"vectors:{model}") for model in MODELS}
        alone: dict[str, float] = {}
        for p, k in SETTINGS:
            found = {
                model: cosines(corpus.unit[:], queries.unit[rows], p, k) for model, (corpus, queries) in sets.items()
            }
            alone = alone or {model: ndcg(task, scores, asked) for model, scores in found.items()}
            for w in WEIGHTS:
                shares = [ndcg(task, found[a] + w * found[b], asked) / alone[a] for a, b in PAIRS]
                kept.setdefault(("mean of pairs", p, k, w), []).append(fmean(shares))
                kept.setdefault(("+".join(PAIRS[0]), p, k, w), []).append(shares[0])
    print("# Weights of components and of models\n")
    print(
        "nDCG@10 over that of the first model; `benchmarks/fusion_weights.py` made this, and says what p, k, w are.\n"
    )
    print(f"| models | p | k | w | {' | '.join(TASKS)} | mean |\n|---|---:|---:|---:|{'---:|' * (len(TASKS) + 1)}")
    for (pair, p, k, w), shares in sorted(kept.items(), key=lambda item: item[0][0]):
        exponent = f"1/{round(1 / p)}" if p else "0"
        print(f"| {pair} | {exponent} | {k:g} | {w:g} | {' | '.join(f'{x:.1%}' for x in [*shares, fmean(shares)])} |")


if __name__ == "__main__":
    main(sys.argv[1])
