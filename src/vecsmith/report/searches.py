"""Examples of searches: the first documents of a query by several codecs, side by side."""

from itertools import zip_longest
from statistics import fmean

from vecsmith.evaluation.query_rankings import Ranking, TaskQueries
from vecsmith.report.findings import Table

DEPTH = 5
"""Ranks that are shown."""
QUERY_CHARACTERS, DOCUMENT_CHARACTERS = 160, 40
"""Characters of a query and of a document that are shown."""


def search_tables(queries: TaskQueries) -> list[Table]:
    """Return a table for each of three kept queries: the most changed, a middle one, and the least changed.

    Its columns are the first line, which is float32, and of the others the best and the worst by mean nDCG@10.

    Parameters
    ----------
    queries : TaskQueries
        The queries of a task, with the rankings of two or more lines.
    """
    first, *others = queries.rankings
    others.sort(key=_mean, reverse=True)
    lines = {id(each): each for each in (first, others[0], others[-1])}.values()
    kept = len(queries.texts)
    tables: list[Table] = []
    for number in dict.fromkeys((0, kept // 2, kept - 1)):
        relevant = {document for document, gain in queries.judgements[number] if gain > 0}
        ranked = zip_longest(*(line.documents[number][:DEPTH] for line in lines))
        rows = [
            [str(rank), *(_cell(queries, each, each in relevant) for each in documents)]
            for rank, documents in enumerate(ranked, 1)
        ]
        title = f"{queries.task}: {_beginning(queries.texts[number], QUERY_CHARACTERS)} (✓: relevant)"
        columns = ["rank", *(f"{line.line[1]}, nDCG@10 {line.ndcg_at_10[number] or 0:.2f}" for line in lines)]
        tables.append(Table(f"search-{len(tables) + 1}", title, columns, rows))
    return tables


def _mean(ranking: Ranking) -> float:
    return fmean(value for value in ranking.ndcg_at_10 if value is not None)


def _cell(queries: TaskQueries, number: int | None, relevant: bool) -> str:
    if number is None:
        return ""
    document, text = queries.documents[number]
    return f"{'✓ ' if relevant else ''}{document}: {_beginning(text, DOCUMENT_CHARACTERS)}"


def _beginning(text: str, characters: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= characters else f"{line[: characters - 1]}…"
