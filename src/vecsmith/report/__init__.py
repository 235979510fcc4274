"""Reports: results as tables and files."""

from vecsmith.report.folder import check_folder, write_folder, write_study
from vecsmith.report.summary import summary_terminal
from vecsmith.report.tables import csv_table, markdown_table, terminal_table

__all__ = [
    "check_folder",
    "csv_table",
    "markdown_table",
    "summary_terminal",
    "terminal_table",
    "write_folder",
    "write_study",
]
