"""Options for the metrics and the layout of tables of results, and printing of such tables."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from vecsmith.cli.app import console, print_json

if TYPE_CHECKING:
    from vecsmith.evaluation.results import Result
    from vecsmith.report import Table

MetricOption = Annotated[
    list[str],
    typer.Option(
        "--metric",
        metavar="METRIC",
        help="Further metric by its name in ir_measures, such as P@10, RR@10, AP, Success@1 or Judged@10; or Kept@10 "
        "and Correlation, which say how well a codec preserves similarities; repeatable.",
    ),
]
TableOption = Annotated[
    str | None,
    typer.Option(
        metavar="LAYOUT",
        help="codecs: a table for each task; tasks: a row for each task and a column for each codec, of the metrics "
        "that --metric gives or of nDCG@10; metrics: a column for each metric. Default: codecs, and tasks with "
        "--language.",
    ),
]


def check_table(table: str, with_retention: bool) -> None:
    """Check the options of the layout.

    Raises
    ------
    VecsmithError
        If the layout is unknown, or retention was requested for a layout that has it or lacks it.
    """
    from vecsmith.errors import VecsmithError, unknown
    from vecsmith.report import TABLES

    if table not in TABLES:
        raise unknown("table", table, TABLES)
    if with_retention and table != "tasks":
        raise VecsmithError("--retention is for --table tasks; leave it out, or give --table tasks.")


def tables_of(results: "Sequence[Result]", metrics: Sequence[str], layout: str, with_retention: bool) -> "list[Table]":
    """Return the tables of the layouts ``tasks`` and ``metrics``; none for ``codecs``."""
    from vecsmith.report import metric_grids, task_grids

    if layout == "tasks":
        return task_grids(results, metrics, with_retention)
    return metric_grids(results) if layout == "metrics" else []


def print_results(
    results: "Sequence[Result]", tables: "Sequence[Table]", metrics: Sequence[str], latex: bool, as_json: bool
) -> None:
    """Print tables of results as markdown or LaTeX, or the results as JSON.

    Parameters
    ----------
    results : sequence of Result
        The results.
    tables : sequence of Table
        The value of `tables_of`; if empty, a table for each task is printed.
    metrics : sequence of str
        Further metrics of the tables for each task.
    latex, as_json : bool
        The format.
    """
    from vecsmith.report import codec_tables, table_latex, table_markdown, terminal_table

    if as_json:
        print_json([asdict(result) for result in results])
    elif latex:
        print("\n\n".join(map(table_latex, tables or codec_tables(results, metrics))))
    elif tables:
        print("\n\n".join(f"{table.title}\n\n{table_markdown(table)}" for table in tables))
    else:
        console().print(terminal_table(results, metrics))
