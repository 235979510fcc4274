"""Import of training examples from JSONL, JSON, CSV, TSV and Parquet files, and of clicks."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from vecsmith.embeddings.columns import known_column, listed, usual_column
from vecsmith.errors import VecsmithError, unknown
from vecsmith.files import sha256_of
from vecsmith.tasks import Task
from vecsmith.tasks.text_files import READERS, Table, check_text
from vecsmith.tune.examples import COLUMNS, NUMBERS, TrainingExamples

USUAL_NAMES = {
    "query": ("query", "question", "anchor"),
    "positive": ("positive", "answer", "document", "passage", "relevant"),
    "margin": ("margin",),
    "sentence1": ("sentence1",),
    "sentence2": ("sentence2",),
    "score": ("score", "label"),
    "text": ("text", "sentence"),
    "document": ("document", "url", "doc"),
    "clicks": ("clicks",),
    "impressions": ("impressions", "views"),
}
"""Usual names of the column of each role."""
CLICKS = ("query", "document", "clicks")
"""Roles of a file of clicks, besides ``impressions``."""

_NEGATIVE = re.compile(r"negative(?:_(\d+))?", re.IGNORECASE)


def read_examples(
    path: str | Path,
    task: Task | None = None,
    columns: Mapping[str, str] | None = None,
    min_clicks: int = 1,
    min_click_rate: float = 0.0,
) -> TrainingExamples:
    """Read training examples from a file; the columns say which kind it is.

    A file has the columns of a kind in `vecsmith.tune.examples.COLUMNS`, or clicks: ``query``, ``document``, ``clicks``
    and optionally ``impressions``. Clicks on equal pairs of a query and a document are added, and each pair with enough
    clicks is a training pair.

    Parameters
    ----------
    path : str or Path
        ``.jsonl``, ``.json``, ``.csv``, ``.tsv`` or ``.parquet``; all but Parquet may be compressed (``.gz``).
    task : Task, optional
        Queries and documents that are ids of this task are replaced by their texts.
    columns : mapping of str to str, optional
        Column of each role, such as ``{"query": "search_term"}``; by default one of `USUAL_NAMES`.
    min_clicks : int
        Minimum number of clicks of a pair.
    min_click_rate : float
        Minimum of clicks divided by impressions, from 0 to 1.

    Raises
    ------
    VecsmithError
        If the file is missing or malformed, columns are missing or unknown, a value is missing or wrong (the message
        has the line), or no example is left.
    """
    path = Path(path)
    if not path.is_file():
        raise VecsmithError(f"There is no file {path}.")
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix not in READERS:
        raise VecsmithError(f"{path} has the suffix {suffix!r}; training examples are read from {', '.join(READERS)}.")
    table = READERS[suffix](path)
    column_of = _roles(table, columns or {})
    provenance = {"file": path.name, "file_sha256": sha256_of(path)}
    if "clicks" in column_of:
        pairs, left_out = _clicked_pairs(table, column_of, task, min_clicks, min_click_rate)
        return TrainingExamples.from_columns(
            {"query": [query for query, _ in pairs], "positive": [document for _, document in pairs]},
            {**provenance, "min_clicks": min_clicks, "min_click_rate": min_click_rate},
            left_out,
        )
    values = {
        role: _numbers(table, column) if role in NUMBERS else _texts(table, column, role, task)
        for role, column in column_of.items()
    }
    return TrainingExamples.from_columns(values, provenance)


def _roles(table: Table, given: Mapping[str, str]) -> dict[str, str]:
    """Return the column of each role of the kind that the columns of a table have."""
    for role, column in given.items():
        if role not in USUAL_NAMES and not _NEGATIVE.fullmatch(role):
            raise unknown("role of a column", role, [*USUAL_NAMES, "negative"])
        known_column(table.names, column, str(table.path))
    usual = {role: usual_column(table.names, names) for role, names in USUAL_NAMES.items()}
    found = {role: column for role, column in {**usual, **given}.items() if column is not None}
    if "clicks" in found:
        return _required(table, found, CLICKS, "clicks") | {
            role: found[role] for role in ("impressions",) if role in found
        }
    if "sentence1" in found or "sentence2" in found:
        return _required(table, found, COLUMNS["scored pairs"], "scored pairs")
    if "query" not in found and "positive" not in found and "text" in found:
        return {"text": found["text"]}
    pairs = _required(table, found, COLUMNS["pairs"], "pairs")
    negatives = _negatives(table, given)
    if "margin" in found and len(negatives) != 1:
        raise VecsmithError(
            f"{table.path} has margins but {len(negatives) or 'no'} columns of negatives; give one column 'negative'."
        )
    if "score" in found:
        raise VecsmithError(
            f"{table.path} has a score of each pair in {found['score']!r}; give --column sentence1={found['query']} "
            f"and --column sentence2={found['positive']}, or remove the scores if all pairs are relevant."
        )
    margin = {"margin": found["margin"]} if "margin" in found else {}
    return {**pairs, **negatives, **margin}


def _negatives(table: Table, given: Mapping[str, str]) -> dict[str, str]:
    """Return the columns of negatives in the order of their numbers, as ``negative``, ``negative_2`` and so on."""
    named = {column: int(match[1] or 1) for column in table.names if (match := _NEGATIVE.fullmatch(column))}
    named |= {column: int(match[1] or 1) for role, column in given.items() if (match := _NEGATIVE.fullmatch(role))}
    ordered = sorted(named, key=lambda column: (named[column], column))
    return {"negative" if place == 0 else f"negative_{place + 1}": column for place, column in enumerate(ordered)}


def _required(table: Table, found: Mapping[str, str], roles: Sequence[str], kind: str) -> dict[str, str]:
    for role in roles:
        if role not in found:
            columns = f"the columns {listed(table.names)}" if table.names else "no columns"
            raise VecsmithError(
                f"{table.path} has {columns}, but no column {role!r}, which {kind} need; rename one, or give --column "
                f"{role}=NAME."
            )
    return {role: found[role] for role in roles}


def _texts(table: Table, column: str, role: str, task: Task | None) -> list[str]:
    """Return the texts of a column; ids of the task are replaced by their texts."""
    texts = [check_text(table, column, row, value, (str, int)) for row, value in enumerate(table.column(column))]
    if blank := next((row for row, text in enumerate(texts, start=1) if not text.strip()), None):
        raise VecsmithError(
            f"{table.path}, {table.place(blank - 1)}, has a blank {column!r}; give a text, or remove the row."
        )
    if task is None or not texts:
        return texts
    source = task.queries if role == "query" else task.corpus
    text_of = dict(source.rows())
    if texts[0] not in text_of:
        return texts
    for row, text in enumerate(texts):
        if text not in text_of:
            raise VecsmithError(
                f"{table.path}, {table.place(row)}, has the {column!r} {text[:40]!r}, which is not an id of "
                f"{source.source} although others are; give ids in all rows, or texts in all rows."
            )
    return [text_of[text] for text in texts]


def _numbers(table: Table, column: str) -> list[float]:
    """Return the finite numbers of a column; CSV files have them as text."""
    numbers = []
    for row, value in enumerate(table.column(column)):
        try:
            number = math.nan if value is None or isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise VecsmithError(
                f"{table.path}, {table.place(row)}, has the {column!r} {value!r}; give a finite number, or remove "
                "the row."
            )
        numbers.append(number)
    return numbers


def _clicked_pairs(
    table: Table, column_of: Mapping[str, str], task: Task | None, min_clicks: int, min_click_rate: float
) -> tuple[list[tuple[str, str]], Counter[str]]:
    """Return the pairs with enough clicks, in the order of the file, and the number of the others."""
    if min_clicks < 1:
        raise VecsmithError(f"The minimum number of clicks must be at least 1, not {min_clicks}.")
    if not 0 <= min_click_rate <= 1:
        raise VecsmithError(f"The minimum click rate must be from 0 to 1, not {min_click_rate:g}.")
    if min_click_rate and "impressions" not in column_of:
        raise VecsmithError(f"{table.path} has no column 'impressions', which a minimum click rate needs.")
    queries, documents = (_texts(table, column_of[role], role, task) for role in ("query", "document"))
    numbers = {role: _numbers(table, column_of[role]) for role in ("clicks", "impressions") if role in column_of}
    clicks, impressions = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for row, pair in enumerate(zip(queries, documents, strict=True)):
        own = {role: values[row] for role, values in numbers.items()}
        for role, number in own.items():
            if number < 0 or number != int(number):
                raise VecsmithError(
                    f"{table.path}, {table.place(row)}, has {number:g} {role}; give a whole number from 0 on."
                )
        if own.get("impressions", math.inf) < own["clicks"]:
            raise VecsmithError(
                f"{table.path}, {table.place(row)}, has more clicks than impressions; correct one of them."
            )
        clicks[pair] += int(own["clicks"])
        impressions[pair] += int(own.get("impressions", 0))
    often = {pair for pair, number in clicks.items() if number >= min_clicks}
    kept = [pair for pair in clicks if pair in often and clicks[pair] >= min_click_rate * impressions[pair]]
    left_out = {
        f"pair of fewer than {min_clicks} clicks": len(clicks) - len(often),
        f"pair of a click rate below {min_click_rate:g}": len(often) - len(kept),
    }
    return kept, +Counter(left_out)
