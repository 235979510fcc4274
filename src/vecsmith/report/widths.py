"""Table and plot of nDCG@10 and the retention of several reducers by width."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from vecsmith.evaluation.results import Result
from vecsmith.report.findings import Plot, Table, mean_over_tasks, ndcg_and_retention

Methods = Mapping[str, str]
"""Specs of reducers by name, with ``{}`` in place of the width."""


WIDTHS_TITLE = "nDCG@10, and relative to float32, by width; fit on {}"
"""Title of tables and plots, with ``{}`` in place of the protocol."""


def width_table(results: Sequence[Result], methods: Methods, title: str, name: str = "widths") -> Table:
    """Return a table with a column for each method.

    There is a row for each encoder, task and width, and for the mean over several tasks.

    Parameters
    ----------
    results : sequence of Result
        Results of several reducers, widths, tasks and seeds.
    methods : mapping of str to str
        Specs of the reducers by name, with ``{}`` in place of the width.
    title, name : str
        Title of the table, and name of its file.
    """
    rows = []
    for encoder in dict.fromkeys(result.encoder for result in results):
        measured = _by_width(results, encoder)
        tasks = list(dict.fromkeys(result.task for result in results))
        for width in sorted({k for _, k, _ in measured}, reverse=True):
            lines = [_row(measured, [task], width, methods) for task in tasks]
            if len(tasks) > 1:
                lines.append(_row(measured, tasks, width, methods))
            names = [*tasks, f"mean of {len(tasks)}"]
            rows += [[encoder, str(width), task, *cells] for task, cells in zip(names, lines, strict=False)]
    return Table(name, title, ["encoder", "width", "task", *methods], rows)


def width_plot(results: Sequence[Result], methods: Methods, title: str, name: str = "widths") -> Plot:
    """Return a plot of the mean retention over tasks and seeds by width, with a line for each encoder and method.

    Parameters
    ----------
    results : sequence of Result
        Results of several reducers, widths, tasks and seeds.
    methods : mapping of str to str
        Specs of the reducers by name, with ``{}`` in place of the width.
    title, name : str
        Title of the plot, and name of its file.
    """
    lines = {}
    for encoder in dict.fromkeys(result.encoder for result in results):
        measured = _by_width(results, encoder)
        for method, template in methods.items():
            by_width: dict[int, list[float]] = {}
            for (codec, width, _), by_seed in measured.items():
                if codec == template.format(width):
                    by_width.setdefault(width, []).append(fmean(result.retention for result in by_seed))
            lines[f"{encoder}, {method}"] = [(float(width), 100 * fmean(by_width[width])) for width in sorted(by_width)]
    return Plot(name, title, "dimensions", "nDCG@10, % of float32", {k: line for k, line in lines.items() if line})


def _by_width(results: Sequence[Result], encoder: str) -> dict[tuple[str, int, str], list[Result]]:
    """Return the results of all seeds, by codec, width and task."""
    measured: dict[tuple[str, int, str], list[Result]] = {}
    for result in results:
        if result.encoder == encoder and result.scoring != "exact":
            measured.setdefault((result.codec, result.dimensions, result.task), []).append(result)
    return measured


def _row(
    measured: Mapping[tuple[str, int, str], list[Result]], tasks: Sequence[str], width: int, methods: Methods
) -> list[str]:
    cells = []
    for template in methods.values():
        by_task = [measured.get((template.format(width), width, task), []) for task in tasks]
        cells.append(ndcg_and_retention(by_task[0]) if len(tasks) == 1 else mean_over_tasks(by_task))
    return cells
