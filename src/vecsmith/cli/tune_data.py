"""Commands that make training data of models: tune data and tune cross-encoder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from vecsmith.cli.app import (
    ForceFlag,
    JsonFlag,
    PassagePrompt,
    QueryPrompt,
    WritingCommand,
    print_json,
    say,
)
from vecsmith.cli.encoders import encoder_options
from vecsmith.cli.tune import tune
from vecsmith.errors import VecsmithError, unknown

RANDOM = "random"


@tune.command("data", cls=WritingCommand)
def data(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Output folder; training examples in it are replaced.")],
    recipe: Annotated[
        str,
        typer.Option(
            metavar="RECIPE",
            help="contrastive, gist, triplet, ranked-list, n-pair, gpl, augmented-sbert or tension.",
        ),
    ],
    task: Annotated[
        str | None, typer.Option("--task", metavar="TASK", help="pydocs, a BEIR folder, or mteb:NAME.")
    ] = None,
    imported: Annotated[
        Path | None,
        typer.Option(
            "--import",
            metavar="FILE",
            help="Pairs, triplets, margins, scored pairs, sentences or clicks in a .jsonl, .csv or .parquet file; they "
            "replace the judgements.",
        ),
    ] = None,
    column: Annotated[
        list[str],
        typer.Option(
            metavar="ROLE=NAME",
            help="Column of a role in FILE: query, positive, negative, margin, sentence1, sentence2, score, text, "
            "document, clicks or impressions; repeatable.",
        ),
    ] = [],  # noqa: B006
    min_clicks: Annotated[int, typer.Option(metavar="N", help="Minimum clicks of a query and a document.")] = 1,
    min_click_rate: Annotated[float, typer.Option(metavar="F", help="Minimum clicks divided by impressions.")] = 0.0,
    generator: Annotated[
        str | None,
        typer.Option(
            metavar="GENERATOR",
            help="Generate queries instead of using judgements: extract, t5:MODEL or chat:MODEL@URL. Default of gpl: "
            "extract.",
        ),
    ] = None,
    queries: Annotated[int, typer.Option(metavar="N", min=1, help="Generated queries per passage.")] = 3,
    passages: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Passages that get queries, drawn at random; default: all.")
    ] = None,
    negatives: Annotated[
        str, typer.Option(metavar="ENCODER", help="Encoder that mines negatives, or bm25.")
    ] = "static",
    negatives_per_pair: Annotated[int, typer.Option(metavar="N", min=1, help="Mined negatives per pair.")] = 1,
    margin: Annotated[
        float | None,
        typer.Option(
            metavar="F",
            help="Share of the positive's score by which a negative must score lower; default: 0.05, and none for gpl.",
        ),
    ] = None,
    cross_encoder: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            help="Cross-encoder of gpl and augmented-sbert: ce:MODEL, or st:MODEL to train one on the judgements.",
        ),
    ] = "st:all-MiniLM-L6-v2",
    teacher: Annotated[
        str | None,
        typer.Option(metavar="ENCODER", help="Encoder whose cosines give gpl its margins, not a cross-encoder."),
    ] = None,
    sampling: Annotated[
        list[str],
        typer.Option(
            metavar="SAMPLING",
            help="Documents that augmented-sbert scores: random, bm25 or an encoder; repeatable. Default: bm25.",
        ),
    ] = [],  # noqa: B006
    sampled: Annotated[int, typer.Option(metavar="N", min=1, help="Documents per query and sampling.")] = 5,
    split: Annotated[str, typer.Option(metavar="SPLIT", help="Split whose judgements are used.")] = "train",
    test: Annotated[str, typer.Option(metavar="SPLIT", help="Split whose queries are left out.")] = "test",
    query_prompt: QueryPrompt = [],  # noqa: B006
    passage_prompt: PassagePrompt = [],  # noqa: B006
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Random seed.")] = 0,
    force: ForceFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Make the training examples of a recipe: from judgements, a file, or queries that are generated for the corpus.

    The last line has the number of examples, and of examples that were left out. Generated queries are kept in the
    cache, so that an interrupted run continues.

    \b
    vecsmith tune data --task beir/scifact --recipe contrastive --negatives st:all-MiniLM-L6-v2 --out triplets
    vecsmith tune data --task my-task --recipe gpl --generator chat:MODEL@http://localhost:8000/v1 --out margins
    vecsmith tune data --task my-task --recipe contrastive --import clicks.csv --min-clicks 3 --out triplets
    vecsmith tune data --task beir/scifact --recipe augmented-sbert --cross-encoder ce:my-cross-encoder --out scored
    """
    from vecsmith.outputs import check_folder
    from vecsmith.tasks import load_task
    from vecsmith.tune.example_files import read_examples
    from vecsmith.tune.examples import FOLDER_KIND
    from vecsmith.tune.recipes import RECIPES
    from vecsmith.tune.training_data import DataOptions, make_examples

    if recipe not in RECIPES:
        raise unknown("recipe", recipe, RECIPES)
    if imported is not None and generator is not None:
        raise VecsmithError("--import and --generator both give the queries; leave one out.")
    if imported is None and task is None:
        raise VecsmithError("Training examples are made from a task or a file; give --task or --import.")
    check_folder(out, FOLDER_KIND, force)
    specs = [negatives, *sampling, *([teacher] if teacher else [])]
    prompted = [spec for spec in specs if spec != RANDOM and spec.partition(":")[0] != "bm25"]
    options = DataOptions(
        split,
        test,
        generator,
        queries,
        passages,
        negatives,
        negatives_per_pair,
        margin,
        cross_encoder,
        teacher,
        tuple(sampling) or DataOptions.sampling,
        sampled,
        seed,
        encoder_options(prompted, query_prompt, passage_prompt),
    )
    loaded = None if task is None else load_task(task)
    say(*(() if loaded is None else loaded.notes))
    columns = _columns(column)
    given = None if imported is None else read_examples(imported, loaded, columns, min_clicks, min_click_rate)
    examples = make_examples(RECIPES[recipe].examples, loaded, given, options).with_provenance(recipe=recipe)
    examples.save(out, force)
    if as_json:
        print_json(
            {
                "out": str(out),
                "recipe": recipe,
                "examples": examples.kind,
                "rows": len(examples),
                "columns": examples.dataset.column_names,
                "left_out": examples.counts,
            }
        )
    if "accuracy" in examples.provenance:
        say(_accuracy(examples.provenance["accuracy"], examples.provenance["held_out_triplets"]))
    say(f"Wrote {examples!r} to {out}")
    # the counts are the last line of the result, on standard output unless that is JSON
    say(examples.summary) if as_json else print(examples.summary)


def _columns(values: Sequence[str]) -> dict[str, str]:
    """Return the column of each role."""
    columns: dict[str, str] = {}
    for value in values:
        role, is_given, name = value.partition("=")
        if not (role and is_given and name) or role in columns:
            raise VecsmithError(f"--column takes ROLE=NAME once a role, such as query=search_term, not {value!r}.")
        columns[role] = name
    return columns


def _accuracy(accuracy: float, triplets: int) -> str:
    return f"Accuracy of the cross-encoder on {triplets} held-out triplets: {accuracy:.3f} (chance: 0.5)"


@tune.command("cross-encoder", cls=WritingCommand)
def cross_encoder(
    task: Annotated[str, typer.Option("--task", metavar="TASK", help="pydocs, a BEIR folder, or mteb:NAME.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Output folder; a cross-encoder in it is replaced.")],
    model: Annotated[
        str,
        typer.Option(metavar="MODEL", help="Cross-encoder or transformer to start from: a name or a folder."),
    ] = "all-MiniLM-L6-v2",
    split: Annotated[str, typer.Option(metavar="SPLIT", help="Split whose judgements are trained on.")] = "train",
    test: Annotated[str, typer.Option(metavar="SPLIT", help="Split whose queries are left out.")] = "test",
    negatives: Annotated[
        str, typer.Option(metavar="ENCODER", help="Encoder that mines negatives, or bm25.")
    ] = "static",
    epochs: Annotated[int, typer.Option(metavar="N", min=1, help="Passes over the judged pairs.")] = 1,
    batch_size: Annotated[int, typer.Option(metavar="N", min=1, help="Pairs per step.")] = 16,
    max_length: Annotated[int, typer.Option(metavar="N", min=1, help="Maximum input length in tokens.")] = 256,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Random seed.")] = 0,
    force: ForceFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Fine-tune a cross-encoder on judgements, to label training data or to rerank.

    The last line says how often the model ranks the relevant document of held-out queries above a mined negative.

    \b
    vecsmith tune cross-encoder --task beir/scifact --out my-cross-encoder
    vecsmith tune data --task beir/scifact --recipe gpl --cross-encoder ce:my-cross-encoder --out margins
    """
    from vecsmith.outputs import check_folder
    from vecsmith.tasks import load_task
    from vecsmith.tune.cross_encoder import FOLDER_KIND, CrossEncoderTraining, train_cross_encoder
    from vecsmith.tune.training_data import CROSS_ENCODER_NEGATIVES, DataOptions, make_examples

    check_folder(out, FOLDER_KIND, force)
    loaded = load_task(task)
    say(*loaded.notes)
    options = DataOptions(split, test, miner=negatives, negatives=CROSS_ENCODER_NEGATIVES, seed=seed)
    triplets = make_examples("triplets", loaded, None, options)
    say(triplets.summary)
    settings = CrossEncoderTraining(epochs, batch_size, max_length=max_length)
    trained = train_cross_encoder(triplets, model, out, seed, settings, force)
    line = _accuracy(trained.accuracy, trained.triplets)
    if as_json:
        print_json({"out": str(out), "accuracy": trained.accuracy, "triplets": trained.triplets})
    say(f"Wrote a cross-encoder to {out}")
    say(line) if as_json else print(line)
