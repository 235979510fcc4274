"""Tables of findings, for the terminal, in markdown, in LaTeX and as CSV."""

import csv
import io
import re
from collections.abc import Callable
from typing import Literal

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table as RichTable
from rich.text import Text

from vecsmith.evaluation.versions import versions
from vecsmith.report.findings import Findings, Table

LATEX = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "×": r"$\times$",
    "±": r"$\pm$",
    "→": r"$\to$",
    "−": "$-$",
    "τ": r"$\tau$",
}
"""Characters of tables that LaTeX reads as commands or lacks in its fonts, and their LaTeX code."""


def findings_terminal(findings: Findings) -> RenderableType:
    """Return the tables as rich tables below their titles."""
    parts: list[RenderableType] = []
    for table in findings.tables:
        rich_table = RichTable(box=box.SIMPLE_HEAD, padding=0)
        for number, column in enumerate(table.columns):
            # the first column has the names, which a narrow terminal must not cut
            justify: Literal["left", "right"] = "right" if _is_number(table, number) else "left"
            rich_table.add_column(escape(column), justify=justify, no_wrap=number == 0)
        for row in table.rows:
            rich_table.add_row(*map(Text, row))  # Text, because rich would read brackets in a user's text as markup
        parts += [Text(table.title), rich_table]
    return Group(*parts)


def findings_markdown(findings: Findings) -> str:
    """Return the tables as a markdown document, followed by the versions of the packages."""
    lines = ["# vecsmith study", ""]
    for table in findings.tables:
        lines += [table.title, "", table_markdown(table), ""]
    measured = findings.results[0].versions if findings.results else versions()
    lines += [f"Measured with {', '.join(f'{name} {number}' for name, number in measured.items())}.", ""]
    return "\n".join(lines)


def table_markdown(table: Table, cell: Callable[[str], str] = str) -> str:
    """Return the rows of a table in markdown, without its title; `cell` escapes the text of cells."""
    rows = ["| " + " | ".join(map(cell, row)) + " |" for row in (table.columns, *table.rows)]
    rule = "|" + "".join("---:|" if _is_number(table, i) else "---|" for i in range(len(table.columns)))
    return "\n".join([rows[0], rule, *rows[1:]])


def table_latex(table: Table) -> str:
    """Return a table in LaTeX, with its title as the caption. It needs the package booktabs."""
    alignment = "".join("r" if _is_number(table, number) else "l" for number in range(len(table.columns)))
    rows = [" & ".join(map(_latex, row)) + r" \\" for row in (table.columns, *table.rows)]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_latex(table.title)}}}",
            rf"\begin{{tabular}}{{{alignment}}}",
            *(r"\toprule", rows[0], r"\midrule", *rows[1:], r"\bottomrule"),
            *(r"\end{tabular}", r"\end{table}"),
        ]
    )


def _latex(text: str) -> str:
    """Return text with LaTeX's special characters escaped."""
    return re.sub("|".join(map(re.escape, LATEX)), lambda match: LATEX[match[0]], text)


def _is_number(table: Table, column: int) -> bool:
    return all(row[column][:1] in "+-−0123456789" for row in table.rows)


def table_csv(table: Table) -> str:
    """Return a table as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([table.columns, *table.rows])
    return text.getvalue()
