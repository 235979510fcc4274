"""Hard negatives: documents that rank high for a query, but are not relevant to it."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.codecs import Codec
from vecsmith.encoders import EncoderOptions, load_encoder
from vecsmith.errors import VecsmithError
from vecsmith.index import Index
from vecsmith.index.bm25 import Bm25
from vecsmith.retrievers import IndexRetriever, LexicalRetriever, Retriever
from vecsmith.retrievers.stages import cached_lexical_index
from vecsmith.retrievers.vector_sources import is_precomputed, vector_source
from vecsmith.tasks import Task, Texts
from vecsmith.tune.examples import TrainingExamples
from vecsmith.tune.generation import normal

CANDIDATES = 100
"""Documents per query among which negatives are sought, besides the relevant ones."""

RelevantTexts = Mapping[str, set[str]]
"""Texts that must not be negatives of a query, by the query's text; in the form of `normal`."""


def retriever_of(
    spec: str, corpus: Texts, task: Task | None = None, options: EncoderOptions | None = None
) -> Retriever:
    """Return BM25, or an exact search with the vectors of an encoder, over a corpus.

    Parameters
    ----------
    spec : str
        Spec of BM25, such as ``bm25`` (see `Bm25`), or of an encoder. Vectors are cached.
    corpus : Texts
        The documents.
    task : Task, optional
        The task of precomputed vectors, ``vectors:NAME``, whose corpus and queries they are.
    options : EncoderOptions, optional
        Options of the encoder.

    Raises
    ------
    VecsmithError
        If the spec is unknown, or names precomputed vectors and there is no task.
    """
    if _is_bm25(spec):
        return LexicalRetriever(cached_lexical_index(corpus, Bm25.parse(spec)))
    source = vector_source(spec, task, options)
    vectors = source.embed(corpus, "passage")
    return IndexRetriever(Index(Codec("float32").fit(vectors), vectors), source.embed_queries)


def check_retriever(spec: str, options: EncoderOptions | None = None) -> None:
    """Check a spec of `retriever_of` before long work.

    Raises
    ------
    VecsmithError
        If the spec is unknown.
    """
    if _is_bm25(spec):
        Bm25.parse(spec)
    elif not is_precomputed(spec):
        load_encoder(spec, options)


def _is_bm25(spec: str) -> bool:
    return spec.partition(":")[0] == "bm25"


def mine_negatives(
    pairs: TrainingExamples,
    corpus: Sequence[str],
    retriever: Retriever,
    count: int = 1,
    margin: float | None = None,
    relevant: RelevantTexts | None = None,
    depth: int | None = None,
    seed: int = 0,
) -> TrainingExamples:
    """Add documents that a retriever ranks high, but that are not relevant to the query, as negatives of each pair.

    The margin is the relative margin of `sentence_transformers.util.mine_hard_negatives`, which only mines with its own
    models: a negative scores at most p − margin · |p|, where p is the lowest score of the documents that are relevant
    to the query. A document with the text of the query or of a relevant document is never a negative.

    Parameters
    ----------
    pairs : TrainingExamples
        Pairs. All positives of equal queries are relevant.
    corpus : sequence of str
        Texts of the documents, row by row.
    retriever : Retriever
        A retriever of the documents.
    count : int
        Negatives per pair. Pairs with fewer negatives are left out.
    margin : float, optional
        The relative margin; any score is allowed by default.
    relevant : mapping of str to set of str, optional
        Further relevant texts (see `RelevantTexts`), such as the passage from which a pair was extracted.
    depth : int, optional
        Draw the negatives of each pair from this many first documents that may be negatives. By default, the first
        `count` documents are the negatives.
    seed : int
        Seed of the draws.

    Returns
    -------
    TrainingExamples
        Triplets with `count` negatives.

    Raises
    ------
    VecsmithError
        If `pairs` has another kind, `count` is less than 1, the margin is not from 0 to 1, or no pair is left.

    References
    ----------
    Moreira et al. 2024, NV-Retriever: improving text embedding models with effective hard-negative mining,
    https://arxiv.org/abs/2407.15831
    """
    if pairs.kind != "pairs":
        raise VecsmithError(f"Negatives are mined for pairs, not for {pairs.kind}; give pairs.")
    if count < 1:
        raise VecsmithError(f"The number of negatives must be at least 1, not {count}.")
    if margin is not None and not 0 <= margin < 1:
        raise VecsmithError(f"The margin must be from 0 to 1, not {margin:g}.")
    positives = defaultdict[str, set[str]](set)
    for pair in pairs:
        positives[pair["query"]] |= {normal(pair["positive"]), *(relevant or {}).get(normal(pair["query"]), ())}
    queries, texts = list(positives), [normal(text) for text in corpus]
    first_row = {text: row for row, text in reversed(list(enumerate(texts)))}
    content = np.array([first_row[text] for text in texts], np.int64)  # equal for documents of equal text
    depth = max(count, depth or count)
    scores, rows = retriever.search(queries, CANDIDATES + depth + max(map(len, positives.values())))
    negatives: dict[str, list[str]] = {}
    for query, own_scores, own_rows in zip(queries, scores, rows, strict=True):
        own_scores, own = own_scores[own_rows >= 0], content[own_rows[own_rows >= 0]]
        judged = [first_row[text] for text in positives[query] if text in first_row]
        excluded = [*judged, *(first_row[text] for text in (normal(query), "") if text in first_row)]
        allowed = (own_scores <= _limit(own_scores, own, judged, margin)) & ~np.isin(own, excluded)
        negatives[query] = [corpus[row] for row in list(dict.fromkeys(own[allowed].tolist()))[:depth]]
    return _with_negatives(pairs, negatives, count, margin, seed)


def _limit(scores: Floats, rows: RowNumbers, judged: Sequence[int], margin: float | None) -> float:
    """Return the highest score of a negative, by the scores of the relevant documents among the candidates.

    A relevant document that is not among the candidates scores below all of them, so no candidate keeps the margin.
    """
    if margin is None:
        return np.inf
    if not judged or not np.isin(judged, rows).all():
        return -np.inf
    lowest = float(scores[np.isin(rows, judged)].min())
    return lowest - margin * abs(lowest)


def _with_negatives(
    pairs: TrainingExamples, negatives: Mapping[str, Sequence[str]], count: int, margin: float | None, seed: int
) -> TrainingExamples:
    """Draw negatives for each pair, in the order of the retriever."""
    kept = [pair for pair in pairs if len(negatives[pair["query"]]) >= count]
    reason = "pair without enough negatives" + ("" if margin is None else f" within the margin {margin:g}")
    left_out = Counter(pairs.counts) + Counter({reason: len(pairs) - len(kept)})
    candidates = [negatives[pair["query"]] for pair in kept]
    columns: dict[str, Any] = {name: [pair[name] for pair in kept] for name in ("query", "positive")}
    rng = np.random.default_rng(seed)
    drawn = [[own[row] for row in np.sort(rng.choice(len(own), count, replace=False))] for own in candidates]
    for number in range(count):
        name = "negative" if number == 0 else f"negative_{number + 1}"
        columns[name] = [own[number] for own in drawn]
    return TrainingExamples.from_columns(columns, pairs.provenance, left_out)
