"""Rankings of every query of a task, kept beside the results to look at: ``queries.jsonl.gz``."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vecsmith.evaluation.compressed_lines import read_lines, write_lines
from vecsmith.evaluation.judged_queries import TOP
from vecsmith.evaluation.measurement import Measurement
from vecsmith.evaluation.results import Result
from vecsmith.tasks import Task

MAX_QUERIES = 300
"""Maximum queries per task whose texts and first documents are kept. nDCG@10 is kept for all queries."""
TEXT_CHARACTERS = 500
"""Maximum characters of the text of a document or a query."""
Line = tuple[str, str, str, str, int]
"""Encoder, codec, scoring, protocol and seed of a result: its line among the results of a task."""


def line_of(result: Result) -> Line:
    """Return what tells a result from the others of its task."""
    return result.encoder, result.codec, result.scoring, result.fit_on, result.seed


@dataclass(frozen=True)
class Ranking:
    """The rankings of a task's queries by one line of results.

    Attributes
    ----------
    line : Line
        The line.
    ndcg_at_10 : list of float or None
        nDCG@10 of each query; None for a query that was not measured.
    documents : list of list of int
        Numbers of the first ten documents of each kept query, best first.
    scores : list of list of float
        Scores of these documents.
    """

    line: Line
    ndcg_at_10: list[float | None]
    documents: list[list[int]]
    scores: list[list[float]]


@dataclass(frozen=True)
class TaskQueries:
    """The judged queries of a task, with their rankings.

    The texts and first documents of at most `MAX_QUERIES` queries are kept: the ones whose nDCG@10 differs most
    between a line and the first line. They precede the other queries.

    Attributes
    ----------
    task, split : str
        Name of the task, and split of the judgements.
    ids : list of str
        Ids of all judged queries.
    texts : list of str
        Texts of the kept queries, of at most `TEXT_CHARACTERS` characters.
    judgements : list of list of (int, int)
        Numbers and gains of judged documents of each kept query: of those in a ranking, and of at most ten relevant
        ones in no ranking.
    relevant : list of int
        Number of relevant documents of each kept query.
    documents : list of (str, str)
        Id and text of each document.
    rankings : list of Ranking
        The rankings of each line, the first line of the results first.
    """

    task: str
    split: str
    ids: list[str]
    texts: list[str]
    judgements: list[list[tuple[int, int]]]
    relevant: list[int]
    documents: list[tuple[str, str]]
    rankings: list[Ranking]


def task_queries(task: Task, split: str, measurements: Sequence[Measurement]) -> TaskQueries:
    """Return the queries of a task with the rankings of its measurements.

    Parameters
    ----------
    task : Task
        The task.
    split : str
        The split of the judgements.
    measurements : sequence of Measurement
        All measurements of the task on this split.
    """
    qrels = task.judgements(split)
    ids = sorted(set(task.queries.ids) & set(qrels))
    first = measurements[0].ndcg_at_10
    spread = [max(abs(each.ndcg_at_10[place] - first[place]) for each in measurements) for place in range(len(ids))]
    order = sorted(range(len(ids)), key=lambda place: (-spread[place], ids[place]))
    kept = order[:MAX_QUERIES]
    rows = {id_: row for row, id_ in enumerate(task.corpus.ids)}
    query_texts = dict(task.queries.rows())
    numbers: dict[int, int] = {}
    judgements, relevant = [], []
    for place in kept:
        gains = qrels[ids[place]]
        ranked = dict.fromkeys(row for each in measurements for row in each.top_rows[place])
        missed = [rows[id_] for id_, gain in gains.items() if gain > 0 and id_ in rows and rows[id_] not in ranked]
        named = [*ranked, *missed[:TOP]]
        for row in named:
            numbers.setdefault(row, len(numbers))
        judged = ((numbers[row], gains.get(task.corpus.ids[row])) for row in named)
        judgements.append([(number, gain) for number, gain in judged if gain is not None])
        relevant.append(sum(gain > 0 for gain in gains.values()))
    return TaskQueries(
        task.name,
        split,
        [ids[place] for place in order],
        [shortened(query_texts[ids[place]]) for place in kept],
        judgements,
        relevant,
        [(task.corpus.ids[row], shortened(task.corpus.texts[row])) for row in numbers],
        [
            Ranking(
                line_of(each.result),
                [round(each.ndcg_at_10[place], 4) for place in order],
                [[numbers[row] for row in each.top_rows[place]] for place in kept],
                [each.top_scores[place] for place in kept],
            )
            for each in measurements
        ],
    )


def shortened(text: str) -> str:
    """Return a text cut to `TEXT_CHARACTERS`."""
    return text if len(text) <= TEXT_CHARACTERS else f"{text[: TEXT_CHARACTERS - 1]}…"


def write_queries(path: Path, tasks: Iterable[TaskQueries]) -> None:
    """Write the queries of several tasks as compressed JSON lines, atomically."""
    write_lines(path, map(asdict, tasks))


def read_queries(path: Path) -> list[TaskQueries]:
    """Read the file that `write_queries` wrote.

    Raises
    ------
    VecsmithError
        If the file cannot be read, or a line of it has another format.
    """
    return read_lines(path, "rankings of queries", _task_queries)


def _task_queries(content: dict[str, Any]) -> TaskQueries:
    rankings = [Ranking(**{**each, "line": tuple(each["line"])}) for each in content["rankings"]]
    return TaskQueries(**{**content, "rankings": rankings})
