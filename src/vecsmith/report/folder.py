"""The folder that a comparison writes: ``table.md``, ``table.csv`` and ``results.jsonl``."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from vecsmith.errors import VecsmithError
from vecsmith.files import write_text
from vecsmith.report.tables import csv_table, markdown_table
from vecsmith.results import Result, write_results

RESULTS = "results.jsonl"


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds something else than an earlier comparison.

    Raises
    ------
    VecsmithError
        If `folder` is a file, or has files but no ``results.jsonl``.
    """
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / RESULTS).is_file()):
        raise VecsmithError(f"--out {folder} already holds something else; give another folder or remove it.")


def write_folder(folder: Path, results: Sequence[Result], notes: Iterable[str] = ()) -> list[Path]:
    """Write the three files, replacing those of an earlier comparison, and return their paths."""
    check_folder(folder)
    write_results(folder / RESULTS, results)
    write_text(folder / "table.md", markdown_table(results, notes))
    write_text(folder / "table.csv", csv_table(results))
    return [folder / "table.md", folder / "table.csv", folder / RESULTS]
