"""Diagrams of architectures: boxes in columns, joined by arrows, drawn as SVG."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from vecsmith.report.pictures import svg, text_of

Kind = Literal["text", "model", "fitted", "stored", "measure"]
"""Role of a box: data, a given model, a fitted map, stored data, or a measure."""
KINDS: Mapping[Kind, str] = {
    "model": "given model",
    "fitted": "fitted or fixed map",
    "stored": "stored",
    "measure": "measured",
}
"""Labels of the kinds in the key below a diagram."""
BOX_WIDTH, LINE_HEIGHT, PADDING = 138, 16, 9
COLUMN_GAP, ROW_GAP, MARGIN = 34, 18, 14
"""Distances between boxes and to the edges of the picture, in pixels."""
NAME_LENGTH, LINE_LENGTH = 18, 21
"""Characters of a line of a name and of a detail in a box."""
CHARACTER = 6.4
"""Mean width of a character of the key, in pixels."""


@dataclass(frozen=True)
class Box:
    """A box of a diagram.

    Attributes
    ----------
    name : str
        Text in bold; arrows refer to it.
    detail : str
        Text below it.
    kind : str
        A key of `KINDS`, or ``"text"``.
    """

    name: str
    detail: str = ""
    kind: Kind = "text"

    @property
    def lines(self) -> tuple[list[str], list[str]]:
        """Lines of the name and of the detail."""
        return _wrapped(self.name, NAME_LENGTH), _wrapped(self.detail, LINE_LENGTH)

    @property
    def height(self) -> float:
        """Height in pixels."""
        return 2 * PADDING + LINE_HEIGHT * sum(map(len, self.lines))


@dataclass(frozen=True)
class Diagram:
    """Boxes in columns from left to right, joined by arrows.

    Attributes
    ----------
    name : str
        Name of its file.
    title : str
        Content of the diagram.
    columns : sequence of sequence of Box or None
        The boxes of each column, from top to bottom; None leaves a row free. The names in a diagram differ.
    arrows : sequence of (str, str)
        Names of the boxes at the two ends.
    dashed : sequence of (str, str)
        Further arrows, for comparisons.
    """

    name: str
    title: str
    columns: Sequence[Sequence[Box | None]]
    arrows: Sequence[tuple[str, str]]
    dashed: Sequence[tuple[str, str]] = field(default=())


def diagram_svg(diagram: Diagram, alone: bool = True) -> str:
    """Return a diagram as SVG, with a key to its boxes.

    Parameters
    ----------
    diagram : Diagram
        The diagram.
    alone : bool
        As for `vecsmith.report.pictures.svg`.
    """
    places = _places(diagram.columns)
    bottom = max(top + box.height for _, top, box in places.values())
    parts = [
        *(_arrow(places, *arrow, "arrow") for arrow in diagram.arrows),
        *(_arrow(places, *arrow, "arrow dashed") for arrow in diagram.dashed),
        *(_box(*place) for place in places.values()),
    ]
    width = 2 * MARGIN + len(diagram.columns) * (BOX_WIDTH + COLUMN_GAP) - COLUMN_GAP
    used = [kind for kind in KINDS if any(box.kind == kind for _, _, box in places.values())]
    key_top, key_left = bottom + 24, float(MARGIN)
    for kind in used:
        parts.append(f'<rect class="box {kind}" x="{key_left:.1f}" y="{key_top:.1f}" width="20" height="12" rx="3"/>')
        parts.append(f'<text class="quiet" x="{key_left + 27:.1f}" y="{key_top + 10:.1f}">{KINDS[kind]}</text>')
        key_left += 52 + CHARACTER * len(KINDS[kind])
    return svg(max(width, key_left), key_top + 12 + MARGIN, diagram.title, "\n".join(parts), alone)


def _places(columns: Sequence[Sequence[Box | None]]) -> dict[str, tuple[float, float, Box]]:
    """Return the left and the top of every box, by its name.

    Boxes of columns with an entry for every row are level with each other. Other columns spread over the height.
    """
    n_rows = max(map(len, columns))
    rows = [max(box.height for c in columns if len(c) == n_rows and (box := c[row])) for row in range(n_rows)]
    tallest = max([_height(rows), *(_height([box.height for box in column if box]) for column in columns)])
    places: dict[str, tuple[float, float, Box]] = {}
    for number, column in enumerate(columns):
        left = MARGIN + number * (BOX_WIDTH + COLUMN_GAP)
        if len(column) < n_rows:
            column = [box for box in column if box]
        heights = rows if len(column) == n_rows else [box.height for box in column if box]
        # a column of few boxes has the free height above, between and below them
        free = (tallest - _height(heights)) / (len(heights) + 1)
        top = MARGIN + free
        for box, height in zip(column, heights, strict=True):
            if box:
                places[box.name] = (left, top + (height - box.height) / 2, box)
            top += height + ROW_GAP + free
    return places


def _height(heights: Sequence[float]) -> float:
    return sum(heights) + ROW_GAP * (len(heights) - 1)


def _wrapped(text: str, length: int) -> list[str]:
    """Return the lines of a text; long specs are broken after a comma too."""
    breakable = text if len(text) <= length else text.replace(",", ", ")
    return textwrap.wrap(breakable, length)


def _box(left: float, top: float, box: Box) -> str:
    names, details = box.lines
    texts = [("name", line) for line in names] + [("quiet", line) for line in details]
    rows = "".join(
        f'<text class="{style}" x="{left + BOX_WIDTH / 2:.1f}" y="{top + PADDING + LINE_HEIGHT * (row + 0.76):.1f}" '
        f'text-anchor="middle">{text_of(line)}</text>'
        for row, (style, line) in enumerate(texts)
    )
    return (
        f'<rect class="box {box.kind}" x="{left:.1f}" y="{top:.1f}" width="{BOX_WIDTH}" height="{box.height:.1f}" '
        f'rx="7"/>{rows}'
    )


def _arrow(places: Mapping[str, tuple[float, float, Box]], start: str, end: str, style: str) -> str:
    """Return an arrow from the right side of a box to the left side of another, or between boxes of one column."""
    (x1, top1, box1), (x2, top2, box2) = places[start], places[end]
    if x1 == x2:
        down = top2 > top1
        x = x1 + BOX_WIDTH / 2
        y1, y2 = (top1 + box1.height, top2 - 6) if down else (top1, top2 + box2.height + 6)
        head = f"{x - 4:.1f},{y2:.1f} {x + 4:.1f},{y2:.1f} {x:.1f},{y2 + (6 if down else -6):.1f}"
        return f'<path class="{style}" d="M{x:.1f} {y1:.1f}V{y2:.1f}"/><polygon class="head" points="{head}"/>'
    x1, y1, x2, y2 = x1 + BOX_WIDTH, top1 + box1.height / 2, x2 - 6, top2 + box2.height / 2
    bend = min(COLUMN_GAP, (x2 - x1)) / 2
    # the curve bends in the gap before its end, so that it passes other boxes on the level of its start
    path = f"M{x1:.1f} {y1:.1f}H{x2 - 2 * bend:.1f}C{x2 - bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    head = f"{x2:.1f},{y2 - 4:.1f} {x2:.1f},{y2 + 4:.1f} {x2 + 6:.1f},{y2:.1f}"
    return f'<path class="{style}" d="{path}"/><polygon class="head" points="{head}"/>'
