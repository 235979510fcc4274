"""Commands that tune frozen vectors: tune adapter and tune distill."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vecsmith.cli.app import (
    ForceFlag,
    JsonFlag,
    PassagePrompt,
    QueryPrompt,
    WritingCommand,
    app,
    console,
    print_json,
    say,
)
from vecsmith.cli.encoders import encoder_options
from vecsmith.errors import VecsmithError

if TYPE_CHECKING:
    from vecsmith.tune import DistilledAdapter, TunedAdapter
    from vecsmith.tune.comparison import Comparison

tune = typer.Typer(no_args_is_help=True, help="Improve vectors with your own relevance judgements or queries.")
app.add_typer(tune, name="tune")

SIDES = ("queries", "both")
TaskOption = Annotated[str, typer.Option("--task", metavar="TASK", help="pydocs, a BEIR folder, or mteb:NAME.")]
OutOption = Annotated[Path, typer.Option(metavar="DIR", help="Output folder; a translator in it is replaced.")]
TestOption = Annotated[str, typer.Option(metavar="SPLIT", help="Split on which the adapter is measured.")]
MethodOption = Annotated[
    str, typer.Option(metavar="SPEC", help="adapter, adapter:rankR or adapter:mlpH, such as adapter:rank64.")
]
SeedOption = Annotated[int, typer.Option(metavar="N", min=0, help="Random seed.")]


# without a callback, a single command would take the place of the group
@tune.callback()
def group() -> None:
    """Improve vectors with your own relevance judgements or queries."""


@tune.command("adapter", cls=WritingCommand)
def adapter(
    task: TaskOption,
    out: OutOption,
    encoder: Annotated[
        str, typer.Option(metavar="ENCODER", help="static, st:MODEL, api:MODEL, vectors:NAME, or several joined by +.")
    ] = "static",
    split: Annotated[str, typer.Option(metavar="SPLIT", help="Split whose judgements are trained on.")] = "train",
    test: TestOption = "test",
    method: MethodOption = "adapter",
    sides: Annotated[
        str,
        typer.Option(
            metavar="SIDES", help="queries: the index stays as it is; both: documents are transformed and indexed anew."
        ),
    ] = "queries",
    loss: Annotated[
        str, typer.Option(metavar="LOSS", help="infonce, listwise, margin-mse, distillation or ranked-list.")
    ] = "infonce",
    teacher: Annotated[
        str | None, typer.Option(metavar="ENCODER", help="Encoder that the losses margin-mse and distillation imitate.")
    ] = None,
    query_prompt: QueryPrompt = [],  # noqa: B006
    passage_prompt: PassagePrompt = [],  # noqa: B006
    seed: SeedOption = 0,
    force: ForceFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Train an adapter of existing vectors on judgements; no text is embedded again.

    The result is a translator for search --translator. The last line is the verdict. With REGRESSION, nothing is
    written, and the exit code is 1.

    \b
    vecsmith tune adapter --task beir/scifact --encoder vectors:minilm --split train --out my-adapter
    vecsmith search my-codes --translator my-adapter --query "how to tie a bowline"
    vecsmith tune adapter --task beir/scifact --encoder static --sides both --out my-adapter
    vecsmith translate apply my-adapter --vectors corpus --out adapted-corpus
    """
    from vecsmith.outputs import check_folder
    from vecsmith.tasks import load_task
    from vecsmith.translators.base import KIND
    from vecsmith.tune import tune_adapter

    if sides not in SIDES:
        raise VecsmithError(f"--sides is {' or '.join(SIDES)}, not {sides!r}.")
    check_folder(out, KIND, force)
    encoders = [encoder] if teacher is None else [encoder, teacher]
    options = encoder_options(encoders, query_prompt, passage_prompt)
    loaded = load_task(task)
    say(*loaded.notes)
    tuned = tune_adapter(loaded, encoder, split, test, method, loss, sides == "both", teacher, seed, options)
    finish(tuned, out, force, as_json)


@tune.command("distill", cls=WritingCommand)
def distill(
    task: TaskOption,
    out: OutOption,
    encoder: Annotated[
        str, typer.Option(metavar="ENCODER", help="static, st:MODEL, api:MODEL or vectors:NAME.")
    ] = "static",
    generator: Annotated[
        str | None,
        typer.Option(
            metavar="GENERATOR",
            help="Train on generated queries, not on those of the task: extract, t5:MODEL or chat:MODEL@URL.",
        ),
    ] = None,
    test: TestOption = "test",
    method: MethodOption = "adapter",
    query_prompt: QueryPrompt = [],  # noqa: B006
    passage_prompt: PassagePrompt = [],  # noqa: B006
    seed: SeedOption = 0,
    force: ForceFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Train an adapter of queries without judgements: it imitates the fusion of the vectors with BM25.

    The training queries are those of the task that the test split does not judge, such as a query log; or they are
    generated from the documents. The result is used like that of tune adapter, and the index stays as it is. The last
    line is the verdict. With REGRESSION, nothing is written, and the exit code is 1.

    \b
    vecsmith tune distill --task my-task --encoder st:all-MiniLM-L6-v2 --out my-adapter
    vecsmith search my-codes --translator my-adapter --query "how to tie a bowline"
    """
    from vecsmith.outputs import check_folder
    from vecsmith.tasks import load_task
    from vecsmith.translators.base import KIND
    from vecsmith.tune import distill_adapter

    check_folder(out, KIND, force)
    options = encoder_options([encoder], query_prompt, passage_prompt)
    loaded = load_task(task)
    say(*loaded.notes)
    finish(distill_adapter(loaded, encoder, test, generator, method, seed, options), out, force, as_json)


def finish(tuned: "TunedAdapter | DistilledAdapter", out: Path, force: bool, as_json: bool) -> None:
    """Save an adapter that is better than none, and print its measurement and verdict."""
    from vecsmith.report import findings_terminal
    from vecsmith.report.advice import adapter_report
    from vecsmith.report.findings import Findings
    from vecsmith.tune import TunedAdapter

    is_better = tuned.verdict.label != "REGRESSION"
    if is_better:
        tuned.adapter.save(out, force)
    if as_json:
        print_json(_as_json(tuned))
    else:
        console().print(findings_terminal(Findings([adapter_report(tuned)])))
    if isinstance(tuned, TunedAdapter):
        say(tuned.advice)
    say(f"Wrote {tuned.adapter!r} to {out}" if is_better else f"The adapter is not better, so {out} was not written.")
    # the verdict is the last line of the result, on standard output unless that is JSON
    say(str(tuned.verdict)) if as_json else print(tuned.verdict)
    if not is_better:
        raise typer.Exit(1)


def _as_json(tuned: "TunedAdapter | DistilledAdapter") -> dict[str, Any]:
    """Return the measurement of an adapter."""
    from vecsmith.tune import DistilledAdapter

    return {
        "adapter": tuned.adapter.spec,
        "seed": tuned.adapter.seed,
        "verdict": tuned.verdict.label,
        **({"training_queries": tuned.queries} if isinstance(tuned, DistilledAdapter) else _choice(tuned)),
        "validation": tuned.validated_on,
        "seen_share": tuned.seen_share,
        "popularity_weight": tuned.popularity_weight,
        "groups": groups_as_json(tuned.comparisons),
    }


def _choice(tuned: "TunedAdapter") -> dict[str, Any]:
    return {"strength": tuned.choice.strength, "check": tuned.choice.check, "validation_gain": tuned.choice.gain}


def groups_as_json(comparisons: "Sequence[Comparison]") -> dict[str, Any]:
    """Return the measurements of the groups of test queries by name."""
    return {
        each.name: {
            "n_queries": each.queries,
            "baseline": each.verdict.baseline,
            "ndcg_at_10": each.verdict.value,
            "difference": each.verdict.difference,
            "p_value": each.verdict.p_value,
            "popularity": each.popularity,
        }
        for each in comparisons
    }
