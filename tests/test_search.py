"""Rankings of `Index` against exact oracles."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from vecsmith.errors import VecsmithError
from vecsmith.metrics import evaluate
from vecsmith.search import SHORTLIST, Part
from vecsmith.search.exact import asymmetric_scores, hamming_distances

Vectors = NDArray[np.float32]


def ranked(scores: NDArray[np.float32], ids: list[str]) -> NDArray[np.int64]:
    """Rank every document: falling score, then falling id."""
    by_id = np.argsort(np.argsort(ids)[::-1])
    return np.lexsort((np.broadcast_to(by_id, scores.shape), -scores), axis=1)


@pytest.mark.parametrize("spec", ["binary", "median", "pca13,binary"])
@pytest.mark.parametrize("k", [1, 10, 100, 500])
def test_symmetric_bits_rank_by_hamming_distance_with_ties_by_id(spec: str, k: int, vectors: Vectors) -> None:
    documents, queries = vectors[:500], vectors[500:]
    codec = vecsmith.codec(spec).fit(documents)
    codes = codec.encode(documents)
    ids = [f"{row * 7919 % 500}" for row in range(500)]
    distances = hamming_distances(codec.encode(queries), codes)
    scores, rows = vecsmith.Index(codec, codes, "symmetric", ids=ids).search(queries, k)
    assert np.array_equal(rows, ranked(-distances.astype(np.float32), ids)[:, :k])
    assert np.array_equal(-scores, np.take_along_axis(distances, rows, axis=1))


def test_symmetric_floats_score_decoded_queries(vectors: Vectors) -> None:
    codec = vecsmith.codec("pca20,int4").fit(vectors)
    codes = codec.encode(vectors)
    decoded = codec.decode(codec.encode(vectors[:20]))
    scores, _ = vecsmith.Index(codec, codes, "symmetric").search(vectors[:20], 10)
    oracle = -np.sort(-asymmetric_scores(codec, decoded, codes), axis=1)[:, :10]
    np.testing.assert_allclose(scores, oracle, atol=1e-5)


def test_fast_scan_finds_what_exact_scoring_finds(vectors: Vectors) -> None:
    rng = np.random.default_rng(1)
    documents = rng.standard_normal((20_000, 64)).astype(np.float32)
    queries = rng.standard_normal((50, 64)).astype(np.float32)
    codec = vecsmith.codec("median").fit(documents)
    codes = codec.encode(documents)
    oracle = asymmetric_scores(codec, queries, codes)
    scores, rows = vecsmith.Index(codec, codes).search(queries, 10)
    np.testing.assert_allclose(scores, -np.sort(-oracle, axis=1)[:, :10], atol=1e-4)
    assert (rows == np.argsort(-oracle, axis=1)[:, :10]).mean() > 0.99


def test_rescored_reorders_the_shortlist_with_the_originals(vectors: Vectors) -> None:
    documents, queries = vectors[:500], vectors[500:]
    codec = vecsmith.codec("truncate20,binary").fit(documents)
    codes = codec.encode(documents)
    _, shortlist = vecsmith.Index(codec, codes).search(queries, SHORTLIST)
    scores, rows = vecsmith.Index(codec, codes, "rescored", documents).search(queries, 300)
    exact = queries @ documents.T
    best = np.take_along_axis(exact, shortlist, axis=1)
    np.testing.assert_allclose(scores[:, :SHORTLIST], -np.sort(-best, axis=1), atol=1e-5)
    assert np.array_equal(np.sort(rows[:, :SHORTLIST]), np.sort(shortlist))
    assert (np.diff(scores, axis=1) <= 1e-6).all()
    _, ten = vecsmith.Index(codec, codes, "rescored", documents).search(queries, 10)
    assert np.array_equal(ten, rows[:, :10])


@pytest.mark.parametrize("scoring", ["symmetric", "asymmetric", "rescored"])
@pytest.mark.parametrize("spec", ["binary", "int8"])
def test_parts_merge_into_one_ranking(spec: str, scoring: str, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    rows = np.random.default_rng(0).permutation(len(vectors))
    parts = [Part(codec, codec.encode(vectors[half]), half) for half in (rows[:250], rows[250:])]
    merged = vecsmith.Index.of_parts(parts, scoring, vectors).search(vectors[:30], 150)
    whole = vecsmith.Index(codec, codec.encode(vectors), scoring, vectors).search(vectors[:30], 150)
    np.testing.assert_allclose(merged[0], whole[0], atol=1e-5)
    assert (merged[1] == whole[1]).mean() > 0.99


def test_fewer_documents_than_asked_for(vectors: Vectors) -> None:
    codec = vecsmith.codec("binary").fit(vectors)
    scores, rows = vecsmith.Index(codec, codec.encode(vectors[:7])).search(vectors[:2], 10)
    assert scores.shape == rows.shape == (2, 7)
    assert np.array_equal(np.sort(rows), [range(7)] * 2)


def test_bad_arguments_are_refused(vectors: Vectors) -> None:
    codec = vecsmith.codec("binary").fit(vectors)
    codes = codec.encode(vectors)
    with pytest.raises(VecsmithError, match="did you mean 'symmetric'"):
        vecsmith.Index(codec, codes, "symetric")
    with pytest.raises(VecsmithError, match="original vectors"):
        vecsmith.Index(codec, codes, "rescored")
    with pytest.raises(VecsmithError, match="at least 1"):
        vecsmith.Index(codec, codes).search(vectors, 0)
    with pytest.raises(VecsmithError, match="40 dimensions"):
        vecsmith.Index(codec, codes).search(vectors[:, :8], 5)


@pytest.mark.data
def test_the_rounding_of_the_fast_scan_costs_less_than_two_thousandths(beir: Callable[[str], Path]) -> None:
    task = vecsmith.load_task(str(beir("scifact")))
    corpus, queries = vecsmith.embed_task(task, "vectors:minilm")
    judged = [row for row, id_ in enumerate(queries.ids) if id_ in task.qrels["test"]]
    Q, query_ids = queries.vectors[judged], [queries.ids[row] for row in judged]
    codec = vecsmith.codec("binary").fit(corpus.vectors)
    codes = codec.encode(corpus.vectors)
    weights, _ = codec.quantiser.project_queries(Q)
    refined = codec.quantiser.index(codes)
    rounded = refined.base_index.search(weights, 100)
    exact = vecsmith.Index(codec, codes, ids=corpus.ids).search(Q, 100)
    oracle = asymmetric_scores(codec, Q, codes)
    rows = np.argsort(-oracle, axis=1, kind="stable")[:, :100]
    rankings = (rounded, exact, (np.take_along_axis(oracle, rows, axis=1), rows))
    by_tables, by_index, by_oracle = (
        evaluate(*ranking, query_ids, corpus.ids, task.qrels["test"]).ndcg_at_10.mean() for ranking in rankings
    )
    assert by_index == pytest.approx(by_oracle, abs=1e-6)
    assert by_tables == pytest.approx(by_oracle, abs=0.002)
