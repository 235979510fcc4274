"""Which PCA keeps retrieval quality: centered or not, normalized after the cut or not.

    python benchmarks/pca.py --task DIR … --encoder vectors:NAME …   writes benchmarks/results/pca.md

Cross-fitted (each half of the documents is reduced by what the other half taught), float queries, nDCG@10 over that of
the whole vectors.
"""

import argparse
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import vecsmith
from vecsmith.embeddings import normalize
from vecsmith.evaluation import DEPTH, evaluate

Matrix = NDArray[np.float32]


def directions(X: Matrix, k: int) -> Matrix:
    """Return the k directions (d, k) of largest second moment."""
    return np.linalg.eigh(X.T.astype(np.float64) @ X)[1][:, ::-1][:, :k].astype(np.float32)


def centered(train: Matrix, X: Matrix, k: int) -> Matrix:
    """Reduce as textbooks do: x̂ = μ + WᵀW(x − μ), as it is."""
    mean = train.mean(axis=0)
    W = directions(train - mean, k)
    return np.asarray(mean + (X - mean) @ W @ W.T)


def centered_lost_mean(train: Matrix, X: Matrix, k: int) -> Matrix:
    """Reduce as is common: z = W(x − μ) normalized, the mean thrown away."""
    mean = train.mean(axis=0)
    W = directions(train - mean, k)
    return normalize((X - mean) @ W) @ W.T


def uncentered(train: Matrix, X: Matrix, k: int) -> Matrix:
    """Reduce without the mean taken off: x̂ = WᵀWx, as it is."""
    W = directions(train, k)
    return np.asarray(X @ W @ W.T)


def uncentered_normalized(train: Matrix, X: Matrix, k: int) -> Matrix:
    """Reduce as pcaK does: x̂ = WᵀWx, normalized."""
    return normalize(uncentered(train, X, k))


def truncated(train: Matrix, X: Matrix, k: int) -> Matrix:
    """Reduce as truncateK does."""
    return normalize(np.where(np.arange(X.shape[1]) < k, X, np.float32(0)))


METHODS: tuple[Callable[[Matrix, Matrix, int], Matrix], ...] = (
    centered,
    centered_lost_mean,
    uncentered,
    uncentered_normalized,
    truncated,
)


def ndcg(task: vecsmith.Task, split: str, queries: Matrix, query_ids: list[str], documents: Matrix) -> float:
    """Return the mean nDCG@10 of exact search."""
    codec = vecsmith.codec("float32").fit(documents)
    scores, rows = vecsmith.Index(codec, codec.encode(documents), ids=task.corpus.ids).search(queries, DEPTH)
    return float(evaluate(scores, rows, query_ids, task.corpus.ids, task.judgements(split)).ndcg_at_10.mean())


def measure(task: vecsmith.Task, split: str, encoder: str, fraction: int, seed: int) -> str:
    """Return a line of the table."""
    corpus, queries = vecsmith.embed_task(task, encoder)
    judged = [row for row, id_ in enumerate(queries.ids) if id_ in task.judgements(split)]
    Q, query_ids = normalize(queries.vectors[judged]), [queries.ids[row] for row in judged]
    X = normalize(corpus.vectors)
    halves = np.array_split(np.random.default_rng(seed).permutation(len(X)), 2)
    k = X.shape[1] // fraction
    baseline = ndcg(task, split, Q, query_ids, X)
    cells = []
    for method in METHODS:
        reduced = np.empty_like(X)
        for train, rows in (halves, halves[::-1]):
            reduced[rows] = method(X[train], X[rows], k)
        cells.append(f"{ndcg(task, split, Q, query_ids, reduced) / baseline:.1%}")
    return f"| {task.name} ({split}) | {encoder} | {X.shape[1]} → {k} | {baseline:.4f} | {' | '.join(cells)} |"


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", action="append", required=True)
    parser.add_argument("--encoder", action="append", required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    names = [method.__name__.replace("_", " ") for method in METHODS]
    lines = [
        "# PCA: centered or not, normalized or not",
        "",
        "Made by `benchmarks/pca.py`: nDCG@10 over that of the whole vectors, cross-fitted, float queries.",
        f"Seed {arguments.seed}, vecsmith {version('vecsmith')}, NumPy {version('numpy')}.",
        "",
        "| task | encoder | dimensions | float32 | " + " | ".join(names) + " |",
        "|---|---|---|" + "---:|" * (len(METHODS) + 1),
    ]
    for spec in arguments.task:
        task = vecsmith.load_task(spec)
        split = "+".join(name for name in ("train", "test") if name in task.qrels)
        for encoder in arguments.encoder:
            lines += [measure(task, split, encoder, fraction, arguments.seed) for fraction in (2, 4)]
            print(*lines[-2:], sep="\n", flush=True)
    (Path(__file__).parent / "results" / "pca.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
