"""What was tried for translators, and what it changes: on training queries, never those of the tests.

Between minilm and mpnet, both ways: the family of maps around `canonical`, local maps, a correction for hubs, the two
directions averaged, pseudo relevance feedback, and pairs of the corpus beside those of other text. Documents of a
corpus that pairs are drawn from are translated by a map that has not seen them (five folds).

    python benchmarks/translator_trials.py DATA > benchmarks/results/translator-trials.md
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from unittest.mock import patch

import numpy as np

import vecsmith
from vecsmith.embeddings import normalize
from vecsmith.evaluation import evaluate
from vecsmith.tasks import Task
from vecsmith.translators import canonical

SEED = 0
FOLDS, QUERIES, NEAREST, FEEDBACK = 5, 800, 10, 3
OTHER, OWN = "hotpotqa-2k", "its own"
SETTINGS = [
    (4000, OTHER, "scifact"),
    (19_000, OTHER, "scifact"),
    (4000, OWN, "scifact"),
    (4000, OWN, OTHER),
]
WAYS = [("minilm", "mpnet"), ("mpnet", "minilm")]
POWERS = [  # α, β, γ of `canonical`, which is the first
    (1 / 4, 1 / 2, 1 / 8),
    (1 / 8, 1 / 2, 1 / 8),
    (3 / 8, 1 / 2, 1 / 8),
    (1 / 4, 1 / 4, 1 / 8),
    (1 / 4, 1, 1 / 8),
    (1 / 4, 1 / 2, 0),
    (1 / 4, 1 / 2, 1 / 4),
    (3 / 8, 1, 1 / 8),
]

Fit = Callable[[np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]]

Line = tuple[str, float | None, float | None]
"""A trial, and what is kept with queries and with documents translated."""


class Side:
    """A task embedded by one model: unit vectors of the documents, and of training queries."""

    def __init__(self, task: Task, model: str) -> None:
        corpus, queries = vecsmith.embed_task(task, f"vectors:{model}")
        self.documents = corpus.unit[:]
        judged = [row for row, id_ in enumerate(queries.ids) if id_ in task.qrels["train"]]
        rows = np.sort(np.random.default_rng(SEED).permutation(judged)[:QUERIES])
        self.ids, self.queries = [queries.ids[row] for row in rows], queries.unit[rows]


@dataclass
class Setting:
    """A task in the spaces of the source and of the target, and the pairs that translators are fitted on."""

    task: Task
    source: Side
    target: Side
    pairs: int
    others: tuple[np.ndarray, np.ndarray] | None = None
    """Pairs of other text; without them the pairs are the task's own, cross-fitted."""

    @classmethod
    def load(cls, folder: Path, pairs: int, of: str, where: str, way: tuple[str, str]) -> "Setting":
        """Read what a setting needs."""
        task, other = (vecsmith.load_task(str(folder / name)) for name in (where, OTHER))
        rows = np.random.default_rng(SEED).permutation(len(other.corpus))[:pairs]
        X, Y = (vecsmith.embed_task(other, f"vectors:{model}")[0].unit[rows] for model in way)
        source, target = (Side(task, model) for model in way)
        return cls(task, source, target, pairs, (X, Y) if of == OTHER else None)

    def translate(self, fit: Fit, back: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Return translated queries and documents of the source; with `back`, of the target in the source's space."""
        a, b = (self.target, self.source) if back else (self.source, self.target)
        if self.others:
            translate = fit(*(self.others[::-1] if back else self.others))
            return translate(a.queries), translate(a.documents)
        folds = np.array_split(np.random.default_rng(SEED).permutation(len(a.documents)), FOLDS)
        documents, maps = np.empty_like(b.documents), []
        for number, rows in enumerate(folds):
            chosen = np.concatenate(folds[:number] + folds[number + 1 :])[: self.pairs]
            maps.append(fit(a.documents[chosen], b.documents[chosen]))
            documents[rows] = maps[-1](a.documents[rows])
        return maps[0](a.queries), documents

    def kept(self, scores: np.ndarray) -> float:
        """Return the nDCG@10 of scores (queries, documents) over that of the target model alone."""
        if not hasattr(self, "baseline"):
            self.baseline = self._ndcg(self.target.queries @ self.target.documents.T)
        return self._ndcg(scores) / self.baseline

    def _ndcg(self, scores: np.ndarray) -> float:
        rows = first(scores, 10)
        found = np.take_along_axis(scores, rows, axis=1)
        judgements = self.task.judgements("train")
        return float(evaluate(found, rows, self.target.ids, self.task.corpus.ids, judgements).ndcg_at_10.mean())


def first(scores: np.ndarray, k: int) -> np.ndarray:
    """Return the rows (m, k) of the k highest scores, the highest first."""
    rows = np.argpartition(-scores, k, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, rows, axis=1), axis=1, kind="stable")
    return np.take_along_axis(rows, order, axis=1)


def by_spec(spec: str) -> Fit:
    """Return what fits the translator of a spec."""
    return lambda X, Y: vecsmith.translator(spec, SEED).fit(X, Y).transform


def by_powers(alpha: float, beta: float, gamma: float) -> Fit:
    """Return what fits `canonical` with other powers."""

    def fit(X: np.ndarray, Y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        with patch.multiple(canonical, WHITENING=alpha, CORRELATION_POWER=beta, TARGET_WHITENING=gamma):
            return by_spec("canonical")(X, Y)

    return fit


def density(documents: np.ndarray, others: np.ndarray, aligned: bool) -> np.ndarray:
    """Return the mean cosine of each document with its nearest others; of aligned rows a text is no neighbor."""
    result = []
    for start in range(0, len(documents), 2048):
        cosines = documents[start : start + 2048] @ others.T
        if aligned:
            cosines[np.arange(len(cosines)), start + np.arange(len(cosines))] = -1
        result.append(np.partition(cosines, -NEAREST, axis=1)[:, -NEAREST:].mean(axis=1))
    return np.concatenate(result)


def feedback(Q: np.ndarray, D: np.ndarray, weight: float = 0.3) -> np.ndarray:
    """Return the scores of queries to which the mean of the first documents is added (Rocchio 1971)."""
    return np.asarray(normalize(Q + weight * D[first(Q @ D.T, FEEDBACK)].mean(axis=1)) @ D.T)


def trials(setting: Setting) -> Iterator[Line]:
    """Yield the name of a trial, and what is kept with queries and with documents translated."""
    own, corpus = setting.target.queries, setting.target.documents

    def both(Q: np.ndarray, D: np.ndarray) -> tuple[float, float]:
        return setting.kept(Q @ corpus.T), setting.kept(own @ D.T)

    for powers in POWERS:
        name = f"α, β, γ = {', '.join(f'{power:g}' for power in powers)}"
        yield name + " (`canonical`)" * (powers == POWERS[0]), *both(*setting.translate(by_powers(*powers)))
    for spec in ("procrustes", "linear", "local8"):
        yield f"`{spec}`", *both(*setting.translate(by_spec(spec)))

    # all else is added to canonical
    Q, D = setting.translate(by_spec("canonical"))
    pools = {"other documents": (corpus, D, True)}
    if setting.others:
        pools["the pairs' targets"] = (setting.others[1], setting.others[1], False)
    else:
        pools["the pairs' targets"] = (corpus, corpus, True)
    for name, (true, translated, aligned) in pools.items():
        densities = density(corpus, true, aligned), density(D, translated, aligned)
        kept = (setting.kept(Q @ corpus.T - densities[0] / 2), setting.kept(own @ D.T - densities[1] / 2))
        yield f"hubs corrected by {name}", *kept
    old = setting.translate(by_spec("canonical"), back=True)[0] @ setting.source.documents.T
    for weight in (0.5, 1):
        yield f"and {weight:g} × translated queries on the old index", None, setting.kept(own @ D.T + weight * old)
    yield "first 3 fed back, 0.3", setting.kept(feedback(Q, corpus)), setting.kept(feedback(own, D))
    alone = setting.kept(feedback(own, corpus))
    yield "the same without a translator", alone, alone


def mixtures(setting: Setting, other: Setting) -> Iterator[Line]:
    """Yield what 1,000 pairs of the corpus keep alone, and beside pairs of other text, weighted by repetition."""
    others = other.others or ()

    def fit(times: int, X: np.ndarray, Y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        pairs = (np.vstack([far, *[near] * times]) for far, near in zip(others, (X, Y), strict=True))
        return by_spec("canonical")(*pairs)

    ways = {"1,000 of the corpus": by_spec("canonical")}
    for times in (0, 1, 4, 16):
        near = f" and 1,000 of the corpus × {times}" * (times > 0)
        ways[f"{other.pairs:,} of other text{near}"] = partial(fit, times)
    for name, way in ways.items():
        Q, D = setting.translate(way)
        own, corpus = setting.target.queries, setting.target.documents
        yield name, setting.kept(Q @ corpus.T), setting.kept(own @ D.T)


def tried(folder: Path, pairs: int, of: str, where: str, way: tuple[str, str]) -> list[Line]:
    """Return what the trials keep in one setting."""
    return list(trials(Setting.load(folder, pairs, of, where, way)))


def mixed(folder: Path, way: tuple[str, str]) -> list[Line]:
    """Return what mixtures keep on SciFact."""
    own, other = ((1000, OWN), (19_000, OTHER))
    return list(mixtures(*(Setting.load(folder, *pairs, "scifact", way) for pairs in (own, other))))


def print_table(heading: str, lines: dict[str, list[Line]]) -> None:
    """Print a row per trial and a column per setting, queries / documents translated, and the means."""
    print(f"\n| {heading} | {' | '.join(lines)} | mean |\n|---|{'---:|' * (len(lines) + 1)}")
    for cells in zip(*lines.values(), strict=True):
        means = [fmean(values) if None not in values else None for values in list(zip(*cells, strict=True))[1:]]
        pairs = [*(cell[1:] for cell in cells), means]
        said = (" / ".join("–" if value is None else f"{100 * value:.1f}" for value in pair) for pair in pairs)
        print(f"| {cells[0][0]} | {' | '.join(said)} |")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of the test collections")
    folder = parser.parse_args().data
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        near = {" → ".join(way): pool.submit(mixed, folder, way) for way in WAYS}
        all_tried = {
            f"{pairs:,} of {of}: {where}, {' → '.join(way)}": pool.submit(tried, folder, pairs, of, where, way)
            for way in WAYS
            for pairs, of, where in SETTINGS
        }
        for name, future in all_tried.items():
            future.result()
            print(name, file=sys.stderr, flush=True)
    print("# Trials of translators\n")
    print(
        f"Made by `benchmarks/translator_trials.py`, seed {SEED}, vecsmith {version('vecsmith')}, NumPy "
        f"{np.__version__}: nDCG@10 over that of the target model's own index, in percent, queries translated / "
        f"documents translated, on {QUERIES} training queries of each task (no test query). No document is translated "
        "by what has seen it. Hubs are corrected as by Conneau et al. 2018 (CSLS, k = 10), with the density of a "
        "document among others of its space, or among the target vectors of the pairs. What is below `local8` is added "
        "to `canonical`."
    )
    print_table("trial", {name: future.result() for name, future in all_tried.items()})
    print("\nPairs of SciFact beside those of other text, for `canonical` on SciFact:")
    print_table("pairs", {name: future.result() for name, future in near.items()})


if __name__ == "__main__":
    main()
