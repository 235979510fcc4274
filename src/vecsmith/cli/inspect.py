"""The command inspect, which describes the distribution of vectors."""

from pathlib import Path
from typing import Annotated

import typer

from vecsmith.cli.app import ForceFlag, JsonFlag, WritingCommand, app, console, print_json, say


@app.command(cls=WritingCommand)
def inspect(
    vectors: Annotated[
        Path, typer.Argument(metavar="SET", help="An embedding set, or a file of vectors (.npy, .npz, .parquet).")
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Output page (.html) with plots; an earlier page is replaced."),
    ] = None,
    force: ForceFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Describe the distribution of vectors, and suggest codecs that suit it.

    \b
    vecsmith inspect corpus.npy
    vecsmith inspect corpus.npy --out corpus.html
    """
    from vecsmith.advise.inspection import inspect
    from vecsmith.advise.suggestions import suggest
    from vecsmith.embeddings import EmbeddingSet
    from vecsmith.report.inspection import check_page, inspection_terminal, write_page

    if out is not None:
        check_page(out, force)
    embedded = EmbeddingSet.open(vectors)
    inspection = inspect(embedded)
    suggestions = suggest(inspection)
    if as_json:
        speaks_for = [suggestion._asdict() for suggestion in suggestions]
        print_json({"source": embedded.source, **inspection.to_dict(), "speaks_for": speaks_for})
    else:
        console().print(inspection_terminal(embedded.source, inspection, suggestions))
    if out is not None:
        write_page(out, embedded.source, inspection, suggestions, force)
        say(f"Wrote {out}")
