"""Commands that measure: compare and study."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from vecsmith.cli.app import (
    BatchSize,
    CodecOption,
    EncoderOption,
    FitOn,
    JsonFlag,
    MaxLength,
    PassagePrompt,
    QueryPrompt,
    ScoringOption,
    Split,
    Tables,
    TaskOption,
    app,
    print_json,
    say,
)


@app.command()
def compare(
    task: TaskOption = ["pydocs"],  # noqa: B006
    encoder: EncoderOption = ["static"],  # noqa: B006
    codec: CodecOption = ["int8", "binary"],  # noqa: B006
    scoring: ScoringOption = ["asymmetric"],  # noqa: B006
    split: Split = "test",
    fit_on: FitOn = "cross",
    recenter: Annotated[
        bool, typer.Option("--recenter", help="Give codecs that keep a mean that of the corpus they encode.")
    ] = False,
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
    say(*notes)
    options = EncoderOptions(query_prompt, passage_prompt, max_length, batch_size)
    results = compare(tasks, encoder, codec, scoring, split, fit_on, seed, options, force, recenter)  # type: ignore[arg-type]
    if as_json:
        print_json([asdict(result) for result in results])
    else:
        Console().print(terminal_table(results))
    if out is not None:
        say("Wrote " + ", ".join(map(str, write_folder(out, results, notes))))


@app.command()
def study(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as quantization, fusion or promise.")],
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
    from vecsmith.report import check_folder, findings_terminal, write_study
    from vecsmith.report.plots import HOW_TO, can_plot
    from vecsmith.studies import STUDIES

    if name not in STUDIES:
        raise unknown("study", name, STUDIES)
    if out is not None:
        check_folder(out)
    findings = STUDIES[name](task, encoder, split, fit_on, seed)
    if as_json:
        print_json(asdict(findings))
    else:
        Console().print(findings_terminal(findings))
    if out is not None:
        say("Wrote " + ", ".join(map(str, write_study(out, findings))))
        if findings.plots and not can_plot():
            say(HOW_TO)
