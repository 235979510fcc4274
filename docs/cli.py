"""Write docs/cli.md from the real ``--help`` of every command, or check that it is up to date."""

import os
import sys
from pathlib import Path

import typer
from typer.testing import CliRunner

from vecsmith.cli import app

PAGE = Path(__file__).with_name("cli.md")
WIDTH = 100


def page() -> str:
    """Return the page as it should be."""
    lines = ["# The command line", "", "Made by `make docs` from the real `--help`; CI checks that they agree.", ""]
    # the group's own help comes first
    for path in [[], *([name] for name in typer.main.get_group(app).commands)]:
        arguments = [*path, "--help"]
        result = CliRunner().invoke(app, arguments, prog_name="vecsmith", terminal_width=WIDTH, max_content_width=WIDTH)
        lines += [f"## {' '.join(['vecsmith', *path])}", "", "```", result.output.strip(), "```", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    # the width of the terminal it runs in must not show
    os.environ.pop("COLUMNS", None)
    if "--check" not in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        sys.exit(f"{PAGE} does not equal the real --help; run make docs")
