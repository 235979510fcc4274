"""Plots of findings as SVG: lines or points on two axes, with a legend."""

import math
from collections.abc import Mapping, Sequence

from vecsmith.report.findings import Plot
from vecsmith.report.pictures import COLORS, svg, text_of

WIDTH, PLOT_HEIGHT = 860, 320
LEFT, RIGHT, TOP = 58, 18, 16
"""Margins around the plot, in pixels."""
TICKS = 6
"""Approximate number of ticks of an axis."""
LOG_RATIO = 8
"""Ratio of the largest to the smallest x from which the axis is logarithmic."""
LEGEND_ROW, CHARACTER = 20, 6.8
"""Height of a row of the legend and mean width of a character, in pixels."""


def plot_svg(plot: Plot, alone: bool = True) -> str:
    """Return a plot as SVG; each point has its line and coordinates as a tooltip.

    Parameters
    ----------
    plot : Plot
        The plot, with at least one point.
    alone : bool
        As for `vecsmith.report.pictures.svg`.
    """
    lines: Mapping[str, Sequence[tuple[float, float]]] = plot.lines
    if plot.x_names:
        # a color for each category
        lines = {plot.x_names[int(x)]: [(x, y)] for line in plot.lines.values() for x, y in line}
    x_axis = _Axis([x for line in lines.values() for x, _ in line], LEFT, WIDTH - RIGHT, may_be_log=True)
    y_axis = _Axis([y for line in lines.values() for _, y in line], TOP + PLOT_HEIGHT, TOP)
    legend, legend_height = _legend(list(lines))
    bottom = TOP + PLOT_HEIGHT
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts = [
        *(part for y in y_axis.ticks for part in _level(y_axis.place(y), y_axis.label(y))),
        *(part for x in x_axis.ticks for part in _upright(x_axis.place(x), x_axis.label(x))),
        f'<text x="{middle}" y="{bottom + 40}" text-anchor="middle">{text_of(plot.x_label)}</text>',
        f'<text x="14" y="{TOP + PLOT_HEIGHT / 2}" text-anchor="middle" '
        f'transform="rotate(-90 14 {TOP + PLOT_HEIGHT / 2})">{text_of(plot.y_label)}</text>',
    ]
    for number, (name, line) in enumerate(lines.items()):
        pixels = [(x_axis.place(x), y_axis.place(y)) for x, y in line]
        parts.append(f'<g class="color-{number % COLORS}">')
        if plot.joined:
            parts.append(f'<polyline class="line" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in pixels)}"/>')
        parts += [
            f'<circle class="dot" cx="{left:.1f}" cy="{top:.1f}" r="4">'
            f"<title>{text_of(f'{name}: {plot.x_label} {x:g}, {plot.y_label} {y:g}')}</title></circle>"
            for (left, top), (x, y) in zip(pixels, line, strict=True)
        ]
        parts.append("</g>")
    parts.append(f'<g transform="translate(0 {bottom + 62})">{legend}</g>')
    return svg(WIDTH, bottom + 58 + legend_height, plot.title, "\n".join(parts), alone)


def _level(y: float, label: str) -> tuple[str, str]:
    """Return a line of the grid and its label on the left."""
    return (
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>',
        f'<text class="quiet" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>',
    )


def _upright(x: float, label: str) -> tuple[str, str]:
    """Return a line of the grid and its label at the bottom."""
    bottom = TOP + PLOT_HEIGHT
    return (
        f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}"/>',
        f'<text class="quiet" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{label}</text>',
    )


class _Axis:
    """Ticks of an axis, and the pixel of each value.

    Parameters
    ----------
    values : sequence of float
        The values to show.
    first, last : float
        Pixels of the lower and the upper end.
    may_be_log : bool
        Whether the axis is logarithmic for positive values whose ratio is at least `LOG_RATIO`.
    """

    def __init__(self, values: Sequence[float], first: float, last: float, may_be_log: bool = False) -> None:
        low, high = min(values), max(values)
        self.first, self.last = first, last
        self.log = may_be_log and low > 0 and high / low >= LOG_RATIO
        if self.log:
            self.low, self.high = math.log(low) - 0.08, math.log(high) + 0.08
            distinct = sorted(set(values))
            # the widths or bytes that were measured, as far as their labels leave room
            self.ticks = [
                value
                for number, value in enumerate(distinct)
                if number == 0 or value >= 1.25 * distinct[number - 1] or number == len(distinct) - 1
            ]
            return
        spread = (high - low) or abs(high) or 1.0
        low, high = low - 0.04 * spread, high + 0.04 * spread
        step = 10 ** math.floor(math.log10((high - low) / TICKS))
        step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= TICKS)
        self.low, self.high, self.step = low, high, step
        self.ticks = [step * number for number in range(math.ceil(low / step), math.floor(high / step) + 1)]

    def place(self, value: float) -> float:
        """Return the pixel of a value."""
        share = ((math.log(value) if self.log else value) - self.low) / (self.high - self.low)
        return self.first + share * (self.last - self.first)

    def label(self, tick: float) -> str:
        """Return the text of a tick."""
        if self.log:
            return f"{tick:,g}"
        return f"{tick:,.{max(0, -math.floor(math.log10(self.step)))}f}"


def _legend(names: Sequence[str]) -> tuple[str, float]:
    """Return the legend, in as many rows as the names need, and its height in pixels."""
    parts, x, y = [], float(LEFT), 14.0
    for number, name in enumerate(names):
        width = 26 + CHARACTER * len(name)
        if x + width > WIDTH - RIGHT and x > LEFT:
            x, y = LEFT, y + LEGEND_ROW
        parts.append(
            f'<g class="color-{number % COLORS}"><circle class="dot" cx="{x + 5:.1f}" cy="{y - 4}" r="5"/></g>'
            f'<text x="{x + 16:.1f}" y="{y}">{text_of(name)}</text>'
        )
        x += width
    return "".join(parts), y + 12
