"""What translated vectors keep when the scores of the built-in static model are added to theirs.

The static model (WordLlama's table, in `vectors/wordllama`) embeds texts in microseconds, so that it can
be had beside any other. Pairs as in `benchmarks/translators.py`.

    python benchmarks/translators_beside.py DATA > benchmarks/results/translators-beside.md
"""

import argparse
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from translators import OTHER, OWN, Side

import vecsmith
from vecsmith.advise.migration_simulation import SHORTLIST
from vecsmith.evaluation.folds import folds
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.evaluation.translation import FOLDS, cross_translate
from vecsmith.tasks import Task

SEEDS = (0, 1, 2)
Case = tuple[str, str, str]
"""Pairs, task and models."""
METHOD, STATIC = "canonical", "wordllama"


def kept(task: Task, here: list[Side], backwards: Any, translated: Any) -> list[float]:
    """Return the retention of the static model, and of queries, documents and 200 of these, alone and beside it."""
    a, b, c = here
    Q, C, also = b.queries["test"], c.documents, c.queries["test"]
    queries, judged = backwards.transform(Q), JudgedQueries(task, "test", b.ids)

    def ndcg(Q: Any, D: Any, rescoring: Any = None) -> float:
        return judged.search_exactly(Q, D, rescoring, SHORTLIST).mean_ndcg_at_10

    pairs = [(queries, a.documents), (Q, translated)]
    figures = [ndcg(also, C)]
    for q, d in pairs:
        figures += [ndcg(q, d), ndcg(np.hstack([q, also]), np.hstack([d, C]))]
    whole = np.hstack([Q, also]), np.hstack([translated, C])
    figures += [ndcg(*pairs[1], (Q, b.documents)), ndcg(*whole, (Q, b.documents))]
    figures += [ndcg(whole[0], np.hstack([b.documents, C]))]
    return [figure / ndcg(Q, b.documents) for figure in figures]


def cases(tasks: dict[str, Task], sides: dict[tuple[str, str], Side], seed: int) -> Iterator[tuple[Case, list[float]]]:
    """Yield cases and their figures."""
    order = np.random.default_rng(seed).permutation(len(tasks[OTHER].corpus))
    for a, b in [("minilm", "mpnet"), ("mpnet", "minilm")]:
        for n in (1000, 4000, 19_000):
            X, Y = (sides[OTHER, name].documents[order[:n]] for name in (a, b))
            forth, back = (vecsmith.translator(METHOD, seed).fit(*pair) for pair in ((X, Y), (Y, X)))
            for name in ("scifact", "cranfield"):
                here = [sides[name, model] for model in (a, b, STATIC)]
                figures = kept(tasks[name], here, back, forth.transform(here[0].documents))
                yield (f"{n:,} of {OTHER}", name, f"{a} → {b}"), figures
        for name, counts in OWN.items():
            here = [sides[name, model] for model in (a, b, STATIC)]
            X, Y = here[0].documents, here[1].documents
            for n in counts:
                five = folds(len(X), FOLDS, seed, n)
                translated = cross_translate(METHOD, X, Y, seed, five)[0]
                back = cross_translate(METHOD, Y, X, seed, five)[1][0]
                yield (f"{n:,} of its own", name, f"{a} → {b}"), kept(tasks[name], here, back, translated)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the test collections")
    folder = parser.parse_args().data
    tasks = {name: vecsmith.load_task(str(folder / name)) for name in OWN}
    sides = {(name, model): Side(task, model) for name, task in tasks.items() for model in ("minilm", "mpnet", STATIC)}
    lines: dict[Case, list[list[float]]] = {}
    for seed in SEEDS:
        for line, figures in cases(tasks, sides, seed):
            lines.setdefault(line, []).append(figures)
    print("# Translated vectors, with the scores of the static model added\n")
    print(
        f"Made by `benchmarks/translators_beside.py`, `{METHOD}`, means of seeds {SEEDS[0]} to {SEEDS[-1]}, "
        f"vecsmith {version('vecsmith')}, NumPy {np.__version__}: nDCG@10 on the test queries over that of the target "
        f"model's own index. “+ static”: the cosine of {STATIC}'s vectors is added, weighted alike. “Top {SHORTLIST}”: "
        "the first found among translated documents, ordered by the target model's own vectors. “Both models”: the "
        "target's own documents, with the static model's scores. No document is translated by what has seen it.\n"
    )
    names = ["static alone", "queries", "+ static", "documents", "+ static", f"top {SHORTLIST}", "+ static"]
    print("| pairs fitted on | task | models | " + " | ".join([*names, "both models"]) + " |")
    print("|---|---|---" + "|---:" * (len(names) + 1) + "|")
    for line, found in lines.items():
        print("| " + " | ".join([*line, *(f"{share:.1%}" for share in np.mean(found, axis=0))]) + " |")


if __name__ == "__main__":
    main()
