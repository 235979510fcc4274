"""Statistics of vectors as text for the terminal, and as an HTML page with plots."""

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from vecsmith.advise.inspection import BINS, NEAR_DUPLICATE_COSINE, SHARES, Inspection
from vecsmith.advise.suggestions import Suggestion, counted
from vecsmith.errors import VecsmithError, require
from vecsmith.outputs import check_file, output_file

BARS = " ▁▂▃▄▅▆▇█"
HISTOGRAM_BINS = 25
BLUE, ORANGE = "#3b6ea8", "#d9822b"

Values = NDArray[np.floating[Any]] | NDArray[np.integer[Any]]


def inspection_terminal(source: str, facts: Inspection, suggestions: Sequence[Suggestion]) -> RenderableType:
    """Return statistics and suggestions as rich text that fits 100 columns.

    Parameters
    ----------
    source : str
        Name of the file or folder of the vectors.
    facts : Inspection
        Statistics of the vectors.
    suggestions : sequence of Suggestion
        Suggested codecs, the most important first.
    """
    parts: list[RenderableType] = [Text(source, style="dim"), Text(_heading(facts), style="bold"), Text()]
    parts += [_pairs(_sentences(facts)), Text()]
    parts += [Rule("cosines", align="left", style="dim"), _cosines(facts), Text()]
    parts += [Rule("dimensions", align="left", style="dim"), _dimensions(facts), Text()]
    parts += [Rule("principal components", align="left", style="dim"), *_spectrum(facts), Text()]
    parts += [Rule("suggested codecs", align="left", style="dim")]
    for codecs, because in suggestions:
        parts += [Text(" · ".join(codecs) or "note", style="bold"), Padding(Text(because), (0, 0, 0, 4))]
    return Group(*parts)


def _heading(facts: Inspection) -> str:
    return f"{facts.rows:,} vectors of {facts.dimensions:,} dimensions, {facts.dtype}"


def _sentences(facts: Inspection) -> dict[str, str]:
    """Return statistics of the set as a whole in words, by name."""
    low, middle, high = np.quantile(facts.nearest, (0.01, 0.5, 0.99))
    length = f"{facts.norm_min:.4g} to {facts.norm_max:.4g}, mean {facts.norm_mean:.4g}: "
    length += "normalized" if facts.normalised else "not normalized"
    length += f"; {facts.zero_rows:,} all zero" if facts.zero_rows else ""
    sampled = f"{len(facts.nearest):,} rows"
    return {
        "length": length,
        "mean": f"has {facts.mean_share:.1%} of the squared length, which all vectors share",
        "cosine": f"{facts.cosine_mean:.2f} ± {facts.cosine_spread:.2f} between two random rows",
        "neighbor": f"cosine {middle:.2f} to the nearest other row, {low:.2f} to {high:.2f} for 98% of {sampled}",
        "duplicates": f"{counted(facts.duplicates)} an earlier one; {facts.near_duplicates:.1%} of {sampled} have "
        f"another at a cosine of {NEAR_DUPLICATE_COSINE} or more",
        "signs": f"cosine {facts.sign_cosine:.3f} between a vector and its signs (normal distribution: 0.798)",
        "balance": f"{facts.unbalanced:,} of {facts.dimensions:,} dimensions are positive in under a quarter or over "
        "three quarters of the rows",
        "outliers": _outliers(facts),
    }


def _outliers(facts: Inspection) -> str:
    largest = ", ".join(f"{i} ({facts.size[i]:.1f}×)" for i in facts.outliers[:5])
    more = f" and {len(facts.outliers) - 5} more" if len(facts.outliers) > 5 else ""
    named = "dimension " if len(facts.outliers) == 1 else "dimensions "
    large = f"{named}{largest}{more}" if largest else "no dimension"
    return f"{large} over three times the median dimension's size, {len(facts.idle)} under a tenth of it"


def _pairs(sentences: dict[str, str]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, sentence in sentences.items():
        table.add_row(Text(name, style="dim"), sentence)
    return table


def _cosines(facts: Inspection) -> Table:
    """Return the histograms of cosines, from the smallest cosine to 1."""
    nearest = np.histogram(facts.nearest, BINS)[0]
    first = int(np.flatnonzero(facts.pairs + nearest)[0]) // 2
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, counts, color in (("two random rows", facts.pairs, BLUE), ("a row and its nearest", nearest, ORANGE)):
        table.add_row(name, Text(sparkline(counts.reshape(-1, 2).sum(axis=1)[first:]), style=color))
    low, width = f"{BINS[2 * first]:.2f}", len(BINS) // 2 - first
    table.add_row("", Text(low + "1".rjust(width - len(low)), style="dim"))
    return table


def _dimensions(facts: Inspection) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    for name in ("", "minimum", "median", "maximum"):
        table.add_column(name, justify="right" if name else "left")
    table.add_column("histogram over dimensions")
    rows: dict[str, tuple[Values, str]] = {
        "mean": (facts.mean, "{:.3f}"),
        "standard deviation": (facts.spread, "{:.3f}"),
        "skewness": (facts.skew, "{:.2f}"),
        "positive": (facts.positive, "{:.0%}"),
    }
    for name, (values, form) in rows.items():
        figures = (float(values.min()), float(np.median(values)), float(values.max()))
        bars = sparkline(np.histogram(values, HISTOGRAM_BINS)[0])
        table.add_row(name, *map(form.format, figures), Text(bars, style=BLUE))
    return table


def _spectrum(facts: Inspection) -> list[RenderableType]:
    rank = Text(
        f"effective rank {facts.effective_rank:.0f} (entropy), {facts.participation_ratio:.0f} (participation ratio) "
        f"of {facts.dimensions}"
    )
    shares = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    shares.add_column("share of the variance in the first")
    for k in facts.cuts:
        shares.add_column(f"{k}", justify="right")
    shares.add_row("principal components", *(f"{facts.in_components(k):.1%}" for k in facts.cuts))
    shares.add_row("stored dimensions", *(f"{facts.in_prefix(k):.1%}" for k in facts.cuts))
    shares.add_row("ratio of the latter to the former", *(f"{facts.prefix_ratio(k):.2f}" for k in facts.cuts))
    sizes = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    sizes.add_column("share of the variance to keep")
    for share in SHARES:
        sizes.add_column(f"{share:.0%}", justify="right")
    sizes.add_row("minimum bytes per vector", *(f"{facts.bytes_for(share):.1f}" for share in SHARES))
    return [rank, Text(), shares, Text(), sizes]


def sparkline(counts: Values) -> str:
    """Return counts as a line of bars. The largest count is a full bar, and counts above zero are visible."""
    top = max(float(counts.max()), 1)
    return "".join(BARS[0 if not count else max(round(8 * float(count) / top), 1)] for count in counts)


def check_page(path: Path, force: bool = False) -> None:
    """Raise an error if a page cannot be written, before the statistics are computed.

    Raises
    ------
    VecsmithError
        If the file name does not end in ``.html``, the file exists and was not written by vecsmith, or plotly is not
        installed.
    """
    if path.suffix != ".html":
        raise VecsmithError(f"--out {path} must end in .html: the output is a page for the browser.")
    check_file(path, force)
    require("plotly", "report")


def write_page(
    path: Path, source: str, facts: Inspection, suggestions: Sequence[Suggestion], force: bool = False
) -> None:
    """Write statistics, plots and suggestions as a self-contained HTML page.

    Parameters
    ----------
    path : Path
        The file, which ends in ``.html``.
    source : str
        Name of the file or folder of the vectors.
    facts : Inspection
        Statistics of the vectors.
    suggestions : sequence of Suggestion
        Suggested codecs, the most important first.
    force : bool
        Whether to replace a file that vecsmith did not write.

    Raises
    ------
    VecsmithError
        As `check_page`.
    """
    check_page(path, force)
    drawn = _figure(facts).to_html(full_html=False, include_plotlyjs=True, config={"displaylogo": False})
    listed = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(said)}</dd>" for name, said in _sentences(facts).items()
    )
    advice = "".join(
        f"<p><b>{html.escape(' · '.join(codecs) or 'Note')}</b><br>{html.escape(because)}</p>"
        for codecs, because in suggestions
    )
    title, source = html.escape(_heading(facts)), html.escape(source)
    page = PAGE.format(title=title, source=source, facts=listed, figure=drawn, advice=advice)
    with output_file(path, {"content": "inspection"}, force) as temporary:
        temporary.write_text(page, encoding="utf-8")


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 1100px; margin: 2em auto; padding: 0 1em }}
h1 {{ font-size: 1.3em; margin-top: 0 }}
.source {{ color: #777; margin: 0; overflow-wrap: anywhere }}
h2 {{ font-size: 1.1em; margin-top: 2em }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .2em 1.5em }}
dt {{ color: #777 }} dd {{ margin: 0 }}
p {{ max-width: 50em }}
</style></head><body>
<p class="source">{source}</p>
<h1>{title}</h1>
<dl>{facts}</dl>
{figure}
<h2>Suggested codecs</h2>
{advice}
</body></html>
"""


def _figure(facts: Inspection) -> Any:
    """Return the plots: four panels of lines, histograms and points."""
    go, subplots = require("plotly.graph_objects", "report"), require("plotly.subplots", "report")
    d = facts.dimensions
    titles = ("Variance in the first k", "Minimum bytes for a share of the variance", "Cosines", "Dimensions")
    figure = subplots.make_subplots(2, 2, subplot_titles=titles, vertical_spacing=0.15, horizontal_spacing=0.1)

    def line(x: Any, y: Any, name: str, color: str, row: int, column: int, **more: Any) -> None:
        style = {"mode": "lines", "line": {"color": color}, "showlegend": column == 1, **more}
        figure.add_trace(go.Scatter(x=x, y=y, name=name, **style), row=row, col=column)

    k = list(range(1, d + 1))
    line(k, [facts.in_components(i) for i in k], "principal components", BLUE, 1, 1)
    line(k, [facts.in_prefix(i) for i in k], "stored dimensions", ORANGE, 1, 1)
    curve = np.linspace(0.01, 0.995, 198)
    line([facts.bytes_for(share) for share in curve], curve, "", BLUE, 1, 2)
    marks = [facts.bytes_for(share) for share in SHARES]
    labels = {"text": [f"{size:.0f} B" for size in marks], "textposition": "bottom right"}
    line(marks, SHARES, "", ORANGE, 1, 2, mode="markers+text", **labels)
    nearest = np.histogram(facts.nearest, BINS)[0]
    middles, filled = (BINS[1:] + BINS[:-1]) / 2, {"line_shape": "hvh", "fill": "tozeroy", "legend": "legend2"}
    line(middles, facts.pairs / max(int(facts.pairs.sum()), 1), "two random rows", BLUE, 2, 1, **filled)
    line(middles, nearest / len(facts.nearest), "a row and its nearest", ORANGE, 2, 1, **filled)
    dots = {"mode": "markers", "marker": {"size": 5, "opacity": 0.6}, "text": [f"dimension {i}" for i in range(d)]}
    line(facts.positive, facts.size, "", BLUE, 2, 2, **dots)
    least = BINS[np.flatnonzero(facts.pairs + nearest)[0]]
    figure.update_xaxes(title_text="k", row=1, col=1)
    figure.update_xaxes(title_text="bytes per vector", row=1, col=2)
    figure.update_xaxes(title_text="cosine", range=[least - 0.02, 1], row=2, col=1)
    figure.update_xaxes(title_text="share of positive values", tickformat=".0%", range=[0, 1], row=2, col=2)
    for column in (1, 2):
        figure.update_yaxes(title_text="share of the variance", tickformat=".0%", range=[0, 1.03], row=1, col=column)
    figure.update_yaxes(title_text="share", tickformat=".0%", row=2, col=1)
    figure.update_yaxes(title_text="size relative to the median dimension", rangemode="tozero", row=2, col=2)
    style = {"x": 0.44, "xanchor": "right", "bgcolor": "rgba(255,255,255,0.7)"}
    figure.update_layout(template="plotly_white", height=820, margin={"l": 60, "r": 20, "t": 50, "b": 50})
    figure.update_layout(legend={**style, "y": 0.6, "yanchor": "bottom"}, legend2={**style, "x": 0.01, "y": 0.41})
    figure.update_layout(legend2_xanchor="left")
    return figure
