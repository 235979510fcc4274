"""Reports: results as tables and files."""

from vecsmith.report.render import findings_markdown, findings_terminal
from vecsmith.report.folder import KIND, write_folder, write_study
from vecsmith.report.tables import csv_table, markdown_table, terminal_table

__all__ = [
    "KIND",
    "csv_table",
    "findings_markdown",
    "findings_terminal",
    "markdown_table",
    "terminal_table",
    "write_folder",
    "write_study",
]
