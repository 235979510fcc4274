"""A study's tables: on the terminal, in markdown and as CSV."""

import csv
import io

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from vecsmith.studies import Findings, Table


def findings_terminal(findings: Findings) -> RenderableType:
    """Return the tables as rich tables under their titles."""
    parts: list[RenderableType] = []
    for table in findings.tables:
        rich_table = RichTable(*table.columns, box=box.SIMPLE_HEAD, padding=0)
        for row in table.rows:
            rich_table.add_row(*row)
        parts += [Text(table.title), rich_table]
    return Group(*parts)


def findings_markdown(findings: Findings) -> str:
    """Return the tables as a markdown document that ends with the versions."""
    lines = ["# vecsmith study", ""]
    for table in findings.tables:
        lines += [table.title, "", "| " + " | ".join(table.columns) + " |"]
        lines += ["|" + "".join("---:|" if _is_number(table, i) else "---|" for i in range(len(table.columns)))]
        lines += ["| " + " | ".join(row) + " |" for row in table.rows] + [""]
    if findings.results:
        versions = findings.results[0].versions.items()
        lines += [f"Measured with {', '.join(f'{name} {number}' for name, number in versions)}.", ""]
    return "\n".join(lines)


def _is_number(table: Table, column: int) -> bool:
    return all(row[column][:1] in "+-−0123456789" for row in table.rows)


def table_csv(table: Table) -> str:
    """Return a table as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([table.columns, *table.rows])
    return text.getvalue()
