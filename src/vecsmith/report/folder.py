"""Write the results of a comparison or a study to a folder: tables, plots, pages and ``results.jsonl``."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from vecsmith.errors import VecsmithError
from vecsmith.evaluation.query_rankings import write_queries
from vecsmith.evaluation.results import write_results
from vecsmith.files import write_text
from vecsmith.manifests import read_manifest, write_manifest
from vecsmith.outputs import output_folder
from vecsmith.report.article import Article, article_markdown, draw, picture_files
from vecsmith.report.article_page import article_page
from vecsmith.report.document_map import write_maps
from vecsmith.report.findings import Findings, Kernels, Map, Table
from vecsmith.report.plots import can_draw, write_plots
from vecsmith.report.render import findings_markdown, page_html, table_csv, table_latex
from vecsmith.report.results_page import results_page
from vecsmith.report.runs import FORMAT_VERSION, KIND, MANIFEST, MAPS, QUERIES, RESULTS, Run
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
    texts[PAGE] = results_page([run])
    return _write(folder, run, texts, (), force)


def write_study(folder: Path, findings: Findings, force: bool = False, article: Article | None = None) -> list[Path]:
    """Write the findings of a study in one step and return the paths of the files.

    Parameters
    ----------
    folder, force
        As in `write_folder`.
    findings : Findings
        The findings.
    article : Article, optional
        The article of the study.

    Returns
    -------
    list of Path
        A markdown file of all tables, a CSV file for each table, the pages, ``results.jsonl``, the plots as SVG, and
        the article with its pictures. Maps and kernel matrices are not written if plotly is not installed, and maps
        also if umap-learn is not installed.
    """
    tables = {f"{table.name}.csv": table_csv(table) for table in findings.tables}
    pages = {f"{page.name}.html": page_html(page) for page in findings.pages}
    plots = {f"{plot.name}.svg": draw(plot) for plot in findings.plots if any(plot.lines.values())}
    maps = [each for each in findings.maps if can_draw(each)]
    texts = {"table.md": findings_markdown(findings), **tables, **pages, **plots}
    if article is not None:
        texts |= _article_texts(article)
    return _write(folder, Run(folder.name, findings.results), texts, maps, force)


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


def _write(folder: Path, run: Run, texts: Mapping[str, str], maps: Sequence[Map | Kernels], force: bool) -> list[Path]:
    with output_folder(folder, KIND, force) as temporary:
        write_results(temporary / RESULTS, run.results)
        for name, text in texts.items():
            write_text(temporary / name, text)
        names = [*texts, RESULTS, *(path.name for path in write_plots(temporary, maps))]
        if run.queries:
            write_queries(temporary / QUERIES, run.queries)
            names.append(QUERIES)
        if run.maps:
            write_maps(temporary / MAPS, run.maps)
            names.append(MAPS)
        about = {"rows": len(run.results), "command": run.command, "notes": list(run.notes)}
        write_manifest(temporary / MANIFEST, KIND, FORMAT_VERSION, about, names)
    return [folder / name for name in names]
