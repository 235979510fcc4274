"""The contract of retrievers: an index, BM25, their fusions, and rerankers over any of them."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import vecsmith
from conftest import WORDS
from vecsmith.embeddings import normalize
from vecsmith.errors import VecsmithError, VecsmithWarning
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.index.bm25 import Bm25, LexicalIndex
from vecsmith.retrievers import (
    CrossEncoderScorer,
    EncoderScorer,
    Hybrid,
    IndexRetriever,
    LexicalRetriever,
    Reranker,
    Retriever,
    VectorScorer,
)
from vecsmith.retrievers.base import rank_by_id
from vecsmith.retrievers.reranking import CrossEncoderModel
from vecsmith.tasks import Task, Texts

pytest.importorskip("bm25s")
pytestmark = pytest.mark.filterwarnings("ignore::vecsmith.errors.VecsmithWarning")

RNG = np.random.default_rng(0)
# 40 documents occur twice, so that scores tie; the ids are in random order
DOCUMENTS = [" ".join(RNG.choice(WORDS, 5)) for _ in range(120)]
DOCUMENTS += DOCUMENTS[:40]
IDS = [f"d{number:03}" for number in RNG.permutation(len(DOCUMENTS))]
QUERIES = [" ".join(RNG.choice(WORDS, 3)) for _ in range(6)]


def embed(dimensions: int) -> Callable[[Any], Any]:
    """Return an encoder whose vectors are sums of random vectors of words."""
    table = dict(zip(WORDS, np.random.default_rng(dimensions).standard_normal((len(WORDS), dimensions)), strict=True))
    other = np.ones(dimensions) / 9
    return lambda texts: normalize(
        np.array([sum((table.get(word, other) for word in text.split()), other) for text in texts])
    )


def dense(spec: str = "float32", scoring: Any = "asymmetric") -> IndexRetriever:
    X = embed(16)(DOCUMENTS)
    codec = vecsmith.codec(spec).fit(X)
    return IndexRetriever(vecsmith.Index(codec, X, scoring, ids=IDS), embed(16))


def lexical(**options: Any) -> LexicalRetriever:
    return LexicalRetriever(LexicalIndex.build(DOCUMENTS, Bm25(**options)), rank_by_id(IDS))


def by_vectors(first: Retriever, depth: int = 30) -> Reranker:
    return Reranker(first, VectorScorer(embed(8)(DOCUMENTS), embed(8)), depth)


RETRIEVERS: dict[str, Callable[[], Retriever]] = {
    "float32": dense,
    "binary": lambda: dense("binary"),
    "rescored": lambda: dense("binary", "rescored"),
    "bm25": lexical,
    "bm25+": lambda: lexical(variant="bm25+"),
    "rrf": lambda: Hybrid(dense("binary"), lexical()),
    "convex": lambda: Hybrid(dense("binary"), lexical(), 0.3),
    "two indexes": lambda: Hybrid(dense("binary"), dense("pca4")),
    "hybrid of a hybrid": lambda: Hybrid(Hybrid(dense("binary"), lexical()), dense("int8"), 0.5),
    "vectors": lambda: by_vectors(dense("binary")),
    "encoder": lambda: Reranker(dense("binary"), EncoderScorer(vecsmith.load_encoder("static"), DOCUMENTS), 30),
    "vectors over a hybrid": lambda: by_vectors(Hybrid(dense("binary"), lexical())),
}


@pytest.fixture(params=[*RETRIEVERS, "cross-encoder", "cross-encoder over bm25"])
def retriever(request: pytest.FixtureRequest) -> Retriever:
    if request.param.startswith("cross-encoder"):
        model = CrossEncoderModel(request.getfixturevalue("cross_encoder"))
        first = lexical() if request.param.endswith("bm25") else dense("binary")
        return Reranker(first, CrossEncoderScorer(model, DOCUMENTS), 30)
    return RETRIEVERS[request.param]()


def found(scores: Any, rows: Any) -> list[list[tuple[float, int]]]:
    """Return the scores and rows of each query, without empty places."""
    return [
        [(score, row) for score, row in zip(*pair, strict=True) if row >= 0]
        for pair in zip(scores.tolist(), rows.tolist(), strict=True)
    ]


def test_rankings_are_arrays_best_first_with_empty_places_last(retriever: Retriever) -> None:
    scores, rows = retriever.search(QUERIES, 20)
    assert (scores.dtype, rows.dtype, scores.shape) == (np.float32, np.int64, rows.shape)
    assert len(scores) == len(QUERIES) and scores.shape[1] <= 20
    assert np.array_equal(rows >= 0, np.isfinite(scores))
    for own_scores, own_rows in zip(scores, rows, strict=True):
        known = own_rows[own_rows >= 0]
        assert len(set(known.tolist())) == len(known)
        assert (own_rows[: len(known)] >= 0).all()
        assert (np.diff(own_scores[: len(known)]) <= 0).all()


def test_equal_texts_have_equal_scores_and_ties_break_by_falling_id(retriever: Retriever) -> None:
    tied = 0
    # 30 documents are reranked, and the fusion of ranks separates equal texts
    for ranking in found(*retriever.search(QUERIES, 30)):
        for (score, row), (following, next_row) in pairwise(ranking):
            if score == following:
                assert IDS[row] > IDS[next_row]
                tied += 1
        score_of = {row: score for score, row in ranking}
        if not isinstance(retriever, Hybrid) and not isinstance(getattr(retriever, "first", None), Hybrid):
            for row in range(40):
                if row in score_of and row + 120 in score_of:
                    assert score_of[row] == score_of[row + 120]
    assert tied or isinstance(retriever, Hybrid)


def test_a_query_alone_gives_the_same_ranking(retriever: Retriever) -> None:
    together = found(*retriever.search(QUERIES, 15))
    for query, ranking in zip(QUERIES, together, strict=True):
        (alone,) = found(*retriever.search([query], 15))
        assert [row for _, row in alone] == [row for _, row in ranking]
        np.testing.assert_allclose([score for score, _ in alone], [score for score, _ in ranking], atol=1e-6)


def test_a_shorter_ranking_is_the_start_of_a_longer_one(retriever: Retriever) -> None:
    few, many = retriever.search(QUERIES, 7)[1], retriever.search(QUERIES, 25)[1]
    np.testing.assert_array_equal(few, many[:, :7])


def test_only_allowed_documents_are_returned(retriever: Retriever) -> None:
    allowed = np.random.default_rng(1).random(len(DOCUMENTS)) < 0.3
    _, rows = retriever.search(QUERIES, 20, allowed)
    assert allowed[rows[rows >= 0]].all()
    assert (rows[:, 0] >= 0).all()
    nothing = retriever.search(QUERIES, 20, np.zeros(len(DOCUMENTS), np.bool_))[1]
    assert not (nothing >= 0).any()


def test_more_documents_than_there_are(retriever: Retriever) -> None:
    scores, rows = retriever.search(QUERIES, 5000)
    assert rows.shape[1] <= len(DOCUMENTS)
    assert all(ranking for ranking in found(scores, rows))


def test_queries_without_known_terms_and_no_queries(retriever: Retriever) -> None:
    scores, rows = retriever.search(["", "zebra", QUERIES[0]], 5)
    assert len(rows) == 3
    assert rows[2, 0] >= 0
    assert not np.isnan(scores).any()
    assert len(retriever.search([], 5)[1]) == 0


def test_bad_arguments_are_refused(retriever: Retriever) -> None:
    with pytest.raises(VecsmithError, match="k must be at least 1, not 0"):
        retriever.search(QUERIES, 0)
    with pytest.raises(VecsmithError, match="put the text of a single query in a list"):
        retriever.search(QUERIES[0])


def test_metrics_are_those_of_every_ranking(retriever: Retriever) -> None:
    qrels = {f"q{number}": {IDS[3 * number]: 1, "elsewhere": 1} for number in range(len(QUERIES))}
    task = Task("words", Texts(IDS, DOCUMENTS, "corpus"), Texts(list(qrels), QUERIES, "queries"), {"test": qrels})
    judged = JudgedQueries(task, "test", task.queries.ids)
    quality = judged.evaluate(*retriever.search(QUERIES, judged.depth))
    rank = [{row: place for place, row in enumerate(own.tolist())} for own in retriever.search(QUERIES, 10)[1]]
    ideal = 1 + 1 / np.log2(3)
    expected = [1 / np.log2(2 + own[3 * n]) / ideal if 3 * n in own else 0 for n, own in enumerate(rank)]
    np.testing.assert_allclose(quality.ndcg_at_10, expected, atol=1e-6)
    with pytest.raises(VecsmithError, match="None of the queries is judged"):
        JudgedQueries(task, "test", ["other"]).evaluate(*retriever.search(QUERIES[:0], 10))


def test_bytes_are_counted() -> None:
    bm25 = lexical()
    matrix = bm25.lexical._scorer.scores
    stored = matrix["data"].nbytes + matrix["indices"].nbytes + matrix["indptr"].nbytes
    assert bm25.lexical_bytes_per_document == stored / len(DOCUMENTS)
    hybrid = Hybrid(dense(), bm25)
    assert hybrid.lexical_bytes_per_document == bm25.lexical_bytes_per_document
    reranked = by_vectors(hybrid)
    assert (reranked.rescore_bytes_per_document, reranked.lexical_bytes_per_document) == (
        32,
        bm25.lexical_bytes_per_document,
    )


def test_warning_of_queries_without_terms() -> None:
    with pytest.warns(VecsmithWarning, match="BM25 finds nothing for 2 of 3 queries"):
        lexical().search(["", "zebra", "map"])
