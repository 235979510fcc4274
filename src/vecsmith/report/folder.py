"""Write the results of a comparison or a study to a folder: tables, the report and ``results.jsonl``."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from vecsmith.evaluation.query_rankings import write_queries
from vecsmith.evaluation.results import write_results
from vecsmith.evaluation.versions import machine, versions
from vecsmith.files import write_text
from vecsmith.manifests import write_manifest
from vecsmith.outputs import output_folder
from vecsmith.report.document_map import write_maps
from vecsmith.report.findings import Findings, Table
from vecsmith.report.render import findings_markdown, table_csv, table_latex
from vecsmith.report.results_page import results_page
from vecsmith.report.runs import FINDINGS, FORMAT_VERSION, KIND, MANIFEST, MAPS, QUERIES, RESULTS, Run
from vecsmith.report.stored_findings import write_findings
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
    return _write(folder, run, texts, force)


def write_study(
    folder: Path, findings: Findings, force: bool = False, study: str = "", command: str = ""
) -> list[Path]:
    """Write the findings of a study in one step and return the paths of the files.

    Parameters
    ----------
    folder, force
        As in `write_folder`.
    findings : Findings
        The findings.
    study, command : str
        Name of the study, and the command that ran it.

    Returns
    -------
    list of Path
        A markdown file of all tables, a CSV file for each table, ``report.html``, ``results.jsonl``, and
        ``findings.json.gz``.
    """
    tables = {f"{table.name}.csv": table_csv(table) for table in findings.tables}
    circumstances = {"versions": versions(), "machine": machine()}
    run = Run(
        folder.resolve().name,
        findings.results,
        command=command,
        study=study,
        findings=findings,
        circumstances=circumstances,
    )
    return _write(folder, run, {"table.md": findings_markdown(findings), **tables}, force)


def _write(folder: Path, run: Run, texts: Mapping[str, str], force: bool) -> list[Path]:
    with output_folder(folder, KIND, force) as temporary:
        texts = {**texts, PAGE: results_page([run])}
        for name, text in texts.items():
            write_text(temporary / name, text)
        write_results(temporary / RESULTS, run.results)
        names = [*texts, RESULTS]
        if run.queries:
            write_queries(temporary / QUERIES, run.queries)
            names.append(QUERIES)
        if run.maps:
            write_maps(temporary / MAPS, run.maps)
            names.append(MAPS)
        if run.findings is not None:
            write_findings(temporary / FINDINGS, run.findings)
            names.append(FINDINGS)
        about = {"rows": len(run.results), "command": run.command, "notes": list(run.notes), "study": run.study}
        about["circumstances"] = dict(run.circumstances)
        write_manifest(temporary / MANIFEST, KIND, FORMAT_VERSION, about, names)
    return [folder / name for name in names]
