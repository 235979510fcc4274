"""Tables of results, for the terminal, in markdown and as CSV."""

import csv
import io
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from itertools import groupby
from statistics import fmean
from typing import Any, Literal

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from vecsmith.evaluation.results import FIELDS, Result


def _is_baseline(result: Result) -> bool:
    return result.scoring == "exact" and result.baseline in ("", result.encoder)


COLUMNS: tuple[tuple[str, Callable[[Result], str]], ...] = (
    ("codec", lambda r: r.codec),
    ("scoring", lambda r: r.scoring),
    ("bytes", lambda r: f"{r.bytes_per_vector}" + (f"+{r.rescore_bytes_per_vector}" * (r.scoring == "rescored"))),
    ("amortized", lambda r: f"{r.amortised_bytes_per_vector:.0f}"),
    ("ratio", lambda r: f"{r.compression:.1f}×"),
    ("nDCG@10", lambda r: f"{r.ndcg_at_10:.4f}"),
    ("retention", lambda r: "" if math.isnan(r.retention) else f"{r.retention:.1%}"),
    ("p", lambda r: "" if math.isnan(r.p_value) or _is_baseline(r) else f"{r.p_value:.3f}"),
    ("R@100", lambda r: f"{r.recall_at_100:.3f}"),
    ("fit s", lambda r: f"{r.fit_seconds:.2f}"),
    ("enc/s", lambda r: short(r.encode_vectors_per_second)),
    ("q/s", lambda r: short(r.queries_per_second)),
)
CODEC_WIDTH = 16
"""Minimum width of the codec column, in characters, unless all specs are shorter."""
LEGEND = (
    "bytes: per vector, + floats for rescoring; amortized: with the vector's share of the codec's own bytes; ratio: "
    "compression ratio to float32; retention: nDCG@10 divided by that of float32; p: paired t-test against float32 "
    "over queries; R@100: recall@100; enc/s, q/s: vectors encoded and queries answered per second."
)


def short(number: float) -> str:
    """Return a number as text of at most four characters, such as ``850``, ``12k`` or ``3.1M``."""
    scaled, units = number, iter("kMGT")
    unit = ""
    while round(scaled) >= 1000:
        scaled, unit = scaled / 1000, next(units)
    return f"{scaled:.1f}{unit}" if unit and scaled < 9.95 else f"{scaled:.0f}{unit}"


def means(results: Sequence[Result]) -> list[Result]:
    """Return the mean results over several tasks for each encoder, codec and scoring; empty for a single task.

    The numbers of documents and queries are summed. The p-value of a mean is NaN.
    """
    tasks = list(dict.fromkeys(result.task for result in results))
    if len(tasks) < 2:
        return []
    groups: dict[tuple[str, str, str], list[Result]] = {}
    for result in results:
        groups.setdefault((result.encoder, result.codec, result.scoring), []).append(result)
    return [_mean(group, f"mean of {len(tasks)} tasks") for group in groups.values()]


def _mean(group: Sequence[Result], name: str) -> Result:
    averaged: tuple[str, ...] = (
        "amortised_bytes_per_vector",
        "compression",
        "ndcg_at_10",
        "recall_at_100",
        "retention",
    )
    averaged += ("fit_seconds", "encode_vectors_per_second", "queries_per_second")
    values: dict[str, Any] = {field: fmean(getattr(result, field) for result in group) for field in averaged}
    counts = {field: sum(getattr(result, field) for result in group) for field in ("n_docs", "n_queries")}
    return replace(group[0], task=name, p_value=math.nan, **values, **counts)


def _sections(results: Sequence[Result]) -> Iterable[tuple[str, list[Result]]]:
    """Yield a heading and the results for each task and encoder, followed by the means over tasks."""
    for (task, encoder), section in groupby([*results, *means(results)], key=lambda r: (r.task, r.encoder)):
        rows = list(section)
        first = rows[0]
        fit_on = next((row.fit_on for row in rows if row.fit_on != "nothing"), "nothing")
        yield (
            f"{task} ({first.split}), {encoder}: {first.n_docs:,} documents, {first.n_queries:,} queries, "
            f"{first.dimensions} dimensions; fit on {fit_on}, seed {first.seed}"
            + (f"; compared with float32 of {first.baseline}" if first.baseline not in ("", first.encoder) else ""),
            rows,
        )


def terminal_table(results: Sequence[Result]) -> RenderableType:
    """Return the results as rich tables that fit 100 columns."""
    parts: list[RenderableType] = []
    for heading, rows in _sections(results):
        table = Table(box=box.SIMPLE_HEAD, padding=0)
        for number, (name, _) in enumerate(COLUMNS):
            justify: Literal["left", "right"] = "left" if number < 2 else "right"
            narrowest = min(max(len(row.codec) for row in rows), CODEC_WIDTH) if number == 0 else None
            table.add_column(name, justify=justify, no_wrap=number > 0, overflow="fold", min_width=narrowest)
        for row, before in zip(rows, [None, *rows], strict=False):
            cells = [cell(row) for _, cell in COLUMNS]
            if before is not None and before.codec == row.codec:
                cells[0] = ""
            table.add_row(*cells, style="bold" if _is_baseline(row) else "")
        parts += [Text(heading), table]
    return Group(*parts, Text(LEGEND, style="dim"))


def markdown_table(results: Sequence[Result], notes: Iterable[str] = ()) -> str:
    """Return the results as a markdown document: a table for each task and encoder, notes on the data, and versions."""
    lines = ["# vecsmith compare", ""]
    for heading, rows in _sections(results):
        lines += [f"## {heading}", "", "| " + " | ".join(name for name, _ in COLUMNS) + " |"]
        lines += ["|" + "---|" * 2 + "---:|" * (len(COLUMNS) - 2)]
        lines += ["| " + " | ".join(cell(row) for _, cell in COLUMNS) + " |" for row in rows]
        lines += [""]
    versions = ", ".join(f"{name} {number}" for name, number in results[0].versions.items())
    return "\n".join([*lines, LEGEND, "", *(f"{note}\n" for note in notes), f"Measured with {versions}.", ""])


def csv_table(results: Sequence[Result]) -> str:
    """Return the results and their means over tasks as CSV, with a column for each field of `Result`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, lineterminator="\n")
    writer.writeheader()
    for result in [*results, *means(results)]:
        versions = " ".join(f"{name}={number}" for name, number in result.versions.items())
        values = {name: "" if value != value else value for name, value in asdict(result).items()}  # NaN becomes empty
        writer.writerow({**values, "versions": versions})
    return text.getvalue()
