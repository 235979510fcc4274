"""Commands for the switch from one embedding model to another."""

from pathlib import Path
from typing import Annotated

import typer

from vecsmith.cli.app import ForceFlag, JsonFlag, app, console, print_json, say

migrate = typer.Typer(
    no_args_is_help=True, help="Switch to another embedding model without embedding everything again."
)
app.add_typer(migrate, name="migrate")

OldOption = Annotated[Path, typer.Option("--old", metavar="SET", help="The documents' vectors of the old model.")]
NewOption = Annotated[
    Path,
    typer.Option(
        "--new", metavar="SET", help="Documents embedded by the new model: some of the old ones, by id, or more."
    ),
]
MethodOption = Annotated[str, typer.Option("--method", metavar="SPEC", help="The translator.")]
SeedOption = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Seeds everything random.")]


@migrate.command("plan")
def plan(
    old: OldOption,
    new: NewOption,
    beside: Annotated[
        Path | None,
        typer.Option(metavar="SET", help="The documents by another model that stays, whose scores are added."),
    ] = None,
    method: MethodOption = "canonical",
    seed: SeedOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Say what each way to switch keeps, from a sample of texts embedded by both models.

    \b
    vecsmith migrate plan --old corpus-minilm --new sample-mpnet --beside corpus-static
    """
    from vecsmith.advise.migration import plan
    from vecsmith.embeddings import EmbeddingSet
    from vecsmith.report import findings_terminal
    from vecsmith.report.advice import migration_plan

    also = EmbeddingSet.open(beside) if beside else None
    planned = plan(EmbeddingSet.open(old), EmbeddingSet.open(new), also, method, seed)
    if as_json:
        print_json(planned.to_dict())
    else:
        console().print(findings_terminal(migration_plan(planned)))


@migrate.command("apply")
def apply(
    old: OldOption,
    new: NewOption,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write, new or interrupted.")],
    method: MethodOption = "canonical",
    seed: SeedOption = 0,
    force: ForceFlag = False,
) -> None:
    """Write all documents in the new model's space: its own vectors where there are some, translated ones elsewhere.

    \b
    vecsmith migrate apply --old corpus-minilm --new sample-mpnet --out corpus-mpnet
    """
    from vecsmith.advise.migration import apply
    from vecsmith.embeddings import EmbeddingSet

    sample = EmbeddingSet.open(new)
    written, level = apply(EmbeddingSet.open(old), sample, out, method, seed, force)
    say(
        f"Wrote {written!r} to {out}: {len(written) - len(sample):,} documents translated, and {len(sample):,} of the "
        f"new model's own, turned until they score as those do ({level.ratio:.2f} of what they did)"
    )
