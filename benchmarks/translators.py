"""How much translators keep of the target model's nDCG@10, by pairs and by where they are from.

Pairs of HotpotQA-2k, of which no text is in SciFact or Cranfield; and pairs of the very corpus that is searched, where
every document is translated by a translator that has not seen it (five folds).

    python benchmarks/translators.py DATA > benchmarks/results/translators.md
"""

import argparse
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np

import vecsmith
from vecsmith.evaluation.folds import folds
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.evaluation.translation import FOLDS, cross_translate, float_index
from vecsmith.tasks import Task

OTHER, OWN = "hotpotqa-2k", {"scifact": (1000, 4000), "cranfield": (500, 1000), "hotpotqa-2k": (4000,)}
METHODS = ("procrustes", "linear", "canonical")
STATIC = ("potion", "wordllama")
SEED = 0


class Side:
    """A task embedded by one model: unit vectors of documents and of judged queries."""

    def __init__(self, task: Task, name: str) -> None:
        corpus, queries = vecsmith.embed_task(task, f"vectors:{name}")
        self.documents = corpus.unit[:]
        rows = {split: [row for row, id_ in enumerate(queries.ids) if id_ in task.qrels[split]] for split in task.qrels}
        self.queries = {split: queries.unit[np.array(found)] for split, found in rows.items()}
        self.ids = [queries.ids[row] for row in rows["test"]]


def kept(task: Task, a: Side, b: Side, fitted: vecsmith.Translator, translated: np.ndarray) -> list[float]:
    """Return the retention with queries, documents, and both translated."""
    queries = fitted.transform(a.queries["test"])
    pairs = [(queries, b.documents), (b.queries["test"], translated), (queries, translated)]
    baseline = ndcg(task, b.ids, b.queries["test"], b.documents)
    return [ndcg(task, b.ids, Q, D) / baseline for Q, D in pairs]


def ndcg(task: Task, query_ids: list[str], Q: np.ndarray, D: np.ndarray) -> float:
    """Return the mean nDCG@10 of test queries (m, d) on all documents (n, d) of a task."""
    return JudgedQueries(task, "test", query_ids).search(float_index(D, task.corpus.ids), Q).mean_ndcg_at_10


def line(pairs: str, task: str, method: str, a: str, b: str, shares: list[float]) -> str:
    """Return a line of the table."""
    return f"| {pairs} | {task} | {a} → {b} | {method} | " + " | ".join(f"{share:.1%}" for share in shares) + " |"


def lines(tasks: dict[str, Task], sides: dict[tuple[str, str], Side]) -> Iterator[str]:
    """Yield the lines of the table."""
    rng = np.random.default_rng(SEED)
    order = rng.permutation(len(tasks[OTHER].corpus))
    for a, b in [("minilm", "mpnet"), ("mpnet", "minilm")]:
        for n in (1000, 4000, 19_000):
            X, Y = (sides[OTHER, name].documents[order[:n]] for name in (a, b))
            for method in METHODS:
                fitted = vecsmith.translator(method, SEED).fit(X, Y)
                for name in ("scifact", "cranfield"):
                    translated = fitted.transform(sides[name, a].documents)
                    shares = kept(tasks[name], sides[name, a], sides[name, b], fitted, translated)
                    yield line(f"{n:,} of {OTHER}", name, method, a, b, shares)
        for name, counts in OWN.items():
            X, Y = (sides[name, model].documents for model in (a, b))
            for n in counts:
                for method in METHODS:
                    translated, crossed = cross_translate(method, X, Y, SEED, folds(len(X), FOLDS, SEED, n))
                    shares = kept(tasks[name], sides[name, a], sides[name, b], crossed[0], translated)
                    yield line(f"{n:,} of its own", name, method, a, b, shares)
        yield from questions(tasks[OTHER], sides[OTHER, a], sides[OTHER, b], a, b)
    for static in STATIC:
        for a, b in [("minilm", static), (static, "minilm")]:
            X, Y = (sides[OTHER, name].documents[order[:19_000]] for name in (a, b))
            for method in METHODS:
                fitted = vecsmith.translator(method, SEED).fit(X, Y)
                for name in ("scifact", "cranfield"):
                    translated = fitted.transform(sides[name, a].documents)
                    shares = kept(tasks[name], sides[name, a], sides[name, b], fitted, translated)
                    yield line(f"19,000 of {OTHER}", name, method, a, b, shares)


def questions(task: Task, a: Side, b: Side, source: str, target: str) -> Iterator[str]:
    """Yield lines with a fifth of 4,000 pairs being training questions, cross-fitted over the documents."""
    chosen = np.random.default_rng(SEED).permutation(len(a.queries["train"]))[:800]
    for method in ("linear", "canonical"):
        translated, fitted = np.empty_like(b.documents), []
        for others, rows in folds(len(a.documents), FOLDS, SEED, 3200):
            X, Y = (np.vstack([side.documents[others], side.queries["train"][chosen]]) for side in (a, b))
            fitted.append(vecsmith.translator(method, SEED).fit(X, Y))
            translated[rows] = fitted[-1].transform(a.documents[rows])
        shares = kept(task, a, b, fitted[0], translated)
        yield line("3,200 of its own and 800 training questions", task.name, method, source, target, shares)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of the test collections")
    folder = parser.parse_args().data
    tasks = {name: vecsmith.load_task(str(folder / name)) for name in OWN}
    models = ("minilm", "mpnet", *STATIC)
    sides = {(name, model): Side(task, model) for name, task in tasks.items() for model in models}
    print("# What translators keep\n")
    print(
        f"Made by `benchmarks/translators.py`, seed {SEED}, vecsmith {version('vecsmith')}, NumPy {np.__version__}: "
        "nDCG@10 on the test queries over that of the target model's own index. No document is translated by what has "
        "seen it.\n"
    )
    print("| pairs fitted on | task | models | translator | queries | documents | both |")
    print("|---|---|---|---|---:|---:|---:|")
    for found in lines(tasks, sides):
        print(found, flush=True)


if __name__ == "__main__":
    main()
