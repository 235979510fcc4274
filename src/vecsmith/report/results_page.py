"""The report: one self-contained HTML page of the results and findings of several runs.

The page draws SVG with its own short scripts in ``page/``. It loads nothing: its content security policy forbids every
request, and every script and style that is not in this page.
"""

import base64
import hashlib
import html
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

from vecsmith.evaluation.results import to_json
from vecsmith.outputs import output_file
from vecsmith.report.findings_data import findings_data
from vecsmith.report.page_data import map_data, page_data, ranking_data
from vecsmith.report.runs import Run

SCRIPTS = (
    *("dom", "format", "state", "sortable", "points", "chart", "frontier", "tasks", "table"),
    *("queries", "rankings", "map", "findings", "plots", "spaces", "kernels", "sources", "main"),
)
"""Scripts of the page, in the order in which they run."""
STYLES = ("page", "charts", "queries", "map", "findings")


def results_page(runs: Sequence[Run], title: str | None = None) -> str:
    """Return the report of several runs as an HTML document.

    Parameters
    ----------
    runs : sequence of Run
        The runs; at least one.
    title : str, optional
        Title of the page. By default, it names the tasks.
    """
    data = page_data(runs, title or _title(runs))
    rankings = list(ranking_data(runs))
    maps = list(map_data(runs, sum(len(content) for _, content in rankings)))
    blocks = {"rankings": rankings, "map": maps, "findings": list(findings_data(runs))}
    data["tasks"], data["maps"], data["findings"] = ([about for about, _ in group] for group in blocks.values())
    script = "\n".join(resource(f"{name}.js") for name in SCRIPTS)
    style = "\n".join(resource(f"{name}.css") for name in STYLES)
    scripts = "\n".join(
        f'<script type="text/plain" id="{name}-{number}">{content}</script>'
        for name, group in blocks.items()
        for number, (_, content) in enumerate(group)
    )
    return Template(resource("page.html")).substitute(
        title=html.escape(data["title"]).encode(errors="replace").decode(),
        script=script,
        style=style,
        script_hash=source_hash(script),
        style_hash=source_hash(style),
        # as escapes, because a browser reads "</script" and "<!--" in a script block as markup
        data=to_json(data).replace("<", r"\u003c"),
        blocks=scripts,
    )


def _title(runs: Sequence[Run]) -> str:
    tasks = list(dict.fromkeys(result.task for run in runs for result in run.results))
    named = ", ".join(tasks) if len(tasks) < 4 else f"{len(tasks)} tasks"
    studies = list(dict.fromkeys(run.study.replace("-", " ") for run in runs if run.study))
    topic = f"Study: {', '.join(studies)}" if studies else "Compressed vectors"
    return f"{topic} on {named}" if tasks else topic


def write_results_page(path: Path, runs: Sequence[Run], title: str | None = None, force: bool = False) -> None:
    """Write the report of several runs.

    Parameters
    ----------
    path : Path
        The file.
    runs, title
        As for `results_page`.
    force : bool
        Whether to replace a file that vecsmith did not write.

    Raises
    ------
    VecsmithError
        If the file exists and was not written by vecsmith.
    """
    with output_file(path, {"content": "report"}, force) as temporary:
        temporary.write_text(results_page(runs, title), encoding="utf-8")


def resource(name: str) -> str:
    """Return the text of a file in ``page/``."""
    return (files("vecsmith.report") / "page" / name).read_text(encoding="utf-8")


def source_hash(text: str) -> str:
    """Return the source expression of an inline script or style in a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
