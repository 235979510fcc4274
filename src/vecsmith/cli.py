"""The command line: parse, call, print."""

import errno
import json
import sys
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from vecsmith.errors import VecsmithError

app = typer.Typer(
    name="vecsmith",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"vecsmith {version('vecsmith')}")
        raise typer.Exit


@app.callback()
def options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Reshape embedding vectors after the fact, and see what it costs in retrieval quality, bytes and speed."""


TaskOption = Annotated[
    list[str], typer.Option("--task", metavar="TASK", help="pydocs, a BEIR folder, or mteb:NAME; repeatable.")
]
EncoderOption = Annotated[
    list[str],
    typer.Option("--encoder", metavar="ENCODER", help="static, st:MODEL, api:MODEL or vectors:NAME; repeatable."),
]
CodecOption = Annotated[
    list[str],
    typer.Option("--codec", metavar="SPEC", help="Reducers, then a quantiser, such as pca192,int8; repeatable."),
]
ScoringOption = Annotated[
    list[str],
    typer.Option("--scoring", metavar="SCORING", help="symmetric, asymmetric or rescored; repeatable."),
]
QueryPrompt = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Text put before every query; the model's own by default.")
]
PassagePrompt = Annotated[str | None, typer.Option(metavar="TEXT", help="Text put before every document.")]
MaxLength = Annotated[int | None, typer.Option(metavar="N", min=1, help="Longest input, in tokens.")]
BatchSize = Annotated[int | None, typer.Option(metavar="N", min=1, help="Texts of one forward pass or request.")]
Split = Annotated[str, typer.Option(metavar="SPLIT", help="Judgements to use, such as test or train+test.")]
FitOn = Annotated[str, typer.Option(metavar="PROTOCOL", help="cross, corpus, or the folder of another embedding set.")]
Tables = Annotated[Path | None, typer.Option(metavar="DIR", help="Write table.md, table.csv and results.jsonl here.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command()
def compare(
    task: TaskOption = ["pydocs"],  # noqa: B006
    encoder: EncoderOption = ["static"],  # noqa: B006
    codec: CodecOption = ["int8", "binary"],  # noqa: B006
    scoring: ScoringOption = ["asymmetric"],  # noqa: B006
    split: Split = "test",
    fit_on: FitOn = "cross",
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seeds codecs and halves.")] = 0,
    out: Tables = None,
    force: Annotated[bool, typer.Option("--force", help="Measure again what was measured before.")] = False,
    query_prompt: QueryPrompt = None,
    passage_prompt: PassagePrompt = None,
    max_length: MaxLength = None,
    batch_size: BatchSize = None,
    as_json: JsonFlag = False,
) -> None:
    """Measure what codecs cost and keep, in one table.

    \b
    vecsmith compare --task pydocs --encoder static --codec int8 --codec binary
    vecsmith compare --task beir/scifact --encoder st:all-MiniLM-L6-v2 --codec pca192,int8 --scoring rescored
    vecsmith compare --task mteb:NFCorpus --encoder vectors:corpus.npy,queries.npy --codec faiss:OPQ48,PQ48
    """
    from vecsmith.encoders import EncoderOptions
    from vecsmith.report import check_folder, terminal_table, write_folder
    from vecsmith.studies import compare
    from vecsmith.tasks import load_task

    if out is not None:
        check_folder(out)
    tasks = [load_task(spec) for spec in task]
    notes = [f"{task.name}: {note}" for task in tasks for note in task.notes]
    _say(*notes)
    options = EncoderOptions(query_prompt, passage_prompt, max_length, batch_size)
    results = compare(tasks, encoder, codec, scoring, split, fit_on, seed, options, force)  # type: ignore[arg-type]
    if as_json:
        _print_json([asdict(result) for result in results])
    else:
        Console().print(terminal_table(results))
    if out is not None:
        _say("Wrote " + ", ".join(map(str, write_folder(out, results, notes))))


@app.command()
def embed(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write.")],
    task: Annotated[
        str | None, typer.Option(metavar="TASK", help="pydocs, a BEIR folder, or mteb:NAME: embeds both sides.")
    ] = None,
    texts: Annotated[
        Path | None, typer.Option(help="A file with a text a line, or JSON lines with _id and text.")
    ] = None,
    encoder: Annotated[str, typer.Option(metavar="ENCODER", help="static, st:MODEL or api:MODEL.")] = "static",
    query_prompt: QueryPrompt = None,
    passage_prompt: PassagePrompt = None,
    max_length: MaxLength = None,
    batch_size: BatchSize = None,
) -> None:
    """Embed a task or a file of texts; interrupted and started again, it goes on where it was.

    \b
    vecsmith embed --task beir/scifact --encoder st:all-MiniLM-L6-v2 --out scifact-minilm
    vecsmith embed --texts products.txt --out products
    """
    from vecsmith.encoders import EncoderOptions, embed_task, embed_texts, load_encoder
    from vecsmith.tasks import load_task, read_texts

    if (task is None) == (texts is None):
        raise VecsmithError("Give either --task or --texts to embed.")
    options = EncoderOptions(query_prompt, passage_prompt, max_length, batch_size)
    if task is not None:
        sets = embed_task(load_task(task), encoder, options, out)
        _say(*(f"Wrote {embedded!r} to {embedded.source}" for embedded in sets))
    elif texts is not None:
        embedded = embed_texts(load_encoder(encoder, options), read_texts(texts), "passage", out)
        _say(f"Wrote {embedded!r} to {embedded.source}")


@app.command()
def fit(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="The codec, such as trellis48B.")],
    vectors: Annotated[
        Path, typer.Option(metavar="SET", help="An embedding set, or a file of vectors (.npy, .npz, .parquet).")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write.")],
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seeds everything random.")] = 0,
) -> None:
    """Fit a codec to vectors and save it.

    \b
    vecsmith fit trellis48B --vectors corpus.npy --out my-codec
    """
    from vecsmith.codecs import Codec
    from vecsmith.embeddings import EmbeddingSet, normalise, read_vectors

    codec = Codec(spec, seed)
    embedded = EmbeddingSet.open(vectors) if vectors.is_dir() else EmbeddingSet(*read_vectors(vectors))
    codec.fit(normalise(embedded.vectors)).save(out)
    _say(f"Wrote {codec!r}, {codec.bytes_per_vector} bytes per vector, to {out}")


@app.command()
def study(
    name: Annotated[str, typer.Argument(metavar="NAME", help="quantization.")],
    task: TaskOption = ["pydocs"],  # noqa: B006
    encoder: EncoderOption = ["static"],  # noqa: B006
    split: Split = "test",
    fit_on: FitOn = "cross",
    seed: Annotated[list[int], typer.Option(metavar="N", min=0, help="Repeatable.")] = [0, 1, 2],  # noqa: B006
    out: Tables = None,
    as_json: JsonFlag = False,
) -> None:
    """Run an experiment over several seeds: means and spreads in one table.

    \b
    vecsmith study quantization --task beir/scifact --encoder vectors:minilm --out quantization
    """
    from vecsmith.errors import unknown
    from vecsmith.report import check_folder, summary_terminal, write_study
    from vecsmith.studies import STUDIES

    if name not in STUDIES:
        raise unknown("study", name, STUDIES)
    if out is not None:
        check_folder(out)
    results = STUDIES[name](task, encoder, split, fit_on, seed)
    if as_json:
        _print_json([asdict(result) for result in results])
    else:
        Console().print(summary_terminal(results))
    if out is not None:
        _say("Wrote " + ", ".join(map(str, write_study(out, results))))


@app.command()
def codecs(as_json: JsonFlag = False) -> None:
    """List the stages of which codecs are made."""
    from vecsmith.codecs import STAGES

    _print_listing({usage: stage.summary for usage, stage in STAGES.items()}, as_json)


@app.command()
def encoders(as_json: JsonFlag = False) -> None:
    """List the encoders."""
    from vecsmith.encoders import ENCODERS

    _print_listing(ENCODERS, as_json)


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
        _print_listing(TASKS, as_json)
        return
    from vecsmith.tasks.mteb import mteb_names

    _print_listing({f"mteb:{name}": about for name, _, about in mteb_names(language)}, as_json)


@app.command()
def info(
    path: Annotated[Path, typer.Argument(help="A folder that vecsmith wrote.")], as_json: JsonFlag = False
) -> None:
    """Say what a folder holds: an embedding set, or a codec."""
    from vecsmith.codecs import load_codec
    from vecsmith.embeddings import EmbeddingSet

    facts: dict[str, Any]
    if (path / "config.json").is_file():
        codec = load_codec(path)
        sizes = {"bytes_per_vector": codec.bytes_per_vector, "codec_bytes": codec.codec_bytes}
        facts = {"codec": codec.spec, "seed": codec.seed, "dimensions": codec.input_dimensions, **sizes}
    else:
        embedded = EmbeddingSet.open(path)
        facts = {"rows": len(embedded), "dimensions": embedded.dimensions, **asdict(embedded.provenance)}
    _print_listing(facts, as_json)


def _print_listing(entries: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _print_json(entries)
        return
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    for name, about in entries.items():
        table.add_row(name, str(about))
    Console().print(table)


def _print_json(content: Any) -> None:
    print(json.dumps(content, indent=2))


def _say(*sentences: str) -> None:
    for sentence in sentences:
        print(sentence, file=sys.stderr)


def main() -> None:
    """Run the command line: exit code 0 done, 2 bad usage or bad input, 1 a fault of ours."""
    try:
        app()
    except VecsmithError as error:
        sys.exit(_complain(str(error), 2))
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        cure = "; make room and start again, it goes on where it was." if error.errno == errno.ENOSPC else "."
        sys.exit(_complain(f"The system refused: {error.strerror or error}{where}{cure}", 2))
    except MemoryError:
        sys.exit(_complain("There is not enough memory for this; give fewer or smaller vectors.", 2))
    except Exception as error:
        sys.exit(_complain(f"This is a fault of vecsmith, please report it: {type(error).__name__}: {error}", 1))


def _complain(sentence: str, code: int) -> int:
    _say(f"vecsmith: {sentence}")
    return code
