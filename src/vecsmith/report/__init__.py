"""Reports: tables, plots, pages and folders of results."""

from vecsmith.report.findings import Examples, Findings, Kernels, LinkedMaps, Plot, Table, summary
from vecsmith.report.folder import write_folder, write_study
from vecsmith.report.geometry import geometry_table
from vecsmith.report.grids import TABLES, metric_grids, task_grid, task_grids
from vecsmith.report.layouts import check_map_method
from vecsmith.report.linked_maps import linked_maps
from vecsmith.report.render import findings_markdown, findings_terminal, table_latex, table_markdown
from vecsmith.report.results_page import results_page, write_results_page
from vecsmith.report.runs import KIND, Run, read_run
from vecsmith.report.tables import codec_tables, csv_table, markdown_table, terminal_table

__all__ = [
    "KIND",
    "TABLES",
    "Examples",
    "Findings",
    "Kernels",
    "LinkedMaps",
    "Plot",
    "Run",
    "Table",
    "check_map_method",
    "codec_tables",
    "csv_table",
    "findings_markdown",
    "findings_terminal",
    "geometry_table",
    "linked_maps",
    "markdown_table",
    "metric_grids",
    "read_run",
    "results_page",
    "summary",
    "table_latex",
    "table_markdown",
    "task_grid",
    "task_grids",
    "terminal_table",
    "write_folder",
    "write_results_page",
    "write_study",
]
