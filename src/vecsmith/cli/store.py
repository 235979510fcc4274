"""Commands that store embedding sets in ChromaDB and query them: store put, list, get and query."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from vecsmith.cli.app import (
    ForceFlag,
    JsonFlag,
    QueryPrompt,
    TrustRemoteCode,
    WritingCommand,
    app,
    console,
    print_json,
    say,
)
from vecsmith.cli.encoders import query_options
from vecsmith.cli.search import embed_queries, print_results
from vecsmith.errors import VecsmithError

store = typer.Typer(
    no_args_is_help=True,
    help="Store embedding sets in ChromaDB and query them: in a folder, or on a server by its URL.",
)
app.add_typer(store, name="store")

StoreOption = Annotated[str, typer.Option("--store", metavar="WHERE", help="A folder, or the URL of a Chroma server.")]
SetArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the set, as `store list` shows it.")]


@store.command("put")
def put(
    vectors: Annotated[Path, typer.Argument(metavar="SET", help="An embedding set, or a file of vectors.")],
    where: StoreOption = "vecsmith-store",
    split: Annotated[
        str, typer.Option(metavar="SPLIT", help="Split of the dataset, which becomes part of the name.")
    ] = "",
) -> None:
    """Store a set in a collection named after its dataset and models; an interrupted run continues.

    \b
    vecsmith store put scifact-minilm/corpus --store http://localhost:8000
    """
    from vecsmith.embeddings import EmbeddingSet
    from vecsmith.stores.embedding_store import EmbeddingStore

    embedded = EmbeddingSet.open(vectors)
    say(f"Stored {embedded!r} in {where} as {EmbeddingStore(where).put(embedded, split)}")


@store.command("list")
def list_sets(where: StoreOption = "vecsmith-store", as_json: JsonFlag = False) -> None:
    """List the stored sets."""
    from vecsmith.stores.embedding_store import EmbeddingStore
    from vecsmith.stores.stored_sets import description

    sets = EmbeddingStore(where, create=False).sets()
    if as_json:
        print_json([asdict(each) for each in sets])
        return
    table = Table("name", "rows", "dimensions", "what", box=None, padding=(0, 2, 0, 0))
    for each in sets:
        label = description(each.provenance, each.split) + ("" if each.complete else " (unfinished)")
        table.add_row(each.name, f"{each.rows:,}", str(each.dimensions), Text(label))
    console().print(table)


@store.command("get", cls=WritingCommand)
def get(
    name: SetArgument,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Output folder, new or empty.")],
    where: StoreOption = "vecsmith-store",
    force: ForceFlag = False,
) -> None:
    """Write a stored set to a folder, unchanged."""
    from vecsmith.outputs import check_folder
    from vecsmith.stores.embedding_store import EmbeddingStore

    check_folder(out, None, force)
    embedded = EmbeddingStore(where, create=False).get(name)
    embedded.save(out, force)
    say(f"Wrote {embedded!r} to {out}")


@store.command("query")
def query(
    name: SetArgument,
    text: Annotated[str | None, typer.Option("--query", metavar="TEXT", help="Text of the query.")] = None,
    vectors: Annotated[Path | None, typer.Option("--vectors", metavar="SET", help="Queries as vectors.")] = None,
    encoder: Annotated[
        str | None, typer.Option(metavar="ENCODER", help="Encoder of the query; default: the encoder of the set.")
    ] = None,
    k: Annotated[int, typer.Option("-k", metavar="N", min=1, help="Results per query.")] = 10,
    query_prompt: QueryPrompt = [],  # noqa: B006
    trust_remote_code: TrustRemoteCode = False,
    where: StoreOption = "vecsmith-store",
    as_json: JsonFlag = False,
) -> None:
    """Find the nearest vectors of a stored set to a text or to vectors.

    \b
    vecsmith store query scifact-minilm-1f0a… --query "vitamin D and bones"
    """
    from vecsmith.embeddings import EmbeddingSet
    from vecsmith.stores.embedding_store import EmbeddingStore

    opened = EmbeddingStore(where, create=False)
    if text is not None and vectors is None:
        own = opened.about(name).provenance.encoder
        names: Sequence[str] = [text]
        Q = embed_queries([text], encoder, own, name, query_options([encoder or own], query_prompt, trust_remote_code))
    elif vectors is not None and text is None:
        embedded = EmbeddingSet.open(vectors)
        names, Q = embedded.ids, embedded.unit[:]
    else:
        raise VecsmithError("Give either --query or --vectors.")
    hits = zip(names, opened.query(name, Q, k), strict=True)
    answers = [{"query": each, "results": [asdict(hit) for hit in results]} for each, results in hits]
    if as_json:
        print_json(answers)
    else:
        print_results(answers)
