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
    str,
    typer.Option(
        metavar="LAYOUT",
        help="codecs: a table for each task; tasks: a row for each task and a column for each codec, of the metrics "
        "that --metric gives or of nDCG@10; metrics: a column for each metric.",
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


def print_results(
    results: "Sequence[Result]", metrics: Sequence[str], layout: str, with_retention: bool, latex: bool, as_json: bool
) -> "list[Table]":
    """Print results in a layout of `TABLES`, as markdown or LaTeX, or as JSON.

    Returns
    -------
    list of Table
        The tables of the layouts ``tasks`` and ``metrics``; none for ``codecs``.
    """
    from vecsmith.report import codec_tables, metric_grids, table_latex, table_markdown, task_grids, terminal_table

    tables: list[Table] = []
    if layout == "tasks":
        tables = task_grids(results, metrics, with_retention)
    elif layout == "metrics":
        tables = metric_grids(results)
    if as_json:
        print_json([asdict(result) for result in results])
    elif latex:
        print("\n\n".join(map(table_latex, tables or codec_tables(results, metrics))))
    elif tables:
        print("\n\n".join(f"{table.title}\n\n{table_markdown(table)}" for table in tables))
    else:
        console().print(terminal_table(results, metrics))
    return tables
