"""Committed results: their tables, absolute figures, and what every article says of its data and sources."""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import fmean

from vecsmith.evaluation.query_rankings import MAX_QUERIES
from vecsmith.report import Table
from vecsmith.report.article import Block
from vecsmith.report.conclusions import percent_of
from vecsmith.report.markdown_tables import cell, read_tables

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks" / "results"
TASKS = ("hotpotqa-2k", "scifact", "cranfield")
MODELS = {"minilm": 384, "mpnet": 768, "potion": 256, "wordllama": 256}
"""Dimensions of the models."""
TEST, ALL = "test", "train+test"
"""Splits of judgements."""


@cache
def results(name: str) -> list[Table]:
    """Return the tables of a page in ``benchmarks/results``."""
    return read_tables(FOLDER / f"{name}.md")


def baseline(task: str, model: str, split: str) -> float:
    """Return nDCG@10 of a model's float32 vectors."""
    table = next(table for table in results("baselines") if table.title.endswith(f", {split}"))
    return float(cell(table, model, {"task": task}))


def with_ndcg(table: Table, model: str, splits: Mapping[str, str], title: str) -> Table:
    """Return a table of retentions with nDCG@10 before each.

    Parameters
    ----------
    table : Table
        A table with a column for each task, and possibly one of their mean.
    model : str
        The model whose float32 vectors have 100 %. ``""`` is the first model in the column ``models``.
    splits : mapping of str to str
        Split of each task.
    title : str
        New title.
    """
    places = {table.columns.index(task): task for task in TASKS if task in table.columns}
    rows = []
    for row in table.rows:
        first = model or row[table.columns.index("models")].split("+")[0]
        ndcgs = {
            place: baseline(task, first, splits[task]) * percent_of(row[place]) / 100
            for place, task in places.items()
            if row[place]
        }
        if "mean" in table.columns and len(ndcgs) == len(places):
            ndcgs[table.columns.index("mean")] = fmean(ndcgs.values())
        rows.append([f"{ndcgs[place]:.3f} ({text})" if place in ndcgs else text for place, text in enumerate(row)])
    return replace(table, title=title, rows=rows)


ABSOLUTE = (
    "Cells are nDCG@10, and in parentheses the share of the baseline. The tables of results have the share, rounded to "
    "0.1 %; nDCG@10 is this share of the baseline's nDCG@10, so its third digit may be off by one."
)
"""Where the absolute figures come from."""


def p_text(p: str) -> str:
    """Return a p-value as text, such as ``p = 0.012`` or ``p < 0.001``."""
    return f"p = {p}" if float(p) >= 0.001 else "p < 0.001"


def data(*models: str) -> list[Block]:
    """Return the collections and some of the models, as ``docs/index.md`` has them."""
    tables = read_tables(ROOT / "docs" / "index.md")
    titles = {"collection": "Collections", "name": "Models"}
    chosen = [
        replace(
            table,
            title=titles[table.columns[0]],
            rows=[
                [text.replace("`", "") for text in row]
                for row in table.rows
                if table.columns[0] == "collection" or row[0].strip("`") in models
            ],
        )
        for table in tables
        if table.columns[0] in titles
    ]
    return [
        *chosen,
        "All texts are English. Vectors are compared by cosine. nDCG@10 is the discounted gain of the first ten documents, "
        "divided by the best possible one, on the mean of the judged queries.",
    ]


def sources(*names: str) -> list[Block]:
    """Return the pages of results of an article, each with the command that made it."""
    lines = []
    for name in names:
        text = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
        made = re.search(r"(?:Made|Printed|Written|Listed) by\s+`([^`]*)`", text)
        command = f": `{' '.join(made[1].split())}`" if made else ""
        lines.append(f"- [{name}](../../benchmarks/results/{name}.md){command}")
    return ["\n".join(lines), "`python docs/articles.py` makes this page from these results."]


def searches(beginning: str, change: str = "codecs change") -> list[Block]:
    """Return the searches by float32 vectors beside codecs, or an adapter, whose names begin as given."""
    tables = [table for table in results("searches") if any(name.startswith(beginning) for name in table.columns)]
    return [
        "The built-in collection `pydocs`, documentation of Python packages, with the built-in static model. Of the "
        f"{MAX_QUERIES} queries that {change} most: the first, a middle one, and the last.",
        *tables,
    ]
