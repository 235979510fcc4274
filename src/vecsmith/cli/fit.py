"""Commands that fit a codec and encode vectors with it: fit and encode."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vecsmith.cli.app import (
    ForceFlag,
    IdColumn,
    JsonFlag,
    TextColumn,
    VectorColumn,
    WritingCommand,
    app,
    console,
    print_json,
    say,
)
from vecsmith.cli.engines import (
    EngineOption,
    RayAddress,
    only_one,
    opened_engine,
    refuse_with_files,
    works_on_files,
)
from vecsmith.cli.retrievers import LexicalOption
from vecsmith.errors import VecsmithError

if TYPE_CHECKING:
    from vecsmith.embeddings import Columns, EmbeddingSet

VectorsOption = Annotated[
    list[str],
    typer.Option(
        "--vectors",
        metavar="SET",
        help="An embedding set, a file of vectors (.npy, .npz, .parquet), a Lance dataset, or a folder or quoted "
        "pattern of files that are shards of one set; a path, or a URI such as s3://bucket/folder; repeat it, once a "
        "model, for a codec that fuses models.",
    ),
]


@app.command(cls=WritingCommand)
def fit(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="Spec of the codec, such as trellis48B; or auto.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Output folder; a codec in it is replaced.")],
    vectors: VectorsOption = [],  # noqa: B006
    validation: Annotated[
        list[Path],
        typer.Option(
            "--validation",
            metavar="SET",
            help="Validation vectors for codecs that are trained, such as autoencoder96:mlp1; repeat it, once a model.",
        ),
    ] = [],  # noqa: B006
    column: VectorColumn = None,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="TASK",
            help="Fit on the documents of this task; auto, fuse and loss=contrastive also use its queries.",
        ),
    ] = None,
    encoder: Annotated[
        str, typer.Option(metavar="ENCODER", help="Encoder of the documents and queries of --task.")
    ] = "static",
    split: Annotated[
        str,
        typer.Option(metavar="SPLIT", help="Split of --task whose judgements auto, fuse and loss=contrastive use."),
    ] = "dev",
    size: Annotated[
        int | None,
        typer.Option("--bytes", metavar="N", help="auto: choose the best codec with at most N bytes per vector."),
    ] = None,
    min_retention: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="auto: choose the smallest codec that retains this share of nDCG@10."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="TARGET",
            help="auto: index (the default) chooses codecs that are searched without decoding; storage chooses any "
            "codec; faiss, usearch, lancedb, chroma or pgvector chooses codecs that this store searches without "
            "decoding.",
        ),
    ] = None,
    queries: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="auto: give the intervals for a measurement with N judged queries; the default is a very large number "
            "of queries.",
        ),
    ] = None,
    corpus_size: Annotated[
        str | None,
        typer.Option(
            metavar="N",
            help="auto: choose by the predicted retention in a corpus of N documents, such as 100M, 1e8 or "
            "100_000_000; the default is the number of documents.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Random seed.")] = 0,
    engine: EngineOption = None,
    ray_address: RayAddress = None,
    force: ForceFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Fit a codec to vectors and save it; auto chooses the codec for a size or a quality, and shows the trade-off.

    An interrupted training continues from its last checkpoint when the same command runs again.

    \b
    vecsmith fit trellis48B --vectors corpus.npy --out my-codec
    vecsmith fit autoencoder96:mlp1 --vectors corpus.npy --validation others.npy --out my-codec
    vecsmith fit auto --bytes 48 --vectors corpus.npy --out my-codec
    vecsmith fit auto --min-retention 0.95 --queries 200 --vectors corpus.npy --out my-codec
    vecsmith fit auto --min-retention 0.95 --corpus-size 100M --vectors corpus.npy --out my-codec
    vecsmith fit auto --bytes 48 --for pgvector --vectors corpus.npy --out my-codec
    vecsmith fit auto --min-retention 0.98 --task beir/scifact --encoder vectors:minilm --split train --out my-codec
    vecsmith fit "thresholds(loss=contrastive)" --task beir/scifact --encoder vectors:minilm --split train --out code
    vecsmith fit "fuse(minilm,static):fit,pca384,int8" --vectors minilm --vectors static --out my-codec
    vecsmith fit trellis48B --vectors "s3://bucket/corpus/*.parquet" --column embedding --engine ray --out my-codec
    """
    from vecsmith.advise.choice import choose
    from vecsmith.advise.corpus_size import parse_size
    from vecsmith.advise.fusion_weights import weights_on_queries
    from vecsmith.advise.prediction import Prediction, ValidationTask
    from vecsmith.codecs import Codec
    from vecsmith.codecs.codec import KIND
    from vecsmith.codecs.reducers.fuse import FittedFuse
    from vecsmith.codecs.reducers.trained import Trained
    from vecsmith.embeddings import Columns
    from vecsmith.encoders import embed_task
    from vecsmith.evaluation.judged_pairs import judged_pairs, training_rows
    from vecsmith.outputs import check_folder
    from vecsmith.report import findings_terminal
    from vecsmith.report.advice import trade_off
    from vecsmith.report.findings import Findings
    from vecsmith.tasks import load_task

    _check_options(spec, size, min_retention, target, queries, corpus_size, vectors, validation)
    future = None if corpus_size is None else parse_size(corpus_size)
    check_folder(out, KIND, force)
    judged = None
    if task is not None and not vectors:
        judged = ValidationTask(load_task(task), encoder, split)
        embedded, query_vectors = embed_task(judged.task, encoder)
    elif vectors and task is None and works_on_files(engine, *vectors):
        refuse_with_files(validation=validation)
        embedded, count = _sampled(only_one(vectors), Columns(column), seed, engine, ray_address)
        future = future or count
    elif vectors and task is None:
        embedded = _open(vectors, Columns(column))
    else:
        raise VecsmithError("Give either --vectors or --task to fit on.")
    predictions: list[Prediction] = []
    if spec == "auto":
        chosen, predictions = choose(
            embedded.unit, size, min_retention, seed, judged, target or "index", queries, future
        )
        spec = chosen.codec
    codec = Codec(spec, seed)
    codec.check_several(len(vectors))
    fusion = codec.stages[0] if isinstance(codec.stages[0], FittedFuse) else None
    if fusion and judged and all(name in judged.task.qrels for name in split.split("+")):
        fusion.judged = weights_on_queries(judged, seed)
    judges = _open([str(path) for path in validation], Columns(column)).unit if validation else None
    pairs = None
    if judged and codec.uses_pairs:
        rows = training_rows(judged.task, split, embedded, seed)
        pairs = judged_pairs(judged.task, split, query_vectors, embedded, rows)
    codec.fit(embedded.unit, validation=judges, pairs=pairs).save(out, force)
    if validation and not any(isinstance(stage, Trained) and stage.trains for stage in codec.stages):
        say(f"{spec} is not trained, so --validation was not used; a preset trains, such as autoencoder96:mlp1.")
    if as_json:
        tried = [asdict(prediction) for prediction in predictions]
        weights = {"weights": fusion.relative_weights} if fusion else {}
        print_json({"codec": spec, "seed": seed, "bytes_per_vector": codec.bytes_per_vector, "tried": tried, **weights})
    elif predictions:
        console().print(findings_terminal(Findings([trade_off(predictions, len(embedded), queries)])))
    if fusion:
        say(fusion.verdict())
    say(f"Wrote {codec!r}, {codec.bytes_per_vector} bytes per vector, to {out}")


def _check_options(
    spec: str,
    size: int | None,
    min_retention: float | None,
    target: str | None,
    queries: int | None,
    corpus_size: str | None,
    vectors: list[str],
    validation: list[Path],
) -> None:
    """Refuse options of auto for another codec, and options that auto cannot use."""
    if (spec == "auto") != (size is not None or min_retention is not None):
        raise VecsmithError(
            "fit auto takes --bytes or --min-retention, and no other codec does; name one or the other."
        )
    if spec != "auto":
        if target is not None or queries is not None or corpus_size is not None:
            raise VecsmithError(
                "--for, --queries and --corpus-size are options of fit auto; leave them out, or name auto."
            )
        return
    if validation:
        raise VecsmithError("fit auto trains no codec, so it cannot use --validation; leave it out, or name a codec.")
    if len(vectors) > 1:
        raise VecsmithError(
            f"fit auto chooses a codec for the vectors of one model, but got {len(vectors)} sets; name a codec that "
            "fuses them, such as 'fuse(a,b):fit,trellis48B'."
        )


@app.command(cls=WritingCommand)
def encode(
    codec: Annotated[Path, typer.Argument(metavar="CODEC", help="Folder that fit wrote.")],
    vectors: VectorsOption,
    out: Annotated[
        str,
        typer.Option(
            metavar="DIR", help="Output folder, or its URI; codes in it are replaced, and interrupted parts continued."
        ),
    ],
    column: VectorColumn = None,
    id_column: IdColumn = None,
    text_column: TextColumn = None,
    recenter: Annotated[
        bool, typer.Option("--recenter", help="Replace the means that the codec stores by the means of these vectors.")
    ] = False,
    reduced: Annotated[
        bool, typer.Option("--reduced", help="Write the reduced vectors, before the quantizer, as an embedding set.")
    ] = False,
    lexical: LexicalOption = None,
    engine: EngineOption = None,
    ray_address: RayAddress = None,
    force: ForceFlag = False,
) -> None:
    """Encode vectors with a fitted codec for search; or reduce them for a database, a translator or another codec.

    \b
    vecsmith encode my-codec --vectors corpus.npy --out my-codes
    vecsmith encode my-codec --vectors my-embedding-set --lexical bm25 --out my-codes
    vecsmith encode my-pca256 --reduced --vectors corpus.npy --out corpus-256
    vecsmith encode my-codec --vectors "s3://bucket/corpus/*.parquet" --engine ray --out s3://bucket/codes
    """
    from vecsmith.codecs import load_codec, reduce_set
    from vecsmith.embeddings import Columns, check_blocks
    from vecsmith.embeddings.writer import KIND as SET
    from vecsmith.index import CodeSet
    from vecsmith.index.bm25 import Bm25
    from vecsmith.index.code_writing import KIND
    from vecsmith.outputs import check_folder

    if reduced and lexical:
        raise VecsmithError("--reduced writes vectors, which have no lexical index; leave out --lexical.")
    bm25 = Bm25.parse(lexical) if lexical else None
    columns = Columns(column, id_column, text_column)
    if works_on_files(engine, *vectors, out):
        from vecsmith.distributed import sources, writing

        refuse_with_files(recenter=recenter, lexical=lexical)
        fitted, source = load_codec(codec), sources.open_source(only_one(vectors), columns)
        with opened_engine(engine, ray_address) as opened:
            written = (writing.reduce if reduced else writing.encode)(fitted, source, out, opened, force)
        what = "reduced vectors" if reduced else f"codes of {fitted.bytes_per_vector} bytes"
        say(f"Wrote {written.rows:,} {what} in {written.parts:,} parts to {out}")
        return
    check_folder(Path(out), SET if reduced else KIND, force)
    fitted = load_codec(codec)
    fitted.check_several(len(vectors))
    embedded = _open(vectors, columns)
    check_blocks(fitted.blocks, embedded.blocks, fitted)
    fitted = fitted.recentered(embedded.unit) if recenter else fitted
    if reduced:
        say(f"Wrote {reduce_set(fitted, embedded, out, force)!r} to {out}")
        return
    encoded = CodeSet.encode(fitted, embedded, out, force, bm25)
    say(f"Wrote {len(encoded)} codes of {encoded.codes.shape[1]} bytes to {out}")


def _open(paths: list[str], columns: "Columns") -> "EmbeddingSet":
    """Open an embedding set, or several models' sets as one, and print which columns of Parquet files are read."""
    from vecsmith.embeddings import EmbeddingSet, chosen_columns, fuse

    for path in map(Path, paths):
        if path.suffix == ".parquet" and path.is_file():
            say(f"{path.name}: {chosen_columns(path, columns)}.")
    return fuse([EmbeddingSet.open(path, columns) for path in paths])


def _sampled(
    where: str, columns: "Columns", seed: int, engine: str | None, ray_address: str | None
) -> "tuple[EmbeddingSet, int]":
    """Return the sample of vectors in many files that a codec is fitted on, and the number of all vectors."""
    from vecsmith.distributed.fitting import sample
    from vecsmith.distributed.sources import open_source
    from vecsmith.embeddings import EmbeddingSet

    source = open_source(where, columns)
    with opened_engine(engine, ray_address) as opened:
        return EmbeddingSet(sample(source, seed=seed, engine=opened), source=where), source.count()
