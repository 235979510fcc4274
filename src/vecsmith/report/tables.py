"""Tables of results, for the terminal, in markdown and as CSV."""

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from itertools import groupby
from statistics import fmean
from typing import Any, Literal

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from vecsmith.evaluation.results import FIELD_OF_METRIC, FIELDS, Result
from vecsmith.report.findings import Table
from vecsmith.report.render import table_markdown


def _is_baseline(result: Result) -> bool:
    return result.scoring == "exact" and result.baseline in ("", result.encoder)


Column = tuple[str, Callable[[Result], str]]
"""Heading of a column, and the function that returns the text of its cells."""
COLUMNS: tuple[Column, ...] = (
    ("codec", lambda r: r.codec),
    ("scoring", lambda r: r.scoring),
    ("bytes", lambda r: _bytes(r)),
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
    "compression ratio to float32; retention: nDCG@10 relative to float32; p: paired t-test against float32 "
    "over queries; R@100: recall@100; enc/s, q/s: vectors encoded and queries answered per second."
)
FURTHER_LEGEND = (
    "The bytes of vectors that rerank and of BM25's index follow a +. ms/q: milliseconds of a query that is searched "
    "alone, without embedding it."
)
"""Legend of tables with BM25, hybrids or rerankers."""


LATENCY: Column = ("ms/q", lambda r: "" if math.isnan(r.milliseconds_per_query) else f"{r.milliseconds_per_query:.1f}")
"""Column of tables with BM25, hybrids or rerankers: the time of a query that is searched alone."""


def _bytes(result: Result) -> str:
    """Return the bytes of a code, of floats for rescoring and of a lexical index, joined by +."""
    further = (result.rescore_bytes_per_vector, result.lexical_bytes_per_vector)
    return "+".join(map(str, [result.bytes_per_vector, *filter(None, further)]))


def short(number: float) -> str:
    """Return a number as text of at most four characters, such as ``850``, ``12k`` or ``3.1M``; empty for NaN."""
    if math.isnan(number):
        return ""
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
        *FIELD_OF_METRIC.values(),
        "retention",
    )
    averaged += ("fit_seconds", "encode_vectors_per_second", "queries_per_second", "milliseconds_per_query")
    values: dict[str, Any] = {field: fmean(getattr(result, field) for result in group) for field in averaged}
    values["lexical_bytes_per_vector"] = round(fmean(result.lexical_bytes_per_vector for result in group))
    values["metrics"] = {name: fmean(result.value(name) for result in group) for name in group[0].metrics}
    counts = {field: sum(getattr(result, field) for result in group) for field in ("n_docs", "n_queries")}
    return replace(group[0], task=name, p_value=math.nan, **values, **counts)


def sections(results: Sequence[Result]) -> Iterable[tuple[str, list[Result]]]:
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


def _columns(results: Sequence[Result], metrics: Sequence[str]) -> list[Column]:
    """Return the columns of a table: further metrics follow R@100, and the latency of other retrievers comes last."""
    names = [name for name, _ in COLUMNS]
    added = [name for name in dict.fromkeys(metrics) if name not in names]
    place = names.index("R@100") + 1
    latency = [LATENCY] if _has_further(results) else []
    return [*COLUMNS[:place], *((name, _metric_cell(name)) for name in added), *COLUMNS[place:], *latency]


def _has_further(results: Sequence[Result]) -> bool:
    """Return whether there are results of BM25, hybrids or rerankers."""
    return any(result.second_stage or result.lexical_bytes_per_vector for result in results)


def _legend(results: Sequence[Result]) -> str:
    return f"{LEGEND} {FURTHER_LEGEND}" if _has_further(results) else LEGEND


def _metric_cell(name: str) -> Callable[[Result], str]:
    return lambda result: metric_text(name, result.value(name))


def metric_text(name: str, value: float) -> str:
    """Return the value of a metric as text: four digits of nDCG, three of other metrics; empty for NaN."""
    return "" if math.isnan(value) else f"{value:.{4 if name.startswith('nDCG') else 3}f}"


def terminal_table(results: Sequence[Result], metrics: Sequence[str] = ()) -> RenderableType:
    """Return the results as rich tables that fit 100 columns, unless there are columns of further metrics.

    Tables with BM25, hybrids or rerankers have the latency in place of the times to fit and to encode.
    """
    columns = _columns(results, metrics)
    if _has_further(results):
        columns = [(name, cell) for name, cell in columns if name not in ("fit s", "enc/s")]
    parts: list[RenderableType] = []
    for heading, rows in sections(results):
        table = RichTable(box=box.SIMPLE_HEAD, padding=0)
        for number, (name, _) in enumerate(columns):
            justify: Literal["left", "right"] = "left" if number < 2 else "right"
            narrowest = min(max(len(row.codec) for row in rows), CODEC_WIDTH) if number == 0 else None
            table.add_column(name, justify=justify, no_wrap=number > 0, overflow="fold", min_width=narrowest)
        for row, before in zip(rows, [None, *rows], strict=False):
            cells = [cell(row) for _, cell in columns]
            if before is not None and before.codec == row.codec:
                cells[0] = ""
            table.add_row(*cells, style="bold" if _is_baseline(row) else "")
        parts += [Text(heading), table]
    return Group(*parts, Text(_legend(results), style="dim"))


def codec_tables(results: Sequence[Result], metrics: Sequence[str] = ()) -> list[Table]:
    """Return a table for each task and encoder, and of the means over tasks, with a row for each codec and scoring."""
    columns = _columns(results, metrics)
    return [
        Table(
            f"codecs-{number}",
            heading,
            [name for name, _ in columns],
            [[cell(row) for _, cell in columns] for row in rows],
        )
        for number, (heading, rows) in enumerate(sections(results), 1)
    ]


def markdown_table(results: Sequence[Result], notes: Iterable[str] = (), metrics: Sequence[str] = ()) -> str:
    """Return the results as a markdown document: a table for each task and encoder, notes on the data, and versions.

    Parameters
    ----------
    results : sequence of Result
        The results.
    notes : iterable of str
        Sentences about the data.
    metrics : sequence of str
        Names of metrics with a column, besides nDCG@10 and R@100.
    """
    lines = ["# vecsmith compare", ""]
    for table in codec_tables(results, metrics):
        lines += [f"## {table.title}", "", table_markdown(table), ""]
    versions = ", ".join(f"{name} {number}" for name, number in results[0].versions.items())
    return "\n".join([*lines, _legend(results), "", *(f"{note}\n" for note in notes), f"Measured with {versions}.", ""])


def csv_table(results: Sequence[Result]) -> str:
    """Return the results and their means over tasks as CSV, with a column for each field and each metric."""
    text = io.StringIO()
    names = list(dict.fromkeys(name for result in results for name in result.metrics))
    writer = csv.DictWriter(text, [*(name for name in FIELDS if name != "metrics"), *names], lineterminator="\n")
    writer.writeheader()
    for result in [*results, *means(results)]:
        fields = asdict(result)
        versions = " ".join(f"{name}={number}" for name, number in fields.pop("versions").items())
        values = fields | fields.pop("metrics") | {"second_stage": json.dumps(fields["second_stage"])}
        # NaN becomes empty
        known = {name: "" if value != value else value for name, value in values.items() if name != "metrics"}
        writer.writerow({**known, "versions": versions})
    return text.getvalue()
