"""Commands that create and describe embedding sets: embed and info."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from vecsmith.cli.app import (
    BatchSize,
    ForceFlag,
    IdColumn,
    JsonFlag,
    MaxLength,
    PassagePrompt,
    QueryPrompt,
    TextColumn,
    TrustRemoteCode,
    WritingCommand,
    app,
    print_listing,
    say,
)
from vecsmith.cli.encoders import encoder_options
from vecsmith.cli.engines import EngineOption, NumGpus, RayAddress, opened_engine, works_on_files
from vecsmith.errors import VecsmithError


@app.command(cls=WritingCommand)
def embed(
    out: Annotated[
        str, typer.Option(metavar="DIR", help="Output folder, or its URI: new, or left by an interrupted run.")
    ],
    task: Annotated[
        str | None,
        typer.Option(metavar="TASK", help="pydocs, a BEIR folder, or mteb:NAME; both corpus and queries are embedded."),
    ] = None,
    texts: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="File of texts: a .jsonl, .json, .csv, .tsv or .parquet table, or plain text with one text per line; "
            "with --engine or a URI: a folder or pattern of .parquet files, a Lance dataset, or an embedding set.",
        ),
    ] = None,
    text_column: TextColumn = None,
    id_column: IdColumn = None,
    encoder: Annotated[
        str, typer.Option(metavar="ENCODER", help="static, st:MODEL, api:MODEL, or several joined by +.")
    ] = "static",
    query_prompt: QueryPrompt = [],  # noqa: B006
    passage_prompt: PassagePrompt = [],  # noqa: B006
    max_length: MaxLength = None,
    batch_size: BatchSize = None,
    trust_remote_code: TrustRemoteCode = False,
    engine: EngineOption = None,
    ray_address: RayAddress = None,
    num_gpus: NumGpus = 0,
    force: ForceFlag = False,
) -> None:
    """Embed a task or a file of texts; an interrupted run continues.

    \b
    vecsmith embed --task beir/scifact --encoder st:all-MiniLM-L6-v2 --out scifact-minilm
    vecsmith embed --texts products.csv --text-column description --id-column sku --out products
    vecsmith embed --task my-task --encoder st:e5+static --query-prompt "st:e5=query: " --out my-task-both
    vecsmith embed --texts "s3://bucket/texts/*.parquet" --encoder st:e5 --engine ray --num-gpus 1 --out s3://bucket/e5
    """
    from vecsmith.encoders import embed_task, embed_texts, load_encoder
    from vecsmith.tasks import load_task, read_texts

    if (task is None) == (texts is None):
        raise VecsmithError("Give either --task or --texts.")
    options = encoder_options([encoder], query_prompt, passage_prompt, max_length, batch_size, trust_remote_code)
    if task is not None:
        if text_column or id_column:
            raise VecsmithError("A task has fixed columns; leave out --text-column and --id-column.")
        if works_on_files(engine, out):
            raise VecsmithError("--task embeds on one machine; leave out --engine, and give a local folder with --out.")
        sets = embed_task(load_task(task), encoder, options, out, force)
        say(*(f"Wrote {embedded!r} to {embedded.source}" for embedded in sets))
    elif texts is not None:
        if query_prompt:
            raise VecsmithError("Texts of a file are embedded as documents; give their prompt with --passage-prompt.")
        if works_on_files(engine, texts, out):
            from vecsmith.distributed import sources, writing
            from vecsmith.embeddings import Columns

            source = sources.open_source(texts, Columns(ids=id_column, texts=text_column), texts=True)
            with opened_engine(engine, ray_address, num_gpus, threads=1) as opened:
                written = writing.embed(load_encoder(encoder, options), source, out, opened, force)
            say(f"Wrote {written.rows:,} vectors in {written.parts:,} parts to {out}")
            return
        read = read_texts(Path(texts), text_column, id_column)
        say(*read.notes)
        embedded = embed_texts(load_encoder(encoder, options), read, "passage", out, force=force)
        say(f"Wrote {embedded!r} to {embedded.source}")


@app.command()
def info(
    path: Annotated[Path, typer.Argument(help="Folder that vecsmith wrote.")],
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Read all files and check their hashes, and that the ids of a set are unique."),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Describe a folder: an embedding set, a codec, codes, a translator, training examples or a tuned model.

    \b
    vecsmith info my-codes
    vecsmith info corpus --verify
    """
    from vecsmith.embeddings import EmbeddingSet
    from vecsmith.manifests import is_of_kind
    from vecsmith.translators import is_translator, load_translator
    from vecsmith.tune import examples, model_files

    facts: dict[str, Any]
    if is_translator(path):
        fitted = load_translator(path)
        sizes = {"dimensions": fitted.input_dimensions_, "target_dimensions": fitted.output_dimensions_}
        models = {"source": fitted.source, "target": fitted.target, "pairs": fitted.pairs_}
        facts = {"translator": fitted.spec, "seed": fitted.seed, **sizes, **models, "bytes": fitted.translator_bytes}
    elif is_of_kind(path / examples.MANIFEST, examples.FOLDER_KIND):
        facts = _manifest_facts(path, examples.FOLDER_KIND, examples.FORMAT_VERSION, verify)
    elif is_of_kind(path / model_files.MANIFEST, model_files.KIND):
        facts = _manifest_facts(path, model_files.KIND, model_files.FORMAT_VERSION, verify)
        facts |= {name: value for name, value in facts.pop("settings")["tuning"].items() if value is not None}
    elif (path / "config.json").is_file():
        facts = _codec_facts(path)
    elif (path / "codes.npy").is_file():
        facts = _codes_facts(path, verify)
    else:
        embedded = EmbeddingSet.open(path, verify=verify)
        facts = {"rows": len(embedded), "dimensions": embedded.dimensions, **asdict(embedded.provenance)}
    print_listing(facts, as_json)
    if verify:
        say(f"The files of {path} are intact")


def _manifest_facts(path: Path, kind: str, version: int, verify: bool) -> dict[str, Any]:
    """Return the entries of a manifest that are not about its files."""
    from vecsmith.manifests import read_manifest

    manifest = read_manifest(path / "manifest.json", kind, version, verify)
    return {name: value for name, value in manifest.items() if name not in ("format_version", "files", "sha256")}


def _codes_facts(path: Path, verify: bool) -> dict[str, Any]:
    from vecsmith.index import CodeSet
    from vecsmith.index.code_writing import LEXICAL

    codes = CodeSet.open(path, verify)
    sizes = {"bytes_per_vector": codes.codec.bytes_per_vector, "codec_bytes": codes.codec.codec_bytes}
    facts: dict[str, Any] = {"codes": codes.codec.spec, "rows": len(codes), **sizes, "scoring": codes.scoring}
    if codes.originals is not None:
        facts["rescore_bytes_per_vector"] = codes.rescore_bytes_per_vector
    if codes.lists is not None:
        facts["inverted_lists"] = len(codes.lists.centroids)
    if codes.lexical_spec:
        facts["lexical"] = codes.lexical_spec
        facts["lexical_bytes"] = sum(file.stat().st_size for file in (path / LEXICAL).iterdir())
    return facts | asdict(codes.provenance)


def _codec_facts(path: Path) -> dict[str, Any]:
    from vecsmith.codecs import load_codec
    from vecsmith.codecs.reducers.fuse import Fuse

    codec = load_codec(path)
    sizes = {"bytes_per_vector": codec.bytes_per_vector, "codec_bytes": codec.codec_bytes}
    facts = {"codec": codec.spec, "seed": codec.seed, "dimensions": codec.input_dimensions, **sizes}
    if codec.blocks:
        facts["models"] = dict(codec.blocks)
    if isinstance(codec.stages[0], Fuse):
        facts["weights"] = codec.stages[0].relative_weights
    return facts
