"""Data of the report page: lines of results with their intervals, and the rankings of queries."""

import base64
import gzip
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from vecsmith.array_types import Doubles
from vecsmith.evaluation.query_rankings import Line, Ranking, TaskQueries, line_of
from vecsmith.evaluation.results import Result, to_json
from vecsmith.evaluation.significance import confidence_half_width
from vecsmith.report.document_map import TITLE_CHARACTERS, smaller
from vecsmith.report.runs import Run

RANKING_BYTES, MAP_BYTES = 1_900_000, 600_000
"""Maximum bytes of all rankings and of all maps in a page, so that a page has less than 3 MB."""
TITLE_LENGTHS = (TITLE_CHARACTERS, 40, 20)
"""Characters of the titles of documents on a map, from the usual length to the shortest one."""
SIZE = re.compile(r"(?<=[A-Za-z])\d+(B|x\w+)?(?!\w)")
"""Size in a spec, such as 48B in trellis48B and 64x4 in faiss:PQ64x4."""
CIRCUMSTANCES = ("versions", "machine")
"""Fields of results that most lines share, which the page has once."""


def family(result: Result) -> str:
    """Return the codec with N in place of its sizes, such as ``pcaN,intN`` for ``pca192,int8``; or ``BM25``."""
    if kind(result).startswith("lexical"):
        return "BM25"
    return result.codec if result.codec == "float32" else SIZE.sub(r"N\1", result.codec)


def kind(result: Result) -> str:
    """Return ``baseline`` for float32, ``lexical`` for BM25, ``codec``, or ``stages`` for a fusion or a reranker."""
    if result.second_stage:
        return "lexical stages" if result.scoring.startswith("lexical") else "stages"
    return {"exact": "baseline", "lexical": "lexical"}.get(result.scoring, "codec")


def page_data(runs: Sequence[Run], title: str) -> dict[str, Any]:
    """Return the results of several runs as the page's scripts read them, without rankings.

    Parameters
    ----------
    runs : sequence of Run
        The runs.
    title : str
        Title of the page.
    """
    circumstances: list[dict[str, Any]] = []
    lines = []
    for number, run in enumerate(runs):
        values = {(queries.task, queries.split): _ndcg(queries) for queries in run.queries}
        for result in run.results:
            about = {name: getattr(result, name) for name in CIRCUMSTANCES}
            if about not in circumstances:
                circumstances.append(about)
            fields = {name: value for name, value in asdict(result).items() if name not in CIRCUMSTANCES}
            lines.append(
                fields
                | {"run": number, "circumstances": circumstances.index(about)}
                | {"family": family(result), "kind": kind(result), "stage": result.scoring.partition("+")[2]}
                | _intervals(result, values.get((result.task, result.split), {}))
            )
        if run.circumstances and run.circumstances not in circumstances:
            circumstances.append(dict(run.circumstances))
    about_runs = [{"name": run.name, "command": run.command, "notes": list(run.notes)} for run in runs]
    return {"title": title, "runs": about_runs, "circumstances": circumstances, "lines": lines}


def _ndcg(queries: TaskQueries) -> dict[Line, Doubles]:
    return {each.line: np.array(each.ndcg_at_10, dtype=np.float64) for each in queries.rankings}


def _intervals(result: Result, values: Mapping[Line, Doubles]) -> dict[str, float]:
    """Return half of the 95 % confidence intervals over queries, where the values of the queries are known.

    Returns
    -------
    dict
        ``ndcg_error`` of the mean nDCG@10; ``difference_error`` of its paired difference to the baseline, which is far
        narrower, because most of the variance is between queries; and ``retention_error``, the latter relative to the
        baseline.
    """
    own = values.get(line_of(result))
    if own is None:
        return {}
    intervals = {"ndcg_error": confidence_half_width(own)}
    for (encoder, _, scoring, _, seed), baseline in values.items():
        is_baseline = scoring == "exact" and encoder == result.baseline and seed == result.seed
        if is_baseline and result.scoring != "exact":
            intervals["difference_error"] = confidence_half_width(own - baseline)
            if baseline.mean() > 0:
                intervals["retention_error"] = intervals["difference_error"] / baseline.mean()
    return intervals


def ranking_data(runs: Sequence[Run]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the rankings of the queries of each task, in the order of the tasks.

    Runs of the same queries are merged. The texts of some queries are left out if the page would be too large.

    Parameters
    ----------
    runs : sequence of Run
        The runs.

    Yields
    ------
    about : dict
        Name and split of the task, numbers of its queries and of those with texts.
    content : str
        Its queries, documents and rankings, as compressed JSON in base64.
    """
    numbers: dict[tuple[Any, ...], int] = {}
    for number, run in enumerate(runs):
        for result in run.results:
            numbers[number, result.task, result.split, line_of(result)] = len(numbers)
    groups: dict[tuple[Any, ...], list[tuple[int, TaskQueries]]] = {}
    for number, run in enumerate(runs):
        for queries in run.queries:
            groups.setdefault((queries.task, queries.split, frozenset(queries.ids)), []).append((number, queries))
    for group in groups.values():
        merged = merge([queries for _, queries in group])
        lines = [numbers.get((run, each.task, each.split, one.line)) for run, each in group for one in each.rankings]
        kept, content = len(merged.texts), _packed(merged, lines)
        while len(content) > RANKING_BYTES // len(groups) and kept > 1:
            kept = max(1, min(kept - 1, int(kept * RANKING_BYTES / len(groups) / len(content))))
            content = _packed(first_queries(merged, kept), lines)
        about = {"task": merged.task, "split": merged.split, "queries": len(merged.ids), "with_texts": kept}
        yield about, content


def _packed(queries: TaskQueries, lines: Sequence[int | None]) -> str:
    rankings = [
        {"line": line, "ndcg": each.ndcg_at_10, "documents": each.documents, "scores": each.scores}
        for line, each in zip(lines, queries.rankings, strict=True)
        if line is not None
    ]
    content = {name: value for name, value in asdict(queries).items() if name not in ("task", "split", "rankings")}
    return compressed({**content, "rankings": rankings})


def compressed(content: dict[str, Any]) -> str:
    """Return JSON that gzip compresses, in base64, which the scripts of the page read."""
    return base64.b64encode(gzip.compress(to_json(content).encode(), mtime=0)).decode()


def map_data(runs: Sequence[Run], ranking_bytes: int) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the first map of each task, as `ranking_data` yields rankings.

    Titles are shortened, and then documents left out, if the page would be too large.

    Parameters
    ----------
    runs : sequence of Run
        The runs.
    ranking_bytes : int
        Bytes of the rankings in the page. Maps may use the rest of the bytes for rankings.
    """
    maps = {(each.task, each.split): each for run in reversed(runs) for each in reversed(run.maps)}
    for map_ in reversed(maps.values()):
        limit = (RANKING_BYTES + MAP_BYTES - ranking_bytes) // len(maps)
        content = ""
        for title_characters in TITLE_LENGTHS:
            content = compressed(asdict(smaller(map_, title_characters)))
            if len(content) <= limit:
                break
        every = 1
        while len(content) > limit and len(map_.ids) > 2 * every:
            every = max(every + 1, every * len(content) // limit)
            content = compressed(asdict(smaller(map_, TITLE_LENGTHS[-1], every)))
        yield {"task": map_.task, "split": map_.split}, content


def first_queries(queries: TaskQueries, count: int) -> TaskQueries:
    """Return the queries with the texts and first documents of the first `count` of them only."""
    rankings = [
        Ranking(each.line, each.ndcg_at_10, each.documents[:count], each.scores[:count]) for each in queries.rankings
    ]
    used = {number for each in rankings for documents in each.documents for number in documents}
    used |= {number for judged in queries.judgements[:count] for number, _ in judged}
    numbers = {number: place for place, number in enumerate(sorted(used))}
    return TaskQueries(
        queries.task,
        queries.split,
        queries.ids,
        queries.texts[:count],
        [[(numbers[number], gain) for number, gain in judged] for judged in queries.judgements[:count]],
        queries.relevant[:count],
        [queries.documents[number] for number in sorted(used)],
        [
            Ranking(each.line, each.ndcg_at_10, [[numbers[i] for i in top] for top in each.documents], each.scores)
            for each in rankings
        ],
    )


def merge(runs: Sequence[TaskQueries]) -> TaskQueries:
    """Return the queries of several runs on the same queries of a task as one.

    Queries whose texts all runs have come first, in the order of the first run. The others keep only nDCG@10.
    """
    if len(runs) == 1:
        return runs[0]
    first = runs[0]
    shared = [id_ for id_ in first.ids[: len(first.texts)] if all(id_ in each.ids[: len(each.texts)] for each in runs)]
    ids = [*shared, *(id_ for id_ in first.ids if id_ not in set(shared))]
    documents: dict[str, tuple[int, str]] = {}
    rankings = []
    judgements: list[dict[int, int]] = [{} for _ in shared]
    for each in runs:
        numbers = [documents.setdefault(id_, (len(documents), text))[0] for id_, text in each.documents]
        place = {id_: row for row, id_ in enumerate(each.ids)}
        for row, id_ in enumerate(shared):
            judgements[row] |= {numbers[number]: gain for number, gain in each.judgements[place[id_]]}
        rankings += [
            Ranking(
                one.line,
                [one.ndcg_at_10[place[id_]] for id_ in ids],
                [[numbers[number] for number in one.documents[place[id_]]] for id_ in shared],
                [one.scores[place[id_]] for id_ in shared],
            )
            for one in each.rankings
        ]
    rows = {id_: row for row, id_ in enumerate(first.ids)}
    return TaskQueries(
        first.task,
        first.split,
        ids,
        [first.texts[rows[id_]] for id_ in shared],
        [list(judged.items()) for judged in judgements],
        [first.relevant[rows[id_]] for id_ in shared],
        [(id_, text) for id_, (_, text) in documents.items()],
        rankings,
    )
