"""The folder that a comparison writes: ``table.md``, ``table.csv`` and ``results.jsonl``."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from vecsmith.errors import VecsmithError
from vecsmith.files import write_text
from vecsmith.report.summary import summary_csv, summary_markdown
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
    """Write the three files of a comparison, replacing those of an earlier one, and return their paths."""
    return _write(folder, results, markdown_table(results, notes), csv_table(results))


def write_study(folder: Path, results: Sequence[Result]) -> list[Path]:
    """Write the three files of a study, whose tables are summaries, and return their paths."""
    return _write(folder, results, summary_markdown(results), summary_csv(results))


def _write(folder: Path, results: Sequence[Result], markdown: str, csv: str) -> list[Path]:
    check_folder(folder)
    write_results(folder / RESULTS, results)
    write_text(folder / "table.md", markdown)
    write_text(folder / "table.csv", csv)
    return [folder / "table.md", folder / "table.csv", folder / RESULTS]
