"""The Typer application, options that several commands share, and functions for printing."""

import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.core import TyperCommand

from vecsmith.outputs import reserved

RENAMED_OPTIONS = {"keep": "min-retention", "val": "validation", "beside": "fuse-with"}
"""Former names of options, which still work but which the help does not show."""

app = typer.Typer(
    name="vecsmith",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"token_normalize_func": lambda name: RENAMED_OPTIONS.get(name, name)},
)


class WritingCommand(TyperCommand):
    """A command whose ``--out`` no other process may prepare at the same time."""

    def invoke(self, ctx: Any) -> Any:
        """Reserve the output while the command runs; a bucket cannot be reserved."""
        if "://" in str(ctx.params.get("out") or "://"):
            return super().invoke(ctx)
        with reserved(Path(ctx.params["out"])):
            return super().invoke(ctx)


DEBUG = "VECSMITH_DEBUG"
"""Environment variable that shows tracebacks; worker processes inherit it."""


def debugging() -> bool:
    """Return whether errors are shown with their traceback."""
    return os.environ.get(DEBUG, "0") not in ("", "0")


def _print_version(is_given: bool) -> None:
    if is_given:
        print(f"vecsmith {version('vecsmith')}")
        raise typer.Exit


@app.callback()
def options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; VECSMITH_DEBUG=1 does the same.")
    ] = False,
) -> None:
    """Compress, fuse and translate embedding vectors, and measure the cost in retrieval quality, bytes and speed."""
    if debug:
        os.environ[DEBUG] = "1"


TaskOption = Annotated[
    list[str], typer.Option("--task", metavar="TASK", help="pydocs, a BEIR folder, or mteb:NAME; repeatable.")
]
EncoderOption = Annotated[
    list[str],
    typer.Option(
        "--encoder",
        metavar="ENCODER",
        help="static, st:MODEL, api:MODEL, vectors:NAME, or several joined by +; repeatable.",
    ),
]
CodecOption = Annotated[
    list[str],
    typer.Option(
        "--codec",
        metavar="SPEC",
        help="Spec such as pca192,int8, or a folder that fit wrote; repeatable.",
    ),
]
ScoringOption = Annotated[
    list[str],
    typer.Option(
        "--scoring",
        metavar="SCORING",
        help="symmetric, asymmetric or rescored; codecs such as hybrid24B+trellis24B also get two-stage; repeatable.",
    ),
]
QueryPrompt = Annotated[
    list[str],
    typer.Option(
        "--query-prompt",
        metavar="[ENCODER=]TEXT",
        help="Text put before every query, for all encoders or for one; default: the model's own prompt; repeatable.",
    ),
]
PassagePrompt = Annotated[
    list[str],
    typer.Option(
        "--passage-prompt",
        metavar="[ENCODER=]TEXT",
        help="Text put before every document, as --query-prompt; repeatable.",
    ),
]
TrustRemoteCode = Annotated[
    bool, typer.Option("--trust-remote-code", help="Allow st: models to run the Python code in their repository.")
]
VectorColumn = Annotated[
    str | None,
    typer.Option(
        "--column", metavar="NAME", help="Column of the vectors in .parquet files; default: the only such column."
    ),
]
TextColumn = Annotated[
    str | None,
    typer.Option("--text-column", metavar="NAME", help="Column of the texts; default: text, content, body, …"),
]
IdColumn = Annotated[
    str | None, typer.Option("--id-column", metavar="NAME", help="Column of the ids; default: _id, id, ids or uuid.")
]
MaxLength = Annotated[int | None, typer.Option(metavar="N", min=1, help="Maximum input length in tokens.")]
BatchSize = Annotated[int | None, typer.Option(metavar="N", min=1, help="Texts per forward pass or request.")]
Split = Annotated[
    str, typer.Option(metavar="SPLIT", help="Split whose judgements are used, such as test or train+test.")
]
FitOn = Annotated[
    str,
    typer.Option(
        metavar="PROTOCOL",
        help="Training set of codecs: cross (two-fold cross-fitting), corpus, or the folder of another embedding set.",
    ),
]
ForceFlag = Annotated[
    bool, typer.Option("--force", help="Replace the content of --out, even files that vecsmith did not write.")
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def print_listing(entries: dict[str, Any], as_json: bool) -> None:
    """Print a table of names and descriptions, or a JSON object."""
    if as_json:
        print_json(entries)
        return
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    for name, description in entries.items():
        table.add_row(Text(name), Text(str(description)))  # as Text, since rich reads brackets in a str as markup
    console().print(table)


def console() -> Console:
    """Return the console for tables: as wide as the terminal, and 160 columns wide in a file or a pipe."""
    wide = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 160
    return Console(width=wide)


def print_json(content: Any) -> None:
    """Print JSON on standard output."""
    from vecsmith.evaluation.results import to_json

    print(to_json(content, indent=2))


def say(*sentences: str) -> None:
    """Print sentences on standard error; standard output is for results."""
    for sentence in sentences:
        print(sentence, file=sys.stderr)
