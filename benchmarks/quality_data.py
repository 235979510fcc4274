"""Test collections, nDCG@10 and tables for the experiments on quality."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import vecsmith
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.report.findings import Findings, Table
from vecsmith.tasks import Task

Floats = NDArray[np.float32]
COLLECTIONS = ("hotpotqa-2k", "scifact", "cranfield")
MODELS = ("minilm", "mpnet", "potion", "wordllama")
ALL, TEST = "train+test", "test"
"""Splits: all judgements where an experiment chooses nothing on queries."""
load = cache(vecsmith.load_task)


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
    names: Sequence[str]
    seeds: Sequence[int]

    @property
    def seed(self) -> int:
        """The first seed."""
        return self.seeds[0]

    def tasks(self, *names: str) -> list[Task]:
        """Return the named tasks, all collections by default; a built-in task is always used."""
        chosen = [name for name in names or COLLECTIONS if name in self.names or name not in COLLECTIONS]
        return [load(str(self.folder / name) if name in COLLECTIONS else name) for name in chosen]


class Side:
    """Unit vectors of a task's documents and judged queries, from one model."""

    def __init__(self, task: Task, model: str, split: str = ALL) -> None:
        corpus, queries = vecsmith.embed_task(task, f"vectors:{model}")
        self.task, self.judged = task, JudgedQueries(task, task.present(split), queries.ids)
        self.documents, self.queries = corpus.unit[:], queries.unit[self.judged.rows]

    def ndcg(self, scores: Floats) -> float:
        """Return the mean nDCG@10 of scores (queries, documents)."""
        return self.judged.rank(scores).mean_ndcg_at_10

    @cached_property
    def baseline(self) -> float:
        """The nDCG@10 of the vectors themselves."""
        return self.ndcg(self.queries @ self.documents.T)

    def retention(self, scores: Floats) -> float:
        """Return the nDCG@10 of scores (queries, documents) over that of the vectors themselves."""
        return self.ndcg(scores) / self.baseline

    def cross_fitted(self, reduce: Callable[[Floats, Floats], Floats], seed: int) -> float:
        """Return the retention where each half of the documents is decoded by a reducer fitted on the other half."""
        halves = np.array_split(np.random.default_rng(seed).permutation(len(self.documents)), 2)
        decoded = np.empty_like(self.documents)
        for train, rows in (halves, halves[::-1]):
            decoded[rows] = reduce(self.documents[train], self.documents[rows])
        return self.retention(self.queries @ decoded.T)


def best(scores: Floats, k: int) -> NDArray[np.int64]:
    """Return the columns (m, k) of the k highest scores, in any order."""
    k = min(k, scores.shape[1] - 1)
    return np.argpartition(-scores, k, axis=1)[:, :k]


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Findings:
    """Return findings of one table, in which floats are shares that are printed in percent."""
    text = [[f"{cell:.1%}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    return Findings([Table("table", title, list(columns), text)])
