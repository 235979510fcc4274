"""Commands that list what there is: codecs, encoders, tasks."""

from typing import Annotated

import typer

from vecsmith.cli.app import JsonFlag, app, print_listing


@app.command()
def codecs(as_json: JsonFlag = False) -> None:
    """List the stages of which codecs are made."""
    from vecsmith.codecs import STAGES

    print_listing({usage: stage.summary for usage, stage in STAGES.items()}, as_json)


@app.command()
def encoders(as_json: JsonFlag = False) -> None:
    """List the encoders."""
    from vecsmith.encoders import ENCODERS

    print_listing(ENCODERS, as_json)


@app.command()
def tasks(
    mteb: Annotated[bool, typer.Option("--mteb", help="List the retrieval tasks of the installed mteb.")] = False,
    language: Annotated[
        str | None, typer.Option(metavar="CODE", help="Only those of a language, such as eng or deu.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """List the tasks."""
    from vecsmith.tasks import TASKS

    if not mteb:
        print_listing(TASKS, as_json)
        return
    from vecsmith.tasks.mteb import mteb_names

    print_listing({f"mteb:{name}": about for name, _, about in mteb_names(language)}, as_json)
