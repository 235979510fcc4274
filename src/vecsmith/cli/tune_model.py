"""The command that trains a model on judgements or training examples: tune model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vecsmith.cli.app import (
    ForceFlag,
    JsonFlag,
    MaxLength,
    PassagePrompt,
    QueryPrompt,
    WritingCommand,
    console,
    print_json,
    say,
)
from vecsmith.cli.encoders import encoder_options
from vecsmith.cli.tune import groups_as_json, tune
from vecsmith.errors import VecsmithError

if TYPE_CHECKING:
    from vecsmith.tune import TunedModel


@tune.command("model", cls=WritingCommand)
def model(
    task: Annotated[str, typer.Option("--task", metavar="TASK", help="pydocs, a BEIR folder, or mteb:NAME.")],
    model: Annotated[str, typer.Option(metavar="ENCODER", help="Model to train: st:NAME_OR_DIR.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Output folder; a tuned model in it is replaced.")],
    recipe: Annotated[
        str,
        typer.Option(
            metavar="RECIPE",
            help="contrastive, gist, ranked-list, triplet, n-pair, augmented-sbert, gpl or tension; or several joined "
            "by commas, one after the other, such as tension,contrastive.",
        ),
    ] = "contrastive",
    data: Annotated[
        list[Path],
        typer.Option(
            metavar="DIR",
            help="Training examples that tune data wrote; repeatable. Default: pairs of the judgements of --split.",
        ),
    ] = [],  # noqa: B006
    preset: Annotated[
        str, typer.Option(metavar="PRESET", help="Settings for small data on a CPU, cpu-small, or for a GPU, gpu.")
    ] = "cpu-small",
    steps: Annotated[int | None, typer.Option(metavar="N", min=1, help="Training steps.")] = None,
    batch_size: Annotated[int | None, typer.Option(metavar="N", min=2, help="Examples per step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(metavar="F", help="Highest learning rate.")] = None,
    train_length: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Maximum input length in tokens during training.")
    ] = None,
    negatives: Annotated[int | None, typer.Option(metavar="N", min=0, help="Mined negatives per example.")] = None,
    guide: Annotated[
        str | None,
        typer.Option(
            metavar="ENCODER",
            help="Encoder that judges the negatives of gist, such as vectors:NAME or a+b; default: the model itself.",
        ),
    ] = None,
    matryoshka: Annotated[
        str | None,
        typer.Option(metavar="N,N,…", help="Numbers of first dimensions that must work alone, such as 384,192,96."),
    ] = None,
    codec: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC", help="Codec of the documents, such as trellis24B; its codes are trained and measured too."
        ),
    ] = None,
    code_start: Annotated[
        float | None,
        typer.Option(
            metavar="F",
            min=0,
            max=1,
            help="With --codec: share of the steps after which codes are trained; 0.5 by default. 0 is only for a "
            "model that is tuned already.",
        ),
    ] = None,
    queries_only: Annotated[
        bool,
        typer.Option("--queries-only", help="Train queries only, against all documents; the index stays as it is."),
    ] = False,
    distill: Annotated[
        bool,
        typer.Option("--distill", help="With --queries-only: half of the loss imitates hybrid search with BM25."),
    ] = False,
    runs: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, help="Number of trainings with different batches; their weights are averaged."
        ),
    ] = 1,
    vectors: Annotated[
        str | None,
        typer.Option(metavar="vectors:NAME", help="Precomputed vectors of the model; default: the task is embedded."),
    ] = None,
    split: Annotated[
        str,
        typer.Option(
            metavar="SPLIT",
            help="Split whose judgements are trained on, or validate recipes without judgements; none: no validation.",
        ),
    ] = "train",
    test: Annotated[str, typer.Option(metavar="SPLIT", help="Split on which the model is measured.")] = "test",
    query_prompt: QueryPrompt = [],  # noqa: B006
    passage_prompt: PassagePrompt = [],  # noqa: B006
    max_length: MaxLength = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Random seed.")] = 0,
    force: ForceFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Train a sentence-transformers model, and save it if it is better on the test queries.

    An interrupted run continues from its last checkpoint in DIR.training, where training.jsonl has the losses. The last
    line is the verdict. With REGRESSION, nothing is written, and the exit code is 1.

    \b
    vecsmith tune model --task beir/scifact --model st:all-MiniLM-L6-v2 --out my-model
    vecsmith tune model --task my-task --model st:all-MiniLM-L6-v2 --recipe gpl --data margins --out my-model
    vecsmith tune model --task my-task --model st:all-MiniLM-L6-v2 --codec trellis24B --out my-model
    vecsmith tune model --task my-task --model st:all-MiniLM-L6-v2 --queries-only --out my-query-model
    vecsmith search old-codes --encoder st:my-query-model --query "how to tie a bowline"
    """
    from vecsmith.report import findings_terminal
    from vecsmith.report.advice import model_report
    from vecsmith.report.findings import Findings
    from vecsmith.tasks import load_task
    from vecsmith.tune import ModelTuning, TrainingExamples, tune_model

    given = {
        "steps": steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "max_length": train_length,
        "negatives": negatives,
        "code_start": code_start,
    }
    tuning = ModelTuning(
        recipe,
        preset,
        {name: value for name, value in given.items() if value is not None},
        guide,
        _dimensions(matryoshka),
        codec,
        queries_only,
        distill,
        runs,
        seed,
    )
    assert tuning.chain  # refuses options that do not go together before anything is loaded
    encoders = [model] if guide is None else [model, guide]
    options = encoder_options(encoders, query_prompt, passage_prompt, max_length)
    examples = [TrainingExamples.load(folder) for folder in data]
    loaded = load_task(task)
    say(*loaded.notes)
    tuned = tune_model(loaded, model, out, tuning, split, test, examples, vectors, options, force)
    say(*tuned.notes)
    if as_json:
        print_json(_as_json(tuned))
    else:
        console().print(findings_terminal(Findings([model_report(tuned)])))
    say(tuned.advice)
    say(f"Wrote the model to {out}" if tuned.is_saved else f"The model is not better, so {out} was not written.")
    # the verdict is the last line of the result, on standard output unless that is JSON
    say(str(tuned.verdict)) if as_json else print(tuned.verdict)
    if not tuned.is_saved:
        raise typer.Exit(1)


def _dimensions(given: str | None) -> tuple[int, ...]:
    try:
        return () if given is None else tuple(int(each) for each in given.split(","))
    except ValueError as error:
        raise VecsmithError(
            f"--matryoshka takes numbers joined by commas, such as 384,192,96, not {given!r}."
        ) from error


def _as_json(tuned: "TunedModel") -> dict[str, Any]:
    """Return the measurement of a model."""
    measured = {
        "recipe": tuned.tuning.recipe,
        "seed": tuned.tuning.seed,
        "verdict": tuned.verdict.label,
        "step": tuned.step,
        "validation": tuned.validated_on,
        "validation_gain": tuned.gain,
        "seen_share": tuned.seen_share,
        "popularity_weight": tuned.popularity_weight,
        "groups": groups_as_json(tuned.comparisons),
    }
    if tuned.tuning.codec is None:
        return measured
    return {**measured, "codec": tuned.tuning.codec, "float_groups": groups_as_json(tuned.floats)}
