"""Data of the report page: tables, plots, linked maps, kernels and examples of studies."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from vecsmith.report.findings import Kernels, Plot
from vecsmith.report.page_data import compressed
from vecsmith.report.runs import Run
from vecsmith.report.stored_findings import THOUSAND, kernel_content

COLOR_PERCENTILES = (1, 99)
"""Percentiles of similarities at the ends of the color scale."""


def findings_data(runs: Sequence[Run]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the parts of the findings of several runs, in the order of the page.

    Parameters
    ----------
    runs : sequence of Run
        The runs.

    Yields
    ------
    about : dict
        Kind (``tables``, ``plots``, ``maps``, ``kernels`` or ``examples``) and number of the run.
    content : str
        All findings of this kind, as compressed JSON in base64.
    """
    for number, run in enumerate(runs):
        if run.findings is None:
            continue
        parts: dict[str, list[dict[str, Any]]] = {
            "tables": [asdict(table) for table in run.findings.tables],
            "plots": _plots(run.findings.plots),
            "maps": [asdict(each) for each in run.findings.maps],
            "kernels": [_kernels(each) for each in run.findings.kernels],
            "examples": [asdict(each) for each in run.findings.examples],
        }
        for kind, contents in parts.items():
            if contents:
                yield {"kind": kind, "run": number}, compressed({"contents": contents})


def _plots(plots: Sequence[Plot]) -> list[dict[str, Any]]:
    """Return plots by their group; a plot without a group is alone."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for plot in plots:
        groups.setdefault(plot.group or plot.name, []).append(_plot(plot))
    return [{"name": name, "plots": group} for name, group in groups.items()]


def _plot(plot: Plot) -> dict[str, Any]:
    """Return a plot with its lines in panels: the names of a panel and a line are joined by the last ``", "``."""
    panels: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for name, points in plot.lines.items():
        panel, _, line = name.rpartition(", ")
        panels.setdefault(panel, {})[line] = points
    # as pairs, because a name such as __proto__ is no key in JavaScript
    pairs = [(name, list(lines.items())) for name, lines in panels.items()]
    return {
        "title": plot.title,
        "x_label": plot.x_label,
        "y_label": plot.y_label,
        "joined": plot.joined,
        "x_names": plot.x_names,
        "panels": pairs,
    }


def _kernels(kernels: Kernels) -> dict[str, Any]:
    content = kernel_content(kernels)
    # the diagonal is left out, because it would take the brightest colors
    shown = [value / THOUSAND for rows in content["triangles"].values() for row in rows for value in row[:-1]]
    low, high = np.percentile(shown, COLOR_PERCENTILES).tolist() if shown else (0.0, 1.0)
    return content | {"triangles": list(content["triangles"].items()), "low": low, "high": high}
