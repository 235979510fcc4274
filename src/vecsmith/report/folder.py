"""Write the results of a comparison or a study to a folder: tables, the report and ``results.jsonl``."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from vecsmith.errors import VecsmithError
from vecsmith.evaluation.query_rankings import write_queries
from vecsmith.evaluation.results import write_results
from vecsmith.evaluation.versions import machine, versions
from vecsmith.files import write_text
from vecsmith.manifests import read_manifest, write_manifest
from vecsmith.outputs import output_folder
from vecsmith.report.article import Article, article_markdown, picture_files
from vecsmith.report.article_page import article_page
from vecsmith.report.document_map import write_maps
from vecsmith.report.findings import Findings, Table
from vecsmith.report.render import findings_markdown, table_csv, table_latex
from vecsmith.report.results_page import results_page
from vecsmith.report.runs import FINDINGS, FORMAT_VERSION, KIND, MANIFEST, MAPS, QUERIES, RESULTS, Run
from vecsmith.report.stored_findings import write_findings
from vecsmith.report.tables import codec_tables, csv_table, markdown_table

PAGE = "report.html"
ARTICLE = "article"
"""Name of the article's files, without its suffixes."""


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
    folder: Path,
    findings: Findings,
    force: bool = False,
    article: Article | None = None,
    study: str = "",
    command: str = "",
) -> list[Path]:
    """Write the findings of a study in one step and return the paths of the files.

    Parameters
    ----------
    folder, force
        As in `write_folder`.
    findings : Findings
        The findings.
    article : Article, optional
        The article of the study.
    study, command : str
        Name of the study, and the command that ran it.

    Returns
    -------
    list of Path
        A markdown file of all tables, a CSV file for each table, ``report.html``, ``results.jsonl``,
        ``findings.json.gz``, and the article with its pictures.
    """
    texts = {"table.md": findings_markdown(findings)}
    texts |= {f"{table.name}.csv": table_csv(table) for table in findings.tables}
    if article is not None:
        texts |= _article_texts(article)
    circumstances = {"versions": versions(), "machine": machine()}
    run = Run(
        folder.resolve().name,
        findings.results,
        command=command,
        study=study,
        findings=findings,
        circumstances=circumstances,
    )
    return _write(folder, run, texts, force)


def write_draft(folder: Path, article: Article, force: bool = False) -> None:
    """Write the article of a study that runs; the files of an earlier study in the folder stay until it has finished.

    Parameters
    ----------
    folder, force
        As in `write_folder`.
    article : Article
        The article so far.
    """
    about: dict[str, Any] = {}
    with suppress(VecsmithError):  # there is no folder yet, or one of something else that may be replaced
        about = read_manifest(folder / MANIFEST, KIND, FORMAT_VERSION, verify=False)
    earlier = about.pop("files", {})
    texts = _article_texts(article)
    with output_folder(folder, KIND, force) as temporary:
        for name in earlier:
            shutil.copy2(folder / name, temporary / name)
        for name, text in texts.items():
            write_text(temporary / name, text)
        kept = {name: value for name, value in about.items() if name not in ("kind", "format_version")}
        write_manifest(temporary / MANIFEST, KIND, FORMAT_VERSION, kept, list(dict.fromkeys([*earlier, *texts])))


def _article_texts(article: Article) -> dict[str, str]:
    page = {f"{ARTICLE}.md": article_markdown(article), f"{ARTICLE}.html": article_page(article)}
    return page | picture_files(article)


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
