"""What any translator could keep, about: maps fitted on the very documents and test queries that they translate.

No user has those pairs. `linear` is the oracle of its kind: `canonical`, fitted on all pairs and applied to them.
`kernel` bends: ridge regression with a Gaussian kernel, where every text is translated by a map fitted on all others
(leave-one-out, in closed form). `both` is `canonical` on the source's vectors beside the kernel's predictions.

    python benchmarks/translation_ceiling.py DATA > benchmarks/results/translation-ceiling.md
"""

import argparse
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
from scipy.linalg import lapack
from translators import OWN, SEED, STATIC, Side, ndcg

import vecsmith
from vecsmith.embeddings import normalize
from vecsmith.tasks import Task

PARTNERS = {"minilm": ("mpnet", *STATIC), "mpnet": ("minilm",), **dict.fromkeys(STATIC, ("minilm",))}
SHARPNESS, RIDGES = (1, 2, 4, 8), (0.001, 0.003, 0.01, 0.03, 0.1)
SAMPLE = 3000
"""Texts on which the kernel's sharpness and ridge are chosen, by the leave-one-out error."""


def leave_one_out(X: np.ndarray, Y: np.ndarray, sharpness: float, ridge: float) -> np.ndarray:
    """Return predictions (n, b) of each row of Y from all other rows (Rasmussen and Williams 2006, eq. 5.12)."""
    K = np.exp(np.float32(sharpness) * (X @ X.T - 1))
    K[np.diag_indices(len(K))] += ridge
    # the transposes are in the column order of LAPACK, which then copies nothing
    L, _ = lapack.spotrf(K.T, lower=1, clean=1, overwrite_a=1)
    inverse, _ = lapack.strtri(L, lower=1, overwrite_c=1)
    mean = Y.mean(axis=0)
    weights = inverse.T @ (inverse @ (Y - mean))
    return np.asarray(Y - weights / np.einsum("ij,ij->j", inverse, inverse)[:, None])


def kernel(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Return the leave-one-out predictions with the sharpness and ridge of the smallest error on a sample."""
    some = np.random.default_rng(SEED).permutation(len(X))[:SAMPLE]

    def error(settings: tuple[float, float]) -> float:
        return float(np.square(leave_one_out(X[some], Y[some], *settings) - Y[some]).mean())

    return leave_one_out(X, Y, *min(((s, r) for s in SHARPNESS for r in RIDGES), key=error))


def fitted(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Return X as translated by `canonical` fitted on it."""
    return vecsmith.translator("canonical", SEED).fit(X, Y).transform(X)


def fetched(Q: np.ndarray, D: np.ndarray) -> np.ndarray:
    """Return the rows of the ten nearest documents of each query."""
    return np.argpartition(-(Q @ D.T), 10, axis=1)[:, :10]


def lines(task: Task, sides: dict[str, Side]) -> Iterator[str]:
    """Yield the lines of a task."""
    texts = {name: np.vstack([side.documents, side.queries["test"]]) for name, side in sides.items()}
    for a, partners in PARTNERS.items():
        predicted = kernel(texts[a], np.hstack([texts[b] for b in partners]))
        ends = np.cumsum([texts[b].shape[1] for b in partners])[:-1]
        for b, each in zip(partners, np.split(predicted, ends, axis=1), strict=True):
            bent = normalize(each)
            oracles = {
                "linear": fitted(texts[a], texts[b]),
                "kernel": bent,
                "both": fitted(np.hstack([texts[a], bent]), texts[b]),
            }
            for name, translated in oracles.items():
                shares = " | ".join(f"{share:.1%}" for share in kept(task, sides[b], translated))
                yield f"| {task.name} | {a} → {b} | {name} | {shares} |"


def kept(task: Task, target: Side, translated: np.ndarray) -> list[float]:
    """Return the retention with queries and documents translated, and shares of the target's ten nearest documents."""
    D, Q = np.split(translated, [len(target.documents)])
    own, documents = target.queries["test"], target.documents
    ways = [(Q, documents), (own, D)]
    baseline = ndcg(task, target.ids, own, documents)
    wanted = fetched(own, documents)
    pairs = [zip(fetched(*way), wanted, strict=True) for way in ways]
    overlaps = [float(np.mean([len(set(found) & set(true)) / 10 for found, true in each])) for each in pairs]
    return [*(ndcg(task, target.ids, *way) / baseline for way in ways), *overlaps]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of the test collections")
    folder = parser.parse_args().data
    print("# What any translator could keep, about\n")
    print(
        f"Made by `benchmarks/translation_ceiling.py`, seed {SEED}, vecsmith {version('vecsmith')}, NumPy "
        f"{np.__version__}, SciPy {version('scipy')}: nDCG@10 on the test queries over that of the target model's own "
        "index, and the share of the target's ten nearest documents that are fetched, of maps fitted on the corpus "
        "*and the test queries* themselves. `linear` was fitted on the texts that it translates, `kernel` on all "
        "others of them, `both` is a linear map over the two. An estimate and no bound: a table of all texts keeps "
        "100 %.\n"
    )
    print("| task | models | oracle | queries | documents | neighbors, queries | neighbors, documents |")
    print("|---|---|---|---:|---:|---:|---:|")
    for name in sorted(OWN, key=["cranfield", "scifact", "hotpotqa-2k"].index):
        task = vecsmith.load_task(str(folder / name))
        for found in lines(task, {model: Side(task, model) for model in PARTNERS}):
            print(found, flush=True)


if __name__ == "__main__":
    main()
