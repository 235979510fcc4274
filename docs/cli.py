"""Write docs/cli.md from the real ``--help`` of every command, or check that it is up to date."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.testing import CliRunner

from vecsmith.cli import app

PAGE = Path(__file__).with_name("cli.md")
WIDTH = 100


def page() -> str:
    """Return the page as it should be."""
    lines = ["# The command line", "", "Made by `make docs` from the real `--help`; CI checks that they agree.", ""]
    for path in paths(typer.main.get_group(app)):
        arguments = [*path, "--help"]
        result = CliRunner().invoke(app, arguments, prog_name="vecsmith", terminal_width=WIDTH, max_content_width=WIDTH)
        lines += [f"## {' '.join(['vecsmith', *path])}", "", "```", result.output.strip(), "```", ""]
    return "\n".join(lines)


def paths(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the names that lead to a command, and to each of its own if it is a group."""
    yield path
    for name, each in getattr(command, "commands", {}).items():
        yield from paths(each, (*path, name))


if __name__ == "__main__":
    # the width of the terminal it runs in must not show
    os.environ.pop("COLUMNS", None)
    if "--check" not in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        sys.exit(f"{PAGE} does not equal the real --help; run make docs")
