"""The application, its shared options, and how commands print."""

import os
import sys
from importlib.metadata import version
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

app = typer.Typer(
    name="vecsmith",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


DEBUG = "VECSMITH_DEBUG"
"""The environment variable that shows tracebacks, which worker processes inherit."""


def debugging() -> bool:
    """Whether errors are shown with their traceback."""
    return os.environ.get(DEBUG, "0") not in ("", "0")


def _print_version(wanted: bool) -> None:
    if wanted:
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
    """Reshape embedding vectors after the fact, and see what it costs in retrieval quality, bytes and speed."""
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
        help="Such as pca192,int8, or a folder that fit wrote; repeatable.",
    ),
]
ScoringOption = Annotated[
    list[str],
    typer.Option(
        "--scoring",
        metavar="SCORING",
        help="symmetric, asymmetric or rescored; codecs such as hybrid24B+trellis24B always get two-stage; repeatable.",
    ),
]
QueryPrompt = Annotated[
    list[str],
    typer.Option(
        "--query-prompt",
        metavar="[ENCODER=]TEXT",
        help="Text put before every query, by all encoders or by one; the model's own by default; repeatable.",
    ),
]
PassagePrompt = Annotated[
    list[str],
    typer.Option(
        "--passage-prompt", metavar="[ENCODER=]TEXT", help="Text put before every document, likewise; repeatable."
    ),
]
TrustRemoteCode = Annotated[
    bool, typer.Option("--trust-remote-code", help="Let st: models run Python code that comes with them.")
]
VectorColumn = Annotated[
    str | None,
    typer.Option("--column", metavar="NAME", help="Column of the vectors in .parquet files; the only one by default."),
]
TextColumn = Annotated[
    str | None,
    typer.Option("--text-column", metavar="NAME", help="Column of the texts; one of a usual name by default."),
]
IdColumn = Annotated[
    str | None, typer.Option("--id-column", metavar="NAME", help="Column of the ids; one of a usual name by default.")
]
MaxLength = Annotated[int | None, typer.Option(metavar="N", min=1, help="Longest input, in tokens.")]
BatchSize = Annotated[int | None, typer.Option(metavar="N", min=1, help="Texts of one forward pass or request.")]
Split = Annotated[str, typer.Option(metavar="SPLIT", help="Judgements to use, such as test or train+test.")]
FitOn = Annotated[str, typer.Option(metavar="PROTOCOL", help="cross, corpus, or the folder of another embedding set.")]
ForceFlag = Annotated[
    bool, typer.Option("--force", help="Replace whatever --out holds, even what vecsmith did not write.")
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def print_listing(entries: dict[str, Any], as_json: bool) -> None:
    """Print names and what there is to say of them."""
    if as_json:
        print_json(entries)
        return
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    for name, about in entries.items():
        table.add_row(Text(name), Text(str(about)))  # rich takes a plain string's brackets for markup
    console().print(table)


def console() -> Console:
    """Return where tables are printed: as wide as the terminal, or as a file and a pipe can be."""
    wide = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 160
    return Console(width=wide)


def print_json(content: Any) -> None:
    """Print what a machine reads."""
    from vecsmith.evaluation.results import to_json

    print(to_json(content, indent=2))


def say(*sentences: str) -> None:
    """Print to stderr, which leaves stdout to results."""
    for sentence in sentences:
        print(sentence, file=sys.stderr)
