"""Commands that describe vectors: inspect for one set, geometry for two sets of the same texts."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from vecsmith.cli.app import ForceFlag, JsonFlag, WritingCommand, app, console, print_json, say


@app.command(cls=WritingCommand)
def inspect(
    vectors: Annotated[
        Path, typer.Argument(metavar="SET", help="An embedding set, or a file of vectors (.npy, .npz, .parquet).")
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Output page (.html) with plots; an earlier page is replaced."),
    ] = None,
    force: ForceFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Describe the distribution of vectors, and suggest codecs that suit it.

    \b
    vecsmith inspect corpus.npy
    vecsmith inspect corpus.npy --out corpus.html
    """
    from vecsmith.advise.inspection import inspect
    from vecsmith.advise.suggestions import suggest
    from vecsmith.embeddings import EmbeddingSet
    from vecsmith.report.inspection import check_page, inspection_terminal, write_page

    if out is not None:
        check_page(out, force)
    embedded = EmbeddingSet.open(vectors)
    inspection = inspect(embedded)
    suggestions = suggest(inspection)
    if as_json:
        speaks_for = [suggestion._asdict() for suggestion in suggestions]
        print_json({"source": embedded.source, **inspection.to_dict(), "speaks_for": speaks_for})
    else:
        console().print(inspection_terminal(embedded.source, inspection, suggestions))
    if out is not None:
        write_page(out, embedded.source, inspection, suggestions, force)
        say(f"Wrote {out}")


SetArgument = Annotated[
    Path, typer.Argument(help="An embedding set, or a file of vectors (.npy, .npz, .parquet).", show_default=False)
]


@app.command()
def geometry(
    first: SetArgument,
    second: SetArgument,
    k: Annotated[list[int], typer.Option("-k", metavar="N", help="Number of nearest neighbors; repeatable.")] = [10],  # noqa: B006
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Random seed of the samples.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Measure how similar two sets of vectors of the same texts are; rows are matched by id.

    \b
    vecsmith geometry minilm/corpus mpnet/corpus
    vecsmith geometry corpus.npy translated.npy -k 10 -k 100
    """
    from vecsmith.embeddings import EmbeddingSet
    from vecsmith.evaluation.set_comparison import compare_sets
    from vecsmith.report import Findings, findings_terminal, geometry_table

    comparison = compare_sets(EmbeddingSet.open(first), EmbeddingSet.open(second), k, seed)
    for path, only in ((first, comparison.only_first), (second, comparison.only_second)):
        if only:
            say(f"{only} rows of {path} have an id that the other set does not have; they are left out.")
    if not comparison.paired:
        say("The sets have different dimensions, so that there is no mse and no cosine of a text's two vectors.")
    if as_json:
        neighborhoods: dict[int, dict[str, Any]] = {size: {} for size in k}
        for (name, size), estimate in comparison.neighborhoods.items():
            neighborhoods[size][name] = asdict(estimate)
        paired = {name: asdict(estimate) for name, estimate in comparison.paired.items()}
        counts = {"texts": comparison.texts, "only_first": comparison.only_first, "only_second": comparison.only_second}
        print_json({**counts, "paired": paired, "kernels": comparison.kernels, "neighborhoods": neighborhoods})
    else:
        table = geometry_table(f"{first} and {second}: {comparison.texts:,} texts, seed {seed}", comparison)
        console().print(findings_terminal(Findings([table])))
