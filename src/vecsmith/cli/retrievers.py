"""Options for BM25, hybrids and rerankers."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from vecsmith.errors import VecsmithError

if TYPE_CHECKING:
    from vecsmith.array_types import Floats
    from vecsmith.encoders import EncoderOptions
    from vecsmith.evaluation.results import Result
    from vecsmith.index import Index
    from vecsmith.retrievers import Hybrid, Reranker, Retriever
    from vecsmith.retrievers.specs import RetrieverSpecs

BM25 = "bm25"
BaselineOption = Annotated[
    list[str],
    typer.Option(
        metavar="BASELINE",
        help="bm25 or bm25:k1=1.5,b=0.75,variant=lucene,stopwords=english,stemmer=english: add a line of BM25 to every "
        "table; or an encoder, whose float32 vectors are the baseline of all lines (default: each encoder's own); one "
        "of each may be given.",
    ),
]
HybridOption = Annotated[
    str | None,
    typer.Option(metavar="BM25", help="Also measure the fusion of every codec with BM25: bm25, or with options."),
]
FusionOption = Annotated[
    list[str],
    typer.Option(
        metavar="FUSION",
        help="With --hybrid: rrf (reciprocal rank fusion, the default); convex, whose weight is chosen on dev or train "
        "queries; or convex:W, where W is the weight of the codec; repeatable.",
    ),
]
SearchHybridOption = Annotated[
    str | None,
    typer.Option(
        metavar="BM25", help="bm25: fuse the ranking of the codes with BM25; the codes need encode --lexical bm25."
    ),
]
SearchFusionOption = Annotated[
    str | None,
    typer.Option(
        metavar="FUSION",
        help="With --hybrid: rrf (reciprocal rank fusion, the default), or convex:W with the weight W of the codes.",
    ),
]
SearchRerankOption = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="Reorder the first documents by their texts: ce:MODEL, a cross-encoder, or another encoder, which embeds "
        "them.",
    ),
]
LexicalOption = Annotated[
    str | None,
    typer.Option(
        metavar="BM25",
        help="Also write a lexical index of the texts for search --hybrid: bm25, or with options as in "
        "bm25:stopwords=german,stemmer=german.",
    ),
]
RerankOption = Annotated[
    list[str],
    typer.Option(
        metavar="MODEL",
        help="Also measure every codec with its first documents reordered by a cross-encoder, ce:MODEL, or by the "
        "vectors of another encoder; repeatable.",
    ),
]
RerankDepth = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="With --rerank: documents per query that are reordered; 100.")
]


def retriever_specs(
    baseline: Sequence[str],
    hybrid: str | None,
    fusion: Sequence[str],
    rerank: Sequence[str],
    depth: int | None,
    trust_remote_code: bool,
) -> "tuple[str | None, RetrieverSpecs]":
    """Return the encoder that is the baseline, and the specs of the other retrievers.

    Raises
    ------
    VecsmithError
        If there are two baselines of one kind, or an option lacks the option that it belongs to.
    """
    from vecsmith.index import SHORTLIST
    from vecsmith.retrievers.specs import RetrieverSpecs

    lexical = [spec for spec in baseline if spec.partition(":")[0] == BM25]
    encoders = [spec for spec in baseline if spec not in lexical]
    if len(lexical) > 1 or len(encoders) > 1:
        raise VecsmithError("--baseline takes one encoder and one bm25; leave out the others.")
    if fusion and hybrid is None:
        raise VecsmithError("--fusion is for --hybrid bm25; add --hybrid bm25, or leave out --fusion.")
    check_depth(depth, rerank)
    specs = RetrieverSpecs(
        next(iter(lexical), None), hybrid, tuple(fusion) or ("rrf",), rerank, depth or SHORTLIST, trust_remote_code
    )
    return next(iter(encoders), None), specs


def check_depth(depth: int | None, rerank: Sequence[str] | str | None) -> None:
    """Check that a depth is given with a reranker only.

    Raises
    ------
    VecsmithError
        If there is a depth without a reranker.
    """
    if depth is not None and not rerank:
        raise VecsmithError("--rerank-depth is for --rerank; add --rerank, or leave out --rerank-depth.")


def chosen_weights(results: "Sequence[Result]") -> Iterator[str]:
    """Yield a sentence for each convex combination with a chosen weight."""
    for result in results:
        if split := result.second_stage.get("chosen_on"):
            weight = result.second_stage["weight"]
            yield (
                f"{result.task}, {result.encoder}, {result.codec}, {result.scoring}: the codec has the weight "
                f"{weight:g} and BM25 {1 - weight:g}, chosen on {split}."
            )


def hybrid_of(index: "Index", Q: "Floats", hybrid: str, fusion: str | None, source: object) -> "Hybrid":
    """Return the fusion of an index with its lexical index, for queries with vectors Q (m, d).

    Raises
    ------
    VecsmithError
        If the index has no lexical index or one with other parameters, or the fusion is unknown or lacks its weight.
    """
    from vecsmith.index.bm25 import Bm25
    from vecsmith.retrievers import FusionStage, Hybrid

    bm25 = Bm25.parse(hybrid)
    if index.lexical is None:
        raise VecsmithError(f"{source} has no lexical index; encode its vectors again with --lexical {hybrid}.")
    if hybrid != BM25 and bm25 != index.lexical.options:
        raise VecsmithError(
            f"{source} has a lexical index of {index.lexical.options.spec}; give --hybrid bm25, or encode the vectors "
            f"again with --lexical {hybrid}."
        )
    weight = FusionStage.parse(fusion or "rrf", bm25).weight
    if weight == "chosen":
        raise VecsmithError("--fusion convex needs a weight, such as convex:0.5; compare chooses it on judged queries.")
    return Hybrid.of(index, lambda queries: Q, weight)


def reranked(
    first: "Retriever", index: "Index", spec: str, depth: int | None, source: object, options: "EncoderOptions"
) -> "Reranker":
    """Return a retriever whose first documents are reordered by a cross-encoder or an encoder.

    Raises
    ------
    VecsmithError
        If the folder of the index has no texts, or there is no such model.
    """
    from vecsmith.encoders import load_encoder
    from vecsmith.index import SHORTLIST
    from vecsmith.retrievers import CrossEncoderScorer, EncoderScorer, Reranker
    from vecsmith.retrievers.specs import CROSS_ENCODER, cross_encoder

    texts = index.rows.texts
    if texts is None:
        raise VecsmithError(
            f"{source} has no texts, which --rerank reads; encode a set of vectors with texts, or leave out --rerank."
        )
    scorer: CrossEncoderScorer | EncoderScorer
    if spec.startswith(CROSS_ENCODER):
        scorer = CrossEncoderScorer(cross_encoder(spec, options.trust_remote_code), texts)
    else:
        scorer = EncoderScorer(load_encoder(spec, options), texts)
    return Reranker(first, scorer, depth or SHORTLIST)
