"""Commands that list the available codecs, encoders and tasks."""

from typing import Annotated

import typer

from vecsmith.cli.app import JsonFlag, app, print_listing


@app.command()
def codecs(as_json: JsonFlag = False) -> None:
    """List the reducers and quantizers that a codec is composed of."""
    from vecsmith.codecs import STAGES

    print_listing({usage: stage.summary for usage, stage in STAGES.items()}, as_json)


@app.command()
def encoders(as_json: JsonFlag = False) -> None:
    """List the encoders."""
    from vecsmith.encoders import ENCODERS

    joined = {"ENCODER+ENCODER": "the unit vectors of several side by side, such as st:all-MiniLM-L6-v2+static"}
    print_listing({loader.usage: loader.summary for loader in ENCODERS.values()} | joined, as_json)


@app.command()
def tasks(
    mteb: Annotated[bool, typer.Option("--mteb", help="List the retrieval tasks of the installed mteb.")] = False,
    language: Annotated[
        str | None, typer.Option(metavar="CODE", help="With --mteb: tasks in this language only, such as eng or deu.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """List the kinds of tasks; or the tasks of mteb."""
    from vecsmith.tasks import TASKS

    if not mteb:
        print_listing({loader.usage: loader.summary for loader in TASKS.values()}, as_json)
        return
    from vecsmith.tasks.mteb import mteb_names

    print_listing({f"mteb:{name}": about for name, _, about in mteb_names(language)}, as_json)
