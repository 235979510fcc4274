"""SVG pictures that stand alone as files, or inside a page whose style sheet they share."""

import html
import re
from importlib.resources import files

COLORS = 12
"""Colors of series in ``page/page.css``."""


def text_of(value: str) -> str:
    """Return user's text for HTML or SVG: escaped, without characters that these formats forbid."""
    printable = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]", "�", value)
    return html.escape(printable.encode(errors="replace").decode())


def svg(width: float, height: float, label: str, body: str, alone: bool) -> str:
    """Return an SVG picture.

    Parameters
    ----------
    width, height : float
        Size in pixels; pictures shrink where there is less room.
    label : str
        Description for readers who cannot see the picture.
    body : str
        Its elements, which use the classes of ``page/pictures.css`` and the colors of ``page/page.css``.
    alone : bool
        Whether the picture is a file of its own. Then it holds the styles, its colors follow the light or dark mode of
        the reader's system, and it has a background.
    """
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    head, paper = "", ""
    if alone:
        head = f"<style>\n{_own_style()}</style>\n"
        paper = f'<rect class="paper" width="{width:.0f}" height="{height:.0f}" rx="8"/>\n'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="picture" {size} role="img" aria-label="{text_of(label)}">\n'
        f"{head}{paper}{body}\n</svg>\n"
    )


def _own_style() -> str:
    """Return the styles of a picture outside the report: the colors of its page, light and dark, and the classes."""
    sheet, classes = ((files("vecsmith.report") / "page" / name).read_text() for name in ("page.css", "pictures.css"))
    light, dark = (
        re.findall(r"--[\w-]+: #\w+;", sheet.split(f"{selector} {{", 1)[1].split("}", 1)[0])
        for selector in (":root", ':root[data-theme="dark"]')
    )
    return (
        f"svg {{ color-scheme: light dark; {' '.join(light)} }}\n"
        f"@media (prefers-color-scheme: dark) {{ svg {{ {' '.join(dark)} }} }}\n{classes}"
    )
