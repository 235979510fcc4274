"""The command search, and functions that embed queries and print results."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from vecsmith.cli.app import JsonFlag, QueryPrompt, TextColumn, TrustRemoteCode, app, console, print_json, say
from vecsmith.cli.encoders import query_options
from vecsmith.cli.retrievers import (
    RerankDepth,
    SearchFusionOption,
    SearchHybridOption,
    SearchRerankOption,
    check_depth,
    hybrid_of,
    reranked,
)
from vecsmith.errors import VecsmithError, VecsmithWarning

if TYPE_CHECKING:
    from vecsmith.array_types import Floats, RowNumbers
    from vecsmith.encoders import EncoderOptions
    from vecsmith.index import Index


@app.command()
def search(
    codes: Annotated[
        str, typer.Argument(metavar="CODES", help="Folder that encode wrote, or its URI, which is copied to the cache.")
    ],
    query: Annotated[str | None, typer.Option(metavar="TEXT", help="Text of one query.")] = None,
    queries: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Several queries: a file of texts as for embed; or vectors: an embedding set, .npy, .npz or .parquet.",
        ),
    ] = None,
    text_column: TextColumn = None,
    encoder: Annotated[
        str | None,
        typer.Option(metavar="ENCODER", help="static, st:MODEL or api:MODEL; default: the encoder of the codes."),
    ] = None,
    translator: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Translator of queries by another model into the space of the codes."),
    ] = None,
    hybrid: SearchHybridOption = None,
    fusion: SearchFusionOption = None,
    rerank: SearchRerankOption = None,
    rerank_depth: RerankDepth = None,
    k: Annotated[int, typer.Option("-k", metavar="N", min=1, help="Results per query.")] = 10,
    query_prompt: QueryPrompt = [],  # noqa: B006
    trust_remote_code: TrustRemoteCode = False,
    as_json: JsonFlag = False,
) -> None:
    """Search codes with float queries.

    \b
    vecsmith search my-codes --query "how to tie a bowline"
    vecsmith search my-codes --queries queries.npy -k 100 --json
    vecsmith search my-codes --hybrid bm25 --query "how to tie a bowline"
    vecsmith search my-codes --rerank ce:ms-marco-MiniLM-L6-v2 --query "how to tie a bowline"
    vecsmith search old-codes --translator new-to-old --query "how to tie a bowline"
    """
    from vecsmith.distributed.locations import local_copy
    from vecsmith.embeddings import SUFFIXES, EmbeddingSet
    from vecsmith.index import Index
    from vecsmith.retrievers import IndexRetriever, Retriever
    from vecsmith.tasks import read_texts
    from vecsmith.translators import load_translator, query_encoder, translate_queries

    if (query is None) == (queries is None):
        raise VecsmithError("Give either --query or --queries to search for.")
    are_vectors = queries is not None and (queries.suffix in SUFFIXES or queries.is_dir())
    if text_column and (queries is None or are_vectors):
        raise VecsmithError("--text-column names a column of --queries that are texts; leave it out.")
    if fusion and hybrid is None:
        raise VecsmithError("--fusion is for --hybrid bm25; add --hybrid bm25, or leave out --fusion.")
    check_depth(rerank_depth, rerank)
    opened = Index.load(local_copy(codes))
    fitted = load_translator(translator) if translator else None
    own = query_encoder(fitted, opened.provenance) if fitted else opened.provenance.encoder
    options = query_options([encoder or own, rerank], query_prompt, trust_remote_code)
    if queries is not None and are_vectors:
        embedded = EmbeddingSet.open(queries)
        names: Sequence[str] = embedded.ids
        Q = embedded.unit[:]
        if embedded.texts is None:
            for option, value, reader in (("--hybrid", hybrid, "BM25"), ("--rerank", rerank, "a reranker")):
                if value is not None:
                    raise VecsmithError(
                        f"{queries} has vectors without texts, which {reader} needs; give texts, or omit {option}."
                    )
        texts = embedded.texts or names
    else:
        if queries is not None:
            read = read_texts(queries, text_column)
            say(*read.notes)
        texts = names = [query] if query is not None else read.texts
        Q = embed_queries(names, encoder, own, codes, options)
    if fitted:
        Q = translate_queries(fitted, Q, opened.provenance)
    retriever: Retriever = IndexRetriever(opened, lambda queries: Q)
    if hybrid is not None:
        retriever = hybrid_of(opened, Q, hybrid, fusion, codes)
    if rerank is not None:
        retriever = reranked(retriever, opened, rerank, rerank_depth, codes, options[rerank])
    scores, rows = retriever.search(texts, k)
    answers = _answers(opened, names, scores, rows)
    if as_json:
        print_json(answers)
    else:
        print_results(answers)


def embed_queries(
    texts: Sequence[str],
    encoder: str | None,
    own: str,
    source: object,
    options: "Mapping[str, EncoderOptions]",
) -> "Floats":
    """Return vectors (n, d), float32, of queries, by `encoder` or else by `own`, the encoder of the searched set."""
    from vecsmith.encoders import load_encoder

    if not (encoder or own):
        raise VecsmithError(f"{source} does not say which encoder its vectors are from; give --encoder.")
    try:
        model = load_encoder(encoder or own, options[encoder or own])
    except VecsmithError as error:
        if encoder:
            raise
        raise VecsmithError(
            f"{source} has vectors of {own}, which is not the spec of an encoder; give --encoder, such as st:{own}."
        ) from error
    empty = [number for number, text in enumerate(texts, start=1) if not text.strip()]
    if empty:
        which = "The query is empty" if len(texts) == 1 else f"Of the queries, number {empty[0]} is empty"
        warnings.warn(f"{which}, so its results are meaningless.", VecsmithWarning, stacklevel=2)
    return model.encode(texts, "query")


def _answers(codes: "Index", names: Sequence[str], scores: "Floats", rows: "RowNumbers") -> list[dict[str, Any]]:
    """Return the best documents for every query, each with score, id and text."""
    answers = []
    for name, own_scores, own_rows in zip(names, scores, rows, strict=True):
        # an index of faiss:FACTORY may find fewer than k documents; the remaining rows are −1
        hits = [
            (score, *codes.rows[row])
            for score, row in zip(own_scores.tolist(), own_rows.tolist(), strict=True)
            if row >= 0
        ]
        results = [{"score": score, "id": id_, "text": text} for score, id_, text in hits]
        answers.append({"query": name, "results": results})
    return answers


def print_results(answers: list[dict[str, Any]]) -> None:
    """Print the best documents for every query."""
    for query in answers:
        table = Table(box=None, padding=(0, 2, 0, 0), title=Text(query["query"]), title_justify="left", expand=True)
        for name in ("score", "id"):
            table.add_column(name, no_wrap=True, header_style="")
        # a long text is cut, so that the other columns keep their width
        table.add_column("text", no_wrap=True, overflow="ellipsis", ratio=1, header_style="")
        for result in query["results"]:
            text = " ".join((result["text"] or "").split())
            table.add_row(f"{result['score']:.4f}", Text(result["id"]), Text(text))
        console().print(table)
