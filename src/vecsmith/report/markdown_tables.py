"""Read the tables of a Markdown page, such as a page of results that a study wrote."""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from vecsmith.errors import VecsmithError
from vecsmith.report.findings import Table


def read_tables(path: Path) -> list[Table]:
    """Return the tables of a Markdown page, in their order.

    Parameters
    ----------
    path : Path
        The page.

    Returns
    -------
    list of Table
        Each has the paragraph or heading above it as its title, and the name of the page and its number as its name.

    Raises
    ------
    VecsmithError
        If the page has no table, or a row has more or fewer cells than headings.
    """
    tables: list[Table] = []
    for above, block in pairwise(["", *re.split(r"\n\s*\n", path.read_text(encoding="utf-8").strip())]):
        if not block.startswith("|"):
            continue
        headings, _, *rows = (
            [html.unescape(cell.strip()) for cell in line.strip().strip("|").split("|")] for line in block.splitlines()
        )
        if wrong := next((row for row in rows if len(row) != len(headings)), None):
            raise VecsmithError(
                f"{path} has a row of {len(wrong)} cells below {len(headings)} headings: {wrong}; mend it."
            )
        title = html.unescape(" ".join(above.split()).lstrip("# ").rstrip(":."))
        tables.append(Table(f"{path.stem}-{len(tables) + 1}", title, headings, rows))
    if not tables:
        raise VecsmithError(f"{path} has no table; give a page of results.")
    return tables


def cell(table: Table, column: str, where: Mapping[str, str]) -> str:
    """Return the cell of a column, in the row with the given cells.

    Raises
    ------
    VecsmithError
        If the table has no such column, or no row or several rows with these cells.
    """
    found = select(table, where).rows
    if len(found) != 1:
        raise VecsmithError(f"{table.name} has {len(found)} rows with {dict(where)}; name one.")
    return found[0][_place(table, column)]


def select(
    table: Table,
    where: Mapping[str, str | Sequence[str]] | None = None,
    columns: Sequence[str] | None = None,
    title: str = "",
) -> Table:
    """Return the rows of a table with the given cells, and some of its columns.

    Parameters
    ----------
    table : Table
        The table.
    where : mapping of str to str or sequence of str
        A cell, or several that may occur, by column.
    columns : sequence of str, optional
        Columns in their new order; by default all.
    title : str
        New title; by default, the table's own.

    Raises
    ------
    VecsmithError
        If the table has no such column, or several of the same name.
    """
    wanted = {column: [cells] if isinstance(cells, str) else list(cells) for column, cells in (where or {}).items()}
    rows = [row for row in table.rows if all(row[_place(table, name)] in cells for name, cells in wanted.items())]
    kept = range(len(table.columns)) if columns is None else [_place(table, name) for name in columns]
    return replace(
        table,
        title=title or table.title,
        columns=[table.columns[place] for place in kept],
        rows=[[row[place] for place in kept] for row in rows],
    )


def _place(table: Table, column: str) -> int:
    if table.columns.count(column) != 1:
        raise VecsmithError(f"{table.name} has {table.columns.count(column)} columns {column!r} of {table.columns}.")
    return table.columns.index(column)
