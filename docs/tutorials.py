"""Run the tutorials and write their pages: text, code, and the output of the code.

A tutorial is a script ``docs/tutorials/NAME.py`` in cells: ``# %% [markdown]`` begins text in comments, and ``# %%``
begins code. Editors and Jupyter open such a script as a notebook. ``docs/tutorials/NAME.md`` is its page. The tests run
the scripts and compare the outputs with the pages.
"""

import io
import re
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "tutorials"
CELL = re.compile(r"^# %%(?P<kind> \[markdown\])?\n", flags=re.MULTILINE)


def scripts() -> list[Path]:
    """Return the paths of the tutorials."""
    return sorted(FOLDER.glob("*.py"))


def page(script: Path) -> str:
    """Run a tutorial in the current folder, and return its page.

    Parameters
    ----------
    script : Path
        Script in cells.

    Returns
    -------
    str
        Markdown: the text, the code, and below each cell of code its output.
    """
    _, *cells = CELL.split(script.read_text(encoding="utf-8"))
    variables: dict[str, Any] = {"__name__": "__main__"}
    parts = []
    for kind, cell in zip(cells[::2], cells[1::2], strict=True):
        if kind:
            parts.append(re.sub(r"^# ?", "", cell.strip(), flags=re.MULTILINE))
            continue
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(compile(cell, str(script), "exec"), variables)
        parts.append(f"```python\n{cell.strip()}\n```")
        if printed.getvalue():
            parts.append(f"```text\n{printed.getvalue().rstrip()}\n```")
    note = f"*This page is the output of `docs/tutorials/{script.name}`, which the tests run.*"
    return "\n\n".join([*parts, note]) + "\n"


if __name__ == "__main__":
    for script in scripts() if len(sys.argv) == 1 else map(Path, sys.argv[1:]):
        script.with_suffix(".md").write_text(page(script), encoding="utf-8")
