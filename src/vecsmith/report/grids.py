"""Grids of results: tasks by methods, and methods by metrics."""

import math
from collections.abc import Sequence
from statistics import fmean

from vecsmith.evaluation.results import FIELD_OF_METRIC, Result
from vecsmith.report.findings import Table
from vecsmith.report.tables import metric_text, sections

TABLES = ("codecs", "tasks", "metrics")
"""Layouts of the results of a comparison: `codec_tables`, `task_grids` and `metric_grids`."""


def task_grids(results: Sequence[Result], metrics: Sequence[str], with_retention: bool = False) -> list[Table]:
    """Return the `task_grid` of each metric.

    Parameters
    ----------
    results : sequence of Result
        Results of one or more tasks.
    metrics : sequence of str
        Names of metrics that were measured; nDCG@10 if there are none.
    with_retention : bool
        As for `task_grid`.
    """
    if len(metrics) < 2:
        return [task_grid(results, (*metrics, "nDCG@10")[0], with_retention)]
    return [task_grid(results, metric, with_retention, f"tasks-{metric}") for metric in dict.fromkeys(metrics)]


def task_grid(
    results: Sequence[Result], metric: str = "nDCG@10", with_retention: bool = False, name: str = "tasks"
) -> Table:
    """Return a table with a row for each task and a column for each method, in the order of the results.

    Parameters
    ----------
    results : sequence of Result
        Results of one or more tasks.
    metric : str
        Name of a metric that was measured.
    with_retention : bool
        Whether a second column of each method, headed by ``%``, has the metric relative to the baseline.
    name : str
        Name of the table's file.

    Returns
    -------
    Table
        The values, and their means over the tasks if there are several. A mean is empty if a task has no value.
    """
    labels = method_labels(results)
    tasks = list(dict.fromkeys(result.task for result in results))
    baselines = {(each.task, each.encoder): each.value(metric) for each in results if each.scoring == "exact"}
    values: dict[tuple[str, str], float] = {}
    retentions: dict[tuple[str, str], float] = {}
    for result, label in zip(results, labels, strict=True):
        values[result.task, label] = result.value(metric)
        reference = baselines.get((result.task, result.baseline or result.encoder), 0.0)
        retentions[result.task, label] = result.value(metric) / reference if reference else math.nan
    methods = list(dict.fromkeys(labels))

    def cells(chosen: Sequence[str]) -> list[str]:
        texts = []
        for method in methods:
            texts.append(metric_text(metric, _mean(values, chosen, method)))
            if with_retention:
                retention = _mean(retentions, chosen, method)
                texts.append("" if math.isnan(retention) else f"{retention:.1%}")
        return texts

    rows = [[task, *cells([task])] for task in tasks]
    if len(tasks) > 1:
        rows.append([f"mean of {len(tasks)} tasks", *cells(tasks)])
    headings = [heading for method in methods for heading in ((method, f"{method} %") if with_retention else (method,))]
    return Table(name, _title(results, metric, with_retention), ["task", *headings], rows)


def metric_grids(results: Sequence[Result]) -> list[Table]:
    """Return a table for each task and encoder, and of the means over tasks, with a column for each metric."""
    metrics = list(dict.fromkeys([*FIELD_OF_METRIC, *(name for result in results for name in result.metrics)]))
    return [
        Table(
            f"metrics-{number}",
            heading,
            ["codec", "scoring", "bytes", *metrics],
            [
                [row.codec, row.scoring, str(row.bytes_per_vector), *(metric_text(m, row.value(m)) for m in metrics)]
                for row in rows
            ],
        )
        for number, (heading, rows) in enumerate(sections(results), 1)
    ]


def method_labels(results: Sequence[Result]) -> list[str]:
    """Return the label of each result: its codec, its encoder if there are several, its scoring if it has several."""
    encoders = {result.encoder for result in results}
    scorings: dict[str, set[str]] = {}
    for result in results:
        scorings.setdefault(result.codec, set()).add(result.scoring)
    return [
        f"{result.encoder} " * (len(encoders) > 1)
        + result.codec
        + f" {result.scoring}" * (len(scorings[result.codec]) > 1)
        for result in results
    ]


def _mean(values: dict[tuple[str, str], float], tasks: Sequence[str], method: str) -> float:
    return fmean(values.get((task, method), math.nan) for task in tasks)


def _title(results: Sequence[Result], metric: str, with_retention: bool) -> str:
    encoders, splits, seeds, fit_on = (
        ", ".join(dict.fromkeys(str(getattr(result, field)) for result in results))
        for field in ("encoder", "split", "seed", "fit_on")
    )
    fit_on = fit_on.removeprefix("nothing, ")
    legend = f"; %: {metric} relative to float32" if with_retention else ""
    return f"{metric} of {encoders} ({splits}); fit on {fit_on}, seed {seeds}{legend}"
