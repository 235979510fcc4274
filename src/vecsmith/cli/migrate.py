"""Commands that switch from one embedding model to another: migrate plan and migrate apply."""

from pathlib import Path
from typing import Annotated

import typer

from vecsmith.cli.app import (
    ForceFlag,
    IdColumn,
    JsonFlag,
    VectorColumn,
    WritingCommand,
    app,
    console,
    print_json,
    say,
)
from vecsmith.cli.engines import EngineOption, RayAddress, opened_engine, works_on_files

migrate = typer.Typer(
    no_args_is_help=True, help="Switch to another embedding model without embedding all documents again."
)
app.add_typer(migrate, name="migrate")

OldOption = Annotated[Path, typer.Option("--old", metavar="SET", help="Vectors of all documents by the old model.")]
NewOption = Annotated[
    Path,
    typer.Option(
        "--new",
        metavar="SET",
        help="Vectors by the new model for a sample of the documents, matched by id; further documents may be added.",
    ),
]
MethodOption = Annotated[
    str, typer.Option("--method", metavar="SPEC", help="Spec of the translator, as `translate methods` lists them.")
]
SeedOption = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Random seed.")]


@migrate.command("plan")
def plan(
    old: OldOption,
    new: NewOption,
    fuse_with: Annotated[
        Path | None,
        typer.Option(
            metavar="SET",
            help="Vectors of the documents by a further model that stays in use; its scores are added to all others.",
        ),
    ] = None,
    method: MethodOption = "canonical",
    seed: SeedOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Predict the retrieval quality that each way to switch retains, from documents embedded by both models.

    \b
    vecsmith migrate plan --old corpus-minilm --new sample-mpnet --fuse-with corpus-static
    """
    from vecsmith.advise.migration import plan
    from vecsmith.embeddings import EmbeddingSet
    from vecsmith.report import findings_terminal
    from vecsmith.report.advice import migration_plan

    also = EmbeddingSet.open(fuse_with) if fuse_with else None
    planned = plan(EmbeddingSet.open(old), EmbeddingSet.open(new), also, method, seed)
    if as_json:
        print_json(planned.to_dict())
    else:
        console().print(findings_terminal(migration_plan(planned)))


@migrate.command("apply", cls=WritingCommand)
def apply(
    old: Annotated[
        str, typer.Option("--old", metavar="SET", help="Vectors of all documents by the old model, as for encode.")
    ],
    new: NewOption,
    out: Annotated[
        str, typer.Option(metavar="DIR", help="Output folder, or its URI: new, or left by an interrupted run.")
    ],
    method: MethodOption = "canonical",
    seed: SeedOption = 0,
    column: VectorColumn = None,
    id_column: IdColumn = None,
    engine: EngineOption = None,
    ray_address: RayAddress = None,
    force: ForceFlag = False,
) -> None:
    """Write the vectors of all documents in the new model's space: those of --new, and translated ones for the others.

    \b
    vecsmith migrate apply --old corpus-minilm --new sample-mpnet --out corpus-mpnet
    """
    from vecsmith.advise.migration import apply
    from vecsmith.embeddings import Columns, EmbeddingSet

    sample, columns = EmbeddingSet.open(new), Columns(column, id_column)
    if works_on_files(engine, old, out):
        from vecsmith.distributed import migration, sources

        with opened_engine(engine, ray_address) as opened:
            source = sources.open_source(old, columns)
            parts, calibration = migration.migrate(source, sample, out, method, seed, opened, force)
        say(
            f"Wrote {parts.rows:,} vectors in {parts.parts:,} parts to {out}, {len(sample):,} of them by the new "
            f"model, calibrated to the scores of translated ones (times {calibration.ratio:.2f})"
        )
        return
    written, calibration = apply(EmbeddingSet.open(old, columns), sample, out, method, seed, force)
    say(
        f"Wrote {written!r} to {out}: {len(written) - len(sample):,} documents translated, and {len(sample):,} "
        f"vectors of the new model, calibrated to the scores of translated ones (times {calibration.ratio:.2f})"
    )
