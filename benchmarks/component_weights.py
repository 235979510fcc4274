"""How much the leading principal components should weigh: powers p of the weights λ⁻ᵖ.

    python benchmarks/component_weights.py --task DIR … --encoder vectors:NAME …

writes benchmarks/results/component-weights.md: cross-fitted, float queries, nDCG@10 over that of the whole vectors.
"""

import argparse
from pathlib import Path

import numpy as np
from pca import Matrix, ndcg

import vecsmith
from vecsmith.embeddings import normalize
from vecsmith.training import principal_directions

POWERS = (0, 1 / 16, 1 / 8, 1 / 6, 1 / 5, 1 / 4)
FRACTIONS = (1, 2, 4)


def reduced(train: Matrix, X: Matrix, k: int, power: float) -> Matrix:
    """Return what k weighted components of X stand for."""
    V, weights = principal_directions(train, power)
    W = V[:, :k] * weights[:k]
    return normalize(X @ W) @ W.T


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", action="append", required=True)
    parser.add_argument("--encoder", action="append", required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    lines = [
        "# Weights of principal components",
        "",
        f"Made by `benchmarks/component_weights.py`, seed {arguments.seed}: nDCG@10 over that of the whole vectors,",
        "cross-fitted, float queries, by the power p of the weights λ⁻ᵖ.",
        "",
        "| task | encoder | dimensions | " + " | ".join(f"{power:.3f}" for power in POWERS) + " |",
        "|---|---|---|" + "---:|" * len(POWERS),
    ]
    kept: dict[int, list[list[float]]] = {fraction: [] for fraction in FRACTIONS}
    for spec in arguments.task:
        task = vecsmith.load_task(spec)
        split = "+".join(name for name in ("train", "test") if name in task.qrels)
        for encoder in arguments.encoder:
            corpus, queries = vecsmith.embed_task(task, encoder)
            judged = [row for row, id_ in enumerate(queries.ids) if id_ in task.judgements(split)]
            Q, ids = normalize(queries.vectors[judged]), [queries.ids[row] for row in judged]
            X = normalize(corpus.vectors)
            halves = np.array_split(np.random.default_rng(arguments.seed).permutation(len(X)), 2)
            baseline = ndcg(task, split, Q, ids, X)
            for fraction in FRACTIONS:
                row = []
                for power in POWERS:
                    decoded = np.empty_like(X)
                    for train, rows in (halves, halves[::-1]):
                        decoded[rows] = reduced(X[train], X[rows], X.shape[1] // fraction, power)
                    row.append(ndcg(task, split, Q, ids, decoded) / baseline)
                kept[fraction].append(row)
                cells = " | ".join(f"{value:.1%}" for value in row)
                lines.append(
                    f"| {task.name} ({split}) | {encoder} | {X.shape[1]} → {X.shape[1] // fraction} | {cells} |"
                )
                print(lines[-1], flush=True)
    for fraction, shares in kept.items():
        cells = " | ".join(f"{value:.1%}" for value in np.mean(shares, axis=0))
        lines.append(f"| mean | | 1/{fraction} | {cells} |")
    out = Path(__file__).parent / "results" / "component-weights.md"
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
