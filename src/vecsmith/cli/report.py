"""The command that makes a report of results."""

from pathlib import Path
from typing import Annotated

import typer

from vecsmith.cli.app import ForceFlag, JsonFlag, WritingCommand, app, print_json, say


@app.command(cls=WritingCommand)
def report(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="DIR...", help="Folders that compare --out or study --out wrote.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Output page (.html); an earlier page is replaced.")] = Path(
        "report.html"
    ),
    title: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Title of the page; default: it names the tasks.")
    ] = None,
    force: ForceFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Make one self-contained page of the results in several folders.

    \b
    vecsmith report results --out report.html
    vecsmith report results other-results --out report.html --title "Codecs for the help center"
    """
    from vecsmith.errors import VecsmithError
    from vecsmith.outputs import check_file
    from vecsmith.report import read_run, write_results_page

    if out.suffix != ".html":
        raise VecsmithError(f"--out {out} must end in .html: the output is a page for the browser.")
    check_file(out, force)
    runs = [read_run(folder) for folder in folders]
    write_results_page(out, runs, title, force)
    if as_json:
        lines = sum(len(run.results) for run in runs)
        print_json({"page": str(out), "bytes": out.stat().st_size, "runs": len(runs), "lines": lines})
    say(f"Wrote {out}")
