"""Commands that measure codecs and run experiments: compare and study."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from vecsmith.cli.app import (
    BatchSize,
    CodecOption,
    EncoderOption,
    FitOn,
    ForceFlag,
    JsonFlag,
    MaxLength,
    PassagePrompt,
    QueryPrompt,
    ScoringOption,
    Split,
    TaskOption,
    TrustRemoteCode,
    WritingCommand,
    app,
    console,
    print_json,
    say,
)
from vecsmith.cli.encoders import encoder_options


@app.command(cls=WritingCommand)
def compare(
    task: TaskOption = ["pydocs"],  # noqa: B006
    encoder: EncoderOption = ["static"],  # noqa: B006
    codec: CodecOption = ["int8", "binary"],  # noqa: B006
    scoring: ScoringOption = ["asymmetric"],  # noqa: B006
    split: Split = "test",
    fit_on: FitOn = "cross",
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="ENCODER", help="Encoder whose float32 vectors are the baseline; default: each encoder's own."
        ),
    ] = None,
    recenter: Annotated[
        bool, typer.Option("--recenter", help="Replace the means that the codecs store by the means of the corpus.")
    ] = False,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Random seed of codecs and of the two halves.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Output folder for table.md, table.csv and results.jsonl; earlier results are replaced."
        ),
    ] = None,
    force: ForceFlag = False,
    remeasure: Annotated[
        bool, typer.Option("--remeasure", help="Measure again instead of using cached results.")
    ] = False,
    query_prompt: QueryPrompt = [],  # noqa: B006
    passage_prompt: PassagePrompt = [],  # noqa: B006
    max_length: MaxLength = None,
    batch_size: BatchSize = None,
    trust_remote_code: TrustRemoteCode = False,
    as_json: JsonFlag = False,
) -> None:
    """Measure the size, speed and retrieval quality of codecs, in one table.

    \b
    vecsmith compare --task pydocs --encoder static --codec int8 --codec binary
    vecsmith compare --task beir/scifact --encoder st:all-MiniLM-L6-v2 --codec pca192,int8 --scoring rescored
    vecsmith compare --task mteb:NFCorpus --encoder vectors:corpus.npy,queries.npy --codec faiss:PQ96x4
    vecsmith compare --baseline st:all-MiniLM-L6-v2 --encoder st:all-MiniLM-L6-v2+static --codec "fuse(a,b):fit,int8"
    """
    from vecsmith.evaluation.compare import compare
    from vecsmith.outputs import check_folder
    from vecsmith.report import KIND, terminal_table, write_folder
    from vecsmith.tasks import load_task

    if out is not None:
        check_folder(out, KIND, force)
    tasks = [load_task(spec) for spec in task]
    notes = [f"{task.name}: {note}" for task in tasks for note in task.notes]
    say(*notes)
    measured = [*encoder, *([baseline] if baseline else [])]
    options = encoder_options(measured, query_prompt, passage_prompt, max_length, batch_size, trust_remote_code)
    results = compare(tasks, encoder, codec, scoring, split, fit_on, seed, options, remeasure, recenter, baseline)  # type: ignore[arg-type]
    if as_json:
        print_json([asdict(result) for result in results])
    else:
        console().print(terminal_table(results))
    if out is not None:
        say("Wrote " + ", ".join(map(str, write_folder(out, results, notes, force))))


class _Study(WritingCommand):
    """Lists the studies at the end of the help; they are imported only then, because the import is slow."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        from vecsmith.studies import STUDIES

        with formatter.section("Studies"):
            formatter.write_dl([(name, (run.__doc__ or "").split("\n")[0]) for name, run in STUDIES.items()])


@app.command(cls=_Study)
def study(
    name: Annotated[str, typer.Argument(metavar="NAME", help="One of the studies below.")],
    task: TaskOption = ["pydocs"],  # noqa: B006
    encoder: EncoderOption = ["static"],  # noqa: B006
    split: Split = "test",
    fit_on: FitOn = "cross",
    seed: Annotated[list[int], typer.Option(metavar="N", min=0, help="Random seed; repeatable.")] = [0, 1, 2],  # noqa: B006
    method: Annotated[
        list[str],
        typer.Option(
            metavar="SPEC",
            help="translators, binary-training: measure this translator or codec instead of all; repeatable.",
        ),
    ] = [],  # noqa: B006
    width: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="small-to-large: dimensions of the target space; default: half of the encoder's."
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="translators: number of processes; default: one per core.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Output folder for tables, results.jsonl, pages and plots; earlier results are replaced.",
        ),
    ] = None,
    query_prompt: QueryPrompt = [],  # noqa: B006
    passage_prompt: PassagePrompt = [],  # noqa: B006
    max_length: MaxLength = None,
    batch_size: BatchSize = None,
    trust_remote_code: TrustRemoteCode = False,
    force: ForceFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Run an experiment over several seeds, and report means and standard deviations.

    \b
    vecsmith study quantization --task beir/scifact --encoder vectors:minilm --out quantization
    vecsmith study translators --encoder vectors:minilm --encoder vectors:mpnet --method canonical --task beir/scifact
    vecsmith study small-to-large --encoder vectors:s1 --encoder vectors:s2 --encoder vectors:l1+vectors:l2 --width 768
    """
    from vecsmith.errors import VecsmithError, unknown
    from vecsmith.outputs import check_folder
    from vecsmith.report import KIND, findings_terminal, write_study
    from vecsmith.report.plots import left_out
    from vecsmith.studies import STUDIES, StudyConfig

    if name not in STUDIES:
        raise unknown("study", name, STUDIES)
    given: dict[str, Any] = {"methods": method, "workers": workers, "width": width}
    chosen = {parameter: value for parameter, value in given.items() if value}
    for parameter, option, owners in (
        ("methods", "--method", ("translators", "binary-training")),
        ("workers", "--workers", ("translators",)),
        ("width", "--width", ("small-to-large",)),
    ):
        if parameter in chosen and name not in owners:
            owner = f"the study {owners[0]}" if len(owners) == 1 else f"the studies {' and '.join(owners)}"
            raise VecsmithError(f"{option} is for {owner}, not for {name}; leave it out.")
    if out is not None:
        check_folder(out, KIND, force)
    options = encoder_options(encoder, query_prompt, passage_prompt, max_length, batch_size, trust_remote_code)
    findings = STUDIES[name](StudyConfig(task, encoder, split, fit_on, seed, options), **chosen)
    if as_json:
        # maps hold vectors for plots
        print_json(asdict(replace(findings, maps=[])))
    else:
        console().print(findings_terminal(findings))
    if out is not None:
        say("Wrote " + ", ".join(map(str, write_study(out, findings, force))))
        if sentence := left_out(findings):
            say(sentence)
