"""Test collections, nDCG@10 and tables for the experiments on quality."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

import vecsmith
from vecsmith.evaluation import evaluate
from vecsmith.evaluation.results import Result
from vecsmith.report.findings import Findings, Table
from vecsmith.tasks import Task

Floats = NDArray[np.float32]
COLLECTIONS = ("hotpotqa-2k", "scifact", "cranfield")
MODELS = ("minilm", "mpnet", "potion", "wordllama")
ALL, TEST = "train+test", "test"
"""Judgements that count: all of them where an experiment chooses nothing on queries."""
RESULTS_PER_QUERY = 100


class Side:
    """Unit vectors of a task's documents and judged queries, from one model.

    Parameters
    ----------
    task : Task
        The task, whose folder has ready vectors.
    model : str
        Name of the ready vectors.
    split : str
        Judgements to use, of those that the task has.
    max_queries : int, optional
        Number of queries to sample with seed 0.
    """

    def __init__(self, task: Task, model: str, split: str = ALL, max_queries: int | None = None) -> None:
        corpus, queries = vecsmith.embed_task(task, f"vectors:{model}")
        self.task, self.split = task, task.present(split)
        rows = np.array([row for row, id_ in enumerate(queries.ids) if id_ in task.judgements(self.split)])
        if max_queries:
            rows = np.sort(np.random.default_rng(0).permutation(rows)[:max_queries])
        self.documents, self.queries = corpus.unit[:], queries.unit[rows]
        self.ids = [queries.ids[row] for row in rows]

    def ndcg(self, scores: Floats) -> float:
        """Return the mean nDCG@10 of scores (queries, documents)."""
        rows = best(scores, RESULTS_PER_QUERY)
        found, judgements = np.take_along_axis(scores, rows, axis=1), self.task.judgements(self.split)
        return float(evaluate(found, rows, self.ids, self.task.corpus.ids, judgements).ndcg_at_10.mean())

    @cached_property
    def baseline(self) -> float:
        """The nDCG@10 of the vectors themselves."""
        return self.ndcg(self.queries @ self.documents.T)

    def retention(self, Q: Floats, D: Floats) -> float:
        """Return the nDCG@10 of queries Q and documents D over that of the vectors themselves."""
        return self.ndcg(Q @ D.T) / self.baseline

    def cross_fitted(self, reduce: Callable[[Floats, Floats], Floats], seed: int) -> float:
        """Return the retention where each half of the documents is decoded by a reducer fitted on the other half."""
        halves = np.array_split(np.random.default_rng(seed).permutation(len(self.documents)), 2)
        decoded = np.empty_like(self.documents)
        for train, rows in (halves, halves[::-1]):
            decoded[rows] = reduce(self.documents[train], self.documents[rows])
        return self.retention(self.queries, decoded)


def best(scores: Floats, k: int) -> NDArray[np.int64]:
    """Return the columns (m, k) of the k highest scores, in any order."""
    k = min(k, scores.shape[1] - 1)
    return np.argpartition(-scores, k, axis=1)[:, :k]


@dataclass(frozen=True)
class Data:
    """The test collections, and the settings of a run.

    Attributes
    ----------
    folder : Path
        BEIR folders with ready vectors.
    names : sequence of str
        Collections to use; an experiment skips its other collections.
    seeds : sequence of int
        Seeds; most experiments use the first one.
    """

    folder: Path
    names: Sequence[str] = COLLECTIONS
    seeds: Sequence[int] = (0,)

    @property
    def seed(self) -> int:
        """The first seed."""
        return self.seeds[0]

    def paths(self, *names: str) -> list[str]:
        """Return the folders of the named collections, all by default."""
        return [str(self.folder / name) for name in names or COLLECTIONS if name in self.names]

    def tasks(self, *names: str) -> list[Task]:
        """Return the named tasks, all by default."""
        return [load(path) for path in self.paths(*names)]

    def sides(self, models: Sequence[str] = MODELS, *names: str) -> Iterator[tuple[Task, str, Side]]:
        """Yield every task and model with their vectors, for all judgements."""
        for task in self.tasks(*names):
            yield from ((task, model, Side(task, model)) for model in models)


load = cache(vecsmith.load_task)


def standard_split(task: Task) -> str:
    """Return all questions of HotpotQA-2k, of which codecs see none, and the test queries of other tasks."""
    return ALL if task.name == "hotpotqa-2k" else TEST


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], name: str = "table") -> Table:
    """Return a table, in which numbers are shares that are printed in percent."""
    text = [[f"{cell:.1%}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    return Table(name, title, list(columns), text)


def by_task(title: str, results: Sequence[Result]) -> Findings:
    """Return the retention per codec and scoring, in a column per task, with p-values below 0.05."""
    tasks = list(dict.fromkeys(result.task for result in results))
    lines: dict[tuple[str, str, int], dict[str, list[Result]]] = {}
    for result in results:
        key = (result.codec, result.scoring, result.bytes_per_vector)
        lines.setdefault(key, {}).setdefault(result.task, []).append(result)
    rows: list[list[Any]] = []
    for key, found in lines.items():
        shares = {task: fmean(result.retention for result in group) for task, group in found.items()}
        cells = []
        for task, share in shares.items():
            p_value = found[task][0].p_value
            significant = len(found[task]) == 1 and p_value < 0.05
            cells.append(f"{share:.1%} (p {p_value:.3f})" if significant else f"{share:.1%}")
        rows.append([*key, *cells, fmean(shares.values())])
    return Findings([table(title, ["codec", "scoring", "bytes", *tasks, "mean"], rows)], list(results))
