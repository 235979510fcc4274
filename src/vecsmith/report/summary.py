"""Summaries of studies: a line per codec, a column per task, means and spreads over seeds."""

import csv
import io
from collections.abc import Sequence
from statistics import fmean

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from vecsmith.results import Result

HEADER = ("encoder", "codec", "scoring", "bytes")


def summarise(results: Sequence[Result]) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns, and a row per encoder, codec and scoring.

    A cell is the mean retention over the seeds, and half of what lies between the smallest and the largest; the last
    column is the mean of the tasks' means, for codecs that were measured on all of them.
    """
    tasks = list(dict.fromkeys(result.task for result in results))
    groups: dict[tuple[str, str, str], dict[str, list[Result]]] = {}
    for result in results:
        lines = groups.setdefault((result.encoder, result.codec, result.scoring), {})
        lines.setdefault(result.task, []).append(result)
    rows = []
    for names, lines in groups.items():
        shares = {task: [line.retention for line in lines[task]] for task in tasks if task in lines}
        mean = f"{fmean(map(fmean, shares.values())):.1%}" if len(shares) == len(tasks) else ""
        size = next(iter(lines.values()))[0].bytes_per_vector
        rows.append([*names, str(size), *(_cell(shares.get(task, [])) for task in tasks), mean])
    return [*HEADER, *tasks, "mean"], sorted(rows, key=lambda row: (row[0], -int(row[3])))


def _cell(shares: Sequence[float]) -> str:
    if not shares:
        return ""
    spread = (max(shares) - min(shares)) / 2
    return f"{fmean(shares):.1%}" + (f" ±{100 * spread:.1f}" if len(shares) > 1 else "")


def summary_terminal(results: Sequence[Result]) -> RenderableType:
    """Return the summary as a rich table under its heading."""
    columns, rows = summarise(results)
    table = Table(*columns, box=box.SIMPLE_HEAD, padding=0)
    for row in rows:
        table.add_row(*row)
    return Group(Text(_heading(results)), table)


def summary_markdown(results: Sequence[Result]) -> str:
    """Return the summary as a markdown document."""
    columns, rows = summarise(results)
    lines = ["# vecsmith study", "", _heading(results), "", "| " + " | ".join(columns) + " |"]
    lines += ["|" + "---|" * 3 + "---:|" * (len(columns) - 3)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    versions = ", ".join(f"{name} {number}" for name, number in results[0].versions.items())
    return "\n".join([*lines, "", f"Measured with {versions}.", ""])


def summary_csv(results: Sequence[Result]) -> str:
    """Return the summary as CSV."""
    text = io.StringIO()
    columns, rows = summarise(results)
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    return text.getvalue()


def _heading(results: Sequence[Result]) -> str:
    fit_on = next((result.fit_on for result in results if result.fit_on != "nothing"), "nothing")
    seeds = sorted({result.seed for result in results})
    splits = sorted({result.split for result in results})
    return (
        f"nDCG@10 over that of float32 (splits {', '.join(splits)}), mean and half the range of seeds "
        f"{', '.join(map(str, seeds))}; fit on {fit_on}"
    )
