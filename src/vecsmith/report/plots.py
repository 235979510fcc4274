"""Maps and kernel matrices of findings as self-contained HTML pages, drawn by plotly."""

import html
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from vecsmith.errors import require
from vecsmith.files import write_text
from vecsmith.report.findings import Findings, Kernels, Map

SEED = 0
"""Seed of the layout of maps."""
MIN_MAP_VECTORS = 4
"""Minimum vectors for a UMAP layout."""
COLOR_PERCENTILES = (1, 99)
"""Percentiles of similarities at the ends of the color scale."""


def can_draw(plot: Map | Kernels) -> bool:
    """Return whether plotly is installed, and umap-learn for a map."""
    return find_spec("plotly") is not None and (not isinstance(plot, Map) or find_spec("umap") is not None)


def left_out(findings: Findings) -> str | None:
    """Return a sentence about the maps that a missing package prevents, or None."""
    missing = [plot for plot in findings.maps if not can_draw(plot)]
    if not missing:
        return None
    package = "plotly" if find_spec("plotly") is None else "umap-learn"
    names = ", ".join(f"{plot.name}.html" for plot in missing)
    return f"Not drawn, because {package} is missing: {names}; pip install 'vecsmith[report]' and run the study again."


def write_plots(folder: Path, plots: Sequence[Map | Kernels]) -> list[Path]:
    """Write each map or matrix as a self-contained HTML page and return the paths.

    Raises
    ------
    VecsmithError
        If plotly is not installed, or umap-learn for a map.
    """
    paths = [folder / f"{plot.name}.html" for plot in plots]
    for plot, path in zip(plots, paths, strict=True):
        write_text(path, page(plot))
    return paths


def page(plot: Map | Kernels) -> str:
    """Return a map or matrix as an HTML document."""
    figure = _map(plot) if isinstance(plot, Map) else _kernels(plot)
    figure.update_layout(template="plotly_white", title=plot.title, showlegend=True)
    return str(figure.to_html(include_plotlyjs=True, config={"displaylogo": False}))


def _map(plot: Map) -> Any:
    """Return a UMAP layout of all groups together (McInnes, Healy and Melville 2018), with labels on hover.

    Lines join the vectors of the same item.
    """
    go, umap = require("plotly.graph_objects", "report"), require("umap", "report")
    vectors = np.vstack(list(plot.groups.values()))
    figure = go.Figure()
    if len(vectors) < MIN_MAP_VECTORS:
        return figure.add_annotation(text=f"{len(vectors)} vectors are too few for a map.", showarrow=False)
    layout = umap.UMAP(metric="cosine", random_state=SEED, n_jobs=1).fit_transform(vectors)
    # plotly reads labels as HTML
    labels = [html.escape(label) for label in plot.labels]
    groups = np.split(layout, len(plot.groups))
    # plotly breaks a line at a NaN
    lines = np.stack([*groups, np.full_like(groups[0], np.nan)], axis=1).reshape(-1, 2)
    pale = {"mode": "lines", "line": {"width": 1}, "hoverinfo": "skip", "showlegend": False}
    # the first color is used by the lines
    figure.update_layout(colorway=["lightgrey", *require("plotly.colors", "report").qualitative.Plotly])
    figure.add_trace(go.Scatter(x=lines[:, 0], y=lines[:, 1], **pale))
    for name, points in zip(plot.groups, groups, strict=True):
        style = {"mode": "markers", "marker": {"size": 5, "opacity": 0.7}, "hoverinfo": "text+name"}
        figure.add_trace(go.Scatter(x=points[:, 0], y=points[:, 1], name=name, text=labels, **style))
    # the axes of a UMAP layout have no meaning
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, scaleanchor="x")
    return figure


def _kernels(plot: Kernels) -> Any:
    """Return the matrices as heat maps side by side, with shared colors and zoom, and labels on hover."""
    go, subplots = require("plotly.graph_objects", "report"), require("plotly.subplots", "report")
    titles = [html.escape(name) for name in plot.matrices]
    figure = subplots.make_subplots(1, len(titles), subplot_titles=titles, horizontal_spacing=0.02)
    labels = [html.escape(label) for label in plot.labels]
    for column, (title, matrix) in enumerate(zip(titles, plot.matrices.values(), strict=True), 1):
        hover = f"%{{y}}<br>%{{x}}<br>%{{z:.3f}}<extra>{title}</extra>"
        cells = go.Heatmap(z=matrix, x=labels, y=labels, coloraxis="coloraxis", hovertemplate=hover)
        figure.add_trace(cells, row=1, col=column)
    # the diagonal is left out, because it would take the brightest colors
    apart = ~np.eye(len(labels), dtype=bool)
    shown = np.concatenate([matrix[apart] for matrix in plot.matrices.values()])
    low, high = np.percentile(shown, COLOR_PERCENTILES) if len(shown) else (0, 1)
    figure.update_coloraxes(colorscale="Viridis", cmin=low, cmax=high)
    figure.update_xaxes(matches="x", showticklabels=False, constrain="domain")
    figure.update_yaxes(matches="y", showticklabels=False, autorange="reversed", scaleanchor="x", constrain="domain")
    return figure
