"""Draw docs/images/frontier.svg, the picture of the README, from committed results; ``--check`` compares it with them.

The picture shows bytes per vector against retention of nDCG@10: the codes of MiniLM alone, those of FAISS, and the
codes of MiniLM fused with a static model. Colours follow the reader's light or dark mode.
"""

import math
import re
import sys
from collections.abc import Iterable
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "images" / "frontier.svg"
RESULTS = ROOT / "benchmarks" / "results"

Point = tuple[int, float, str]
"""Bytes per vector, retention in percent, codec."""

SIZE = (860, 470)
PLOT = (64, 92, 836, 400)
"""Left, top, right and bottom of the plot, in pixels."""
BYTES = (10, 2000)
"""Range of the logarithmic axis of bytes."""
RETENTION = (78, 105)
"""Range of the axis of retention, in percent."""
FAMILIES = {
    "fused": ("MiniLM + static model, trellis codes", r"fuse\(minilm,wordllama\):fit,trellis\d+B"),
    "trellis": ("MiniLM, trellis codes, then int4, int8", r"trellis\d+B"),
    "hybrid": ("MiniLM, hybrid codes", r"hybrid\d+B"),
    "faiss": ("MiniLM, the best of FAISS's codes", r"faiss:\S+"),
}
"""Class in the style sheet, label, and pattern of the codecs."""
STYLE = """
svg { color-scheme: light dark; --paper: #ffffff; --ink: #1b2733; --faint: #66727f; --grid: #e3e7eb;
  --fused: #00796b; --trellis: #3f51b5; --hybrid: #8e6bbf; --faiss: #b26a00; }
@media (prefers-color-scheme: dark) { svg { --paper: #14191f; --ink: #e8edf2; --faint: #9aa7b4; --grid: #2b333c;
  --fused: #4dd0b8; --trellis: #9fa8ff; --hybrid: #ceb3f5; --faiss: #ffb74d; } }
text { font: 14px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; fill: var(--ink); }
.title { font-size: 21px; font-weight: 650; } .note { fill: var(--faint); font-size: 13px; }
.paper { fill: var(--paper); } .grid { stroke: var(--grid); } .baseline { stroke: var(--faint); stroke-dasharray: 5 4; }
polyline { fill: none; stroke-width: 2; } .dot { stroke: var(--paper); stroke-width: 1.5; }
.ring { fill: none; stroke: var(--ink); stroke-width: 1.5; }
""" + "".join(
    f".{name}-line {{ stroke: var(--{name}); }} .{name}-fill {{ fill: var(--{name}); }}\n" for name in FAMILIES
)


def points(table: str, pattern: str) -> list[Point]:
    """Return the points of a family: lines of a table of results with a codec, its bytes and the mean of the tasks."""
    line = re.compile(rf"^\|(?:[^|\n]*\|)*? (?P<codec>{pattern}) \|(?P<cells>.*)\|$", flags=re.MULTILINE)
    found = {}
    for match in line.finditer((RESULTS / table).read_text(encoding="utf-8")):
        cells = [cell.strip() for cell in match["cells"].split("|")]
        shares = [cell for cell in cells if re.fullmatch(r"[\d.]+%", cell)]
        if len(shares) == 4:  # three tasks and their mean
            size = [int(cell) for cell in cells if cell.isdigit()][-1]
            found[match["codec"]] = (size, float(shares[-1].rstrip("%")), match["codec"])
    return sorted(found.values())


def frontier(family: Iterable[Point]) -> list[Point]:
    """Return the best point of each size that no smaller code reaches."""
    best: list[Point] = []
    for point in sorted(family, key=lambda point: (point[0], -point[1])):
        if not best or point[1] > best[-1][1]:
            best.append(point)
    return best


def place(size: float, retention: float) -> tuple[float, float]:
    """Return the pixels of a point."""
    left, top, right, bottom = PLOT
    across = math.log(size / BYTES[0]) / math.log(BYTES[1] / BYTES[0])
    up = (retention - RETENTION[0]) / (RETENTION[1] - RETENTION[0])
    return round(left + across * (right - left), 1), round(bottom - up * (bottom - top), 1)


def axes() -> list[str]:
    """Return the grid, its labels and the line of the float32 vectors."""
    left, top, right, bottom = PLOT
    parts = []
    for retention in range(80, RETENTION[1] + 1, 5):
        y = place(BYTES[0], retention)[1]
        kind = "baseline" if retention == 100 else "grid"
        parts.append(f'<line class="{kind}" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="note" x="{left - 8}" y="{y + 4}" text-anchor="end">{retention}%</text>')
    for size in (12, 24, 48, 96, 192, 384, 768, 1536):
        x = place(size, RETENTION[0])[0]
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{top}" y2="{bottom}"/>')
        parts.append(f'<text class="note" x="{x}" y="{bottom + 20}" text-anchor="middle">{size:,}</text>')
    middle = (left + right) / 2
    parts.append(f'<text class="note" x="{middle}" y="{bottom + 44}" text-anchor="middle">bytes per vector</text>')
    return parts


def curve(name: str, family: list[Point]) -> list[str]:
    """Return the line and the dots of a family, each dot with the codec as its title."""
    pixels = [place(size, retention) for size, retention, _ in family]
    path = " ".join(f"{x},{y}" for x, y in pixels)
    dots = [
        f'<circle class="dot {name}-fill" cx="{x}" cy="{y}" r="5">'
        f"<title>{escape(codec)}: {size:,} bytes, {retention}%</title></circle>"
        for (x, y), (size, retention, codec) in zip(pixels, family, strict=True)
    ]
    return [f'<g clip-path="url(#plot)"><polyline class="{name}-line" points="{path}"/>', *dots, "</g>"]


def picture() -> str:
    """Return the picture as SVG."""
    tables = {"fused": "fusion-codes.md"}
    families = {
        name: frontier(points(tables.get(name, "quantizers.md"), pattern)) for name, (_, pattern) in FAMILIES.items()
    }
    # the largest codes of vecsmith alone are scalar ones, as those of FAISS
    families["trellis"] += points("quantizers.md", "int4") + points("quantizers.md", "int8")
    baseline = points("quantizers.md", "float32")[0]
    code = next(point for point in families["fused"] if point[0] == 48)
    parts = axes()
    for name in reversed(FAMILIES):
        parts += curve(name, families[name])
    for row, (name, (label, _)) in enumerate(FAMILIES.items()):
        y = 300 + 23 * row
        parts.append(f'<circle class="{name}-fill" cx="{PLOT[2] - 282}" cy="{y - 5}" r="5"/>')
        parts.append(f'<text x="{PLOT[2] - 268}" y="{y}">{escape(label)}</text>')
    (left, top), (right, level) = place(code[0], code[1]), place(baseline[0], baseline[1])
    parts += [
        f'<circle class="ring" cx="{left}" cy="{top}" r="10"/>',
        f'<text x="{left - 16}" y="{top - 12}" text-anchor="end">48 bytes: {code[1]}%</text>',
        f'<circle class="ring" cx="{right}" cy="{level}" r="10"/>',
        f'<circle class="dot" cx="{right}" cy="{level}" r="5" fill="var(--ink)"/>',
        f'<text x="{right + 10}" y="{level + 30}" text-anchor="end">float32, 1,536 bytes: 100%</text>',
    ]
    body = "\n".join(parts)
    summary = f"48 bytes of two models reach {code[1]} % of the retrieval quality of 1,536 bytes of one."
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE[0]} {SIZE[1]}"
  role="img" aria-label="{summary}">
<style>{STYLE}</style>
<clipPath id="plot"><rect width="{PLOT[2]}" height="{PLOT[3]}"/></clipPath>
<rect class="paper" width="{SIZE[0]}" height="{SIZE[1]}" rx="8"/>
<text class="title" x="24" y="38">48 bytes of two models retrieve better than 1,536 bytes of one</text>
<text class="note" x="24" y="62">nDCG@10 over that of MiniLM's float32 vectors, \
mean of HotpotQA-2k, SciFact and Cranfield, cross-fitted</text>
{body}
</svg>
"""


if __name__ == "__main__":
    if "--check" not in sys.argv:
        PICTURE.write_text(picture(), encoding="utf-8")
    elif PICTURE.read_text(encoding="utf-8") != picture():
        sys.exit(f"{PICTURE} does not show the committed results; run make docs")
