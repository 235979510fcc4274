"""Reports: tables, plots, pages and folders of results."""

from vecsmith.report.findings import Findings, Kernels, Map, Page, Plot, Table, summary
from vecsmith.report.folder import KIND, write_folder, write_study
from vecsmith.report.render import findings_markdown, findings_terminal
from vecsmith.report.tables import csv_table, markdown_table, terminal_table

__all__ = [
    "KIND",
    "Findings",
    "Kernels",
    "Map",
    "Page",
    "Plot",
    "Table",
    "csv_table",
    "findings_markdown",
    "findings_terminal",
    "markdown_table",
    "summary",
    "terminal_table",
    "write_folder",
    "write_study",
]
