"""Write the results of a comparison or a study to a folder: tables, plots, pages and ``results.jsonl``."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from vecsmith.evaluation.query_rankings import write_queries
from vecsmith.evaluation.results import write_results
from vecsmith.files import write_text
from vecsmith.manifests import write_manifest
from vecsmith.outputs import output_folder
from vecsmith.report.document_map import write_maps
from vecsmith.report.findings import Findings, Table
from vecsmith.report.plots import Drawing, can_draw, write_plots
from vecsmith.report.render import findings_markdown, page_html, table_csv, table_latex
from vecsmith.report.results_page import results_page
from vecsmith.report.runs import FORMAT_VERSION, KIND, MANIFEST, MAPS, QUERIES, RESULTS, Run
from vecsmith.report.tables import codec_tables, csv_table, markdown_table

PAGE = "report.html"


def write_folder(
    folder: Path,
    run: Run,
    force: bool = False,
    metrics: Sequence[str] = (),
    tables: Sequence[Table] = (),
    latex: bool = False,
) -> list[Path]:
    """Write the files of a comparison in one step and return their paths.

    Parameters
    ----------
    folder : Path
        The folder. Results of an earlier comparison or study in it are replaced.
    run : Run
        The results, and what belongs to them.
    force : bool
        Whether to replace the folder, whatever it holds.
    metrics : sequence of str
        Names of metrics with a column in ``table.md``, besides nDCG@10 and R@100.
    tables : sequence of Table
        Further tables, each written as CSV.
    latex : bool
        Whether to write ``table.tex`` too, with all of `tables`, or the tables of ``table.md`` if there are none.

    Raises
    ------
    VecsmithError
        If `folder` holds something else.
    """
    results = run.results
    texts = {"table.md": markdown_table(results, run.notes, metrics), "table.csv": csv_table(results)}
    texts |= {f"{table.name}.csv": table_csv(table) for table in tables}
    if latex:
        texts["table.tex"] = "\n\n".join(map(table_latex, tables or codec_tables(results, metrics))) + "\n"
    texts[PAGE] = results_page([run])
    return _write(folder, run, texts, (), force)


def write_study(folder: Path, findings: Findings, force: bool = False) -> list[Path]:
    """Write the findings of a study in one step and return the paths of the files.

    Parameters
    ----------
    folder, force
        As in `write_folder`.
    findings : Findings
        The findings.

    Returns
    -------
    list of Path
        A markdown file of all tables, a CSV file for each table, the pages, ``results.jsonl``, and the plots. Plots
        are not written if plotly is not installed, and maps also if umap-learn is not installed.
    """
    tables = {f"{table.name}.csv": table_csv(table) for table in findings.tables}
    pages = {f"{page.name}.html": page_html(page) for page in findings.pages}
    plots = [plot for plot in (*findings.plots, *findings.maps) if can_draw(plot)]
    texts = {"table.md": findings_markdown(findings), **tables, **pages}
    return _write(folder, Run(folder.name, findings.results), texts, plots, force)


def _write(folder: Path, run: Run, texts: Mapping[str, str], plots: Sequence[Drawing], force: bool) -> list[Path]:
    with output_folder(folder, KIND, force) as temporary:
        write_results(temporary / RESULTS, run.results)
        for name, text in texts.items():
            write_text(temporary / name, text)
        names = [*texts, RESULTS, *(path.name for path in write_plots(temporary, plots))]
        if run.queries:
            write_queries(temporary / QUERIES, run.queries)
            names.append(QUERIES)
        if run.maps:
            write_maps(temporary / MAPS, run.maps)
            names.append(MAPS)
        about = {"rows": len(run.results), "command": run.command, "notes": list(run.notes)}
        write_manifest(temporary / MANIFEST, KIND, FORMAT_VERSION, about, names)
    return [folder / name for name in names]
