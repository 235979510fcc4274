"""The folder that a comparison or a study writes: tables, and ``results.jsonl``."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from vecsmith.errors import VecsmithError
from vecsmith.files import write_text
from vecsmith.report.findings import findings_markdown, page_html, table_csv
from vecsmith.report.plots import can_draw, write_plots
from vecsmith.report.tables import csv_table, markdown_table
from vecsmith.results import Result, write_results
from vecsmith.studies import Findings

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
    return _write(folder, results, {"table.md": markdown_table(results, notes), "table.csv": csv_table(results)})


def write_study(folder: Path, findings: Findings) -> list[Path]:
    """Write a study's tables, in markdown together and as CSV each, its results, its pages, and what can be drawn.

    Returns
    -------
    list of Path
        What was written; plots are left out where plotly is missing, and maps also where umap-learn is.
    """
    tables = {f"{table.name}.csv": table_csv(table) for table in findings.tables}
    pages = {f"{page.name}.html": page_html(page) for page in findings.pages}
    written = _write(folder, findings.results, {"table.md": findings_markdown(findings), **tables, **pages})
    return [*written, *write_plots(folder, [plot for plot in (*findings.plots, *findings.maps) if can_draw(plot)])]


def _write(folder: Path, results: Sequence[Result], texts: Mapping[str, str]) -> list[Path]:
    check_folder(folder)
    write_results(folder / RESULTS, results)
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in (*texts, RESULTS)]
