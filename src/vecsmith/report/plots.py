"""A study's plots, as pages of their own."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from vecsmith.errors import require
from vecsmith.files import write_text
from vecsmith.studies import Plot

HOW_TO = "The plots were left out, since plotly is missing; pip install 'vecsmith[report]' and run the study again."


def can_plot() -> bool:
    """Whether plotly is installed."""
    return find_spec("plotly") is not None


def write_plots(folder: Path, plots: Sequence[Plot]) -> list[Path]:
    """Write each plot as a page that needs no other file and no network, and return the paths.

    Raises
    ------
    VecsmithError
        If plotly is missing.
    """
    paths = [folder / f"{plot.name}.html" for plot in plots]
    for plot, path in zip(plots, paths, strict=True):
        write_text(path, page(plot))
    return paths


def page(plot: Plot) -> str:
    """Return a plot as an HTML document."""
    go = require("plotly.graph_objects", "report")
    figure = go.Figure()
    for name, points in plot.lines.items():
        x, y = zip(*points, strict=True)
        figure.add_trace(go.Scatter(x=x, y=y, name=name, mode="lines+markers" if plot.joined else "markers"))
    figure.update_layout(template="plotly_white", title=plot.title, showlegend=True)
    figure.update_xaxes(title_text=plot.x_label)
    figure.update_yaxes(title_text=plot.y_label)
    return str(figure.to_html(include_plotlyjs=True, config={"displaylogo": False}))
