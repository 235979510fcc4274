"""Commands that translate vectors into the space of another model: translate fit, apply and methods."""

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
    print_json,
    print_listing,
    say,
)
from vecsmith.cli.engines import EngineOption, RayAddress, opened_engine, works_on_files

translate = typer.Typer(no_args_is_help=True, help="Translate vectors into the space of another model.")
app.add_typer(translate, name="translate")


@translate.command("fit", cls=WritingCommand)
def fit(
    source: Annotated[
        Path, typer.Option(metavar="SET", help="Vectors of the source model: an embedding set or a file of vectors.")
    ],
    target: Annotated[Path, typer.Option(metavar="SET", help="Vectors of the target model for the same texts.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Output folder; a translator in it is replaced.")],
    method: Annotated[
        str, typer.Option(metavar="SPEC", help="Spec of the translator, as `translate methods` lists them.")
    ] = "canonical",
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Random seed.")] = 0,
    force: ForceFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Fit a map from one model's space to another's on texts that both models embedded; rows are matched by id.

    \b
    vecsmith translate fit --source old/corpus --target new/corpus --method canonical --out old-to-new
    """
    from vecsmith.embeddings import EmbeddingSet
    from vecsmith.outputs import check_folder
    from vecsmith.translators import fit_sets, translator
    from vecsmith.translators.base import KIND

    check_folder(out, KIND, force)
    fitted = translator(method, seed)
    source_set, target_set = EmbeddingSet.open(source), EmbeddingSet.open(target)
    pairs = fit_sets(fitted, source_set, target_set)
    fitted.save(out, force)
    if as_json:
        counts = {"pairs": len(pairs), "only_source": pairs.only_source, "only_target": pairs.only_target}
        print_json({"translator": method, "seed": seed, "fitted_on": fitted.pairs_, **counts})
    for path, only in ((source, pairs.only_source), (target, pairs.only_target)):
        if only:
            say(f"{only} rows of {path} have an id that the other set does not have; they are left out.")
    say(f"Wrote {fitted!r}, fitted on {fitted.pairs_} pairs, to {out}")


@translate.command("apply", cls=WritingCommand)
def apply(
    translator: Annotated[Path, typer.Argument(metavar="TRANSLATOR", help="Folder that translate fit wrote.")],
    vectors: Annotated[
        str, typer.Option("--vectors", metavar="SET", help="Vectors of the source model, as for encode.")
    ],
    out: Annotated[
        str, typer.Option(metavar="DIR", help="Output folder, or its URI: new, or left by an interrupted run.")
    ],
    column: VectorColumn = None,
    id_column: IdColumn = None,
    engine: EngineOption = None,
    ray_address: RayAddress = None,
    force: ForceFlag = False,
) -> None:
    """Translate an embedding set; an interrupted run continues.

    \b
    vecsmith translate apply old-to-new --vectors old/corpus --out translated
    vecsmith translate apply old-to-new --vectors "s3://bucket/old/*.parquet" --engine ray --out s3://bucket/new
    """
    from vecsmith.embeddings import Columns, EmbeddingSet
    from vecsmith.translators import load_translator, translate_set

    columns = Columns(column, id_column)
    if works_on_files(engine, vectors, out):
        from vecsmith.distributed import sources, writing

        with opened_engine(engine, ray_address) as opened:
            source = sources.open_source(vectors, columns)
            written = writing.translate(load_translator(translator), source, out, opened, force)
        say(f"Wrote {written.rows:,} translated vectors in {written.parts:,} parts to {out}")
        return
    translated = translate_set(load_translator(translator), EmbeddingSet.open(vectors, columns), out, force)
    say(f"Wrote {translated!r} to {translated.source}")


@translate.command("methods")
def methods(as_json: JsonFlag = False) -> None:
    """List the translators."""
    from vecsmith.translators import TRANSLATORS

    print_listing({usage: method.summary for usage, method in TRANSLATORS.items()}, as_json)
