"""A study's plots, as pages of their own."""

import html
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from vecsmith.errors import require
from vecsmith.files import write_text
from vecsmith.studies import Findings, Map, Plot

SEED = 0
"""Of the layout of maps."""


def can_plot() -> bool:
    """Whether plotly is installed."""
    return find_spec("plotly") is not None


def can_map() -> bool:
    """Whether plotly and umap-learn are installed."""
    return can_plot() and find_spec("umap") is not None


def left_out(findings: Findings) -> str | None:
    """Return a sentence that says what is not drawn for want of a package, or None."""
    if findings.plots and not can_plot():
        what, package = "plots", "plotly"
    elif findings.maps and not can_map():
        what, package = "maps", "umap-learn" if can_plot() else "plotly"
    else:
        return None
    return (
        f"The {what} were left out, since {package} is missing; pip install 'vecsmith[report]' and run the study again."
    )


def write_plots(folder: Path, plots: Sequence[Plot | Map]) -> list[Path]:
    """Write each plot as a page that needs no other file and no network, and return the paths.

    Raises
    ------
    VecsmithError
        If plotly is missing, or umap-learn for a map.
    """
    paths = [folder / f"{plot.name}.html" for plot in plots]
    for plot, path in zip(plots, paths, strict=True):
        write_text(path, page(plot))
    return paths


def page(plot: Plot | Map) -> str:
    """Return a plot as an HTML document."""
    figure = _map(plot) if isinstance(plot, Map) else _curves(plot)
    figure.update_layout(template="plotly_white", title=plot.title, showlegend=True)
    return str(figure.to_html(include_plotlyjs=True, config={"displaylogo": False}))


def _curves(plot: Plot) -> Any:
    go = require("plotly.graph_objects", "report")
    figure = go.Figure()
    for name, points in plot.lines.items():
        x, y = zip(*points, strict=True)
        figure.add_trace(go.Scatter(x=x, y=y, name=name, mode="lines+markers" if plot.joined else "markers"))
    figure.update_xaxes(title_text=plot.x_label)
    figure.update_yaxes(title_text=plot.y_label)
    return figure


def _map(plot: Map) -> Any:
    """Return the groups laid out together (McInnes, Healy and Melville 2018), with labels to hover over."""
    go, umap = require("plotly.graph_objects", "report"), require("umap", "report")
    vectors = np.vstack(list(plot.groups.values()))
    layout = umap.UMAP(metric="cosine", random_state=SEED, n_jobs=1).fit_transform(vectors)
    figure = go.Figure()
    # plotly takes a text for markup
    labels = [html.escape(label) for label in plot.labels]
    for name, points in zip(plot.groups, np.split(layout, len(plot.groups)), strict=True):
        style = {"mode": "markers", "marker": {"size": 5, "opacity": 0.7}, "hoverinfo": "text+name"}
        figure.add_trace(go.Scatter(x=points[:, 0], y=points[:, 1], name=name, text=labels, **style))
    # distances along an axis of UMAP mean nothing
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, scaleanchor="x")
    return figure
