"""Retrieval measures and the paired test."""

import numpy as np
import pytest
from scipy.stats import permutation_test

from vecsmith.codecs import Codec
from vecsmith.errors import VecsmithError
from vecsmith.evaluation import evaluate, paired_p_value, stratified_p_value
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.index import Index
from vecsmith.tasks import Task
from vecsmith.tasks.base import Texts

IDS = ["a", "b", "c", "d"]


def run(rows: list[list[int]], scores: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(scores, np.float32), np.array(rows)


def test_ndcg_by_hand() -> None:
    scores, rows = run([[0, 1, 2]], [[3, 2, 1]])
    quality = evaluate(scores, rows, ["q"], IDS, {"q": {"b": 2, "c": 1}})
    gain = 2 / np.log2(3) + 1 / np.log2(4)
    ideal = 2 / np.log2(2) + 1 / np.log2(3)
    assert quality.ndcg_at_10[0] == pytest.approx(gain / ideal)
    assert quality.recall_at_100[0] == 1


def test_ties_break_by_falling_id_as_in_trec_eval() -> None:
    scores, rows = run([[0, 1]], [[1, 1]])
    assert evaluate(scores, rows, ["q"], IDS, {"q": {"b": 1}}).ndcg_at_10[0] == 1
    assert evaluate(scores, rows, ["q"], IDS, {"q": {"a": 1}}).ndcg_at_10[0] == pytest.approx(1 / np.log2(3))


def test_judgements_of_documents_that_are_not_there_count_as_missed() -> None:
    scores, rows = run([[0]], [[1]])
    quality = evaluate(scores, rows, ["q"], IDS, {"q": {"a": 1, "gone": 1}})
    assert quality.recall_at_100[0] == 0.5


def test_the_query_itself_is_no_answer() -> None:
    scores, rows = run([[0, 1]], [[2, 1]])
    quality = evaluate(scores, rows, ["a"], IDS, {"a": {"b": 1}}, ignore_identical_ids=True)
    assert quality.ndcg_at_10[0] == 1


def test_only_judged_queries_count() -> None:
    scores, rows = run([[0], [1]], [[1], [1]])
    assert evaluate(scores, rows, ["q", "r"], IDS, {"q": {"a": 1}}).query_ids == ["q"]
    with pytest.raises(VecsmithError, match="None of the queries"):
        evaluate(scores, rows, ["q", "r"], IDS, {"other": {"a": 1}})


def test_judged_queries_measure_an_index_scores_and_an_exhaustive_search_alike() -> None:
    rng = np.random.default_rng(0)
    D, Q = rng.standard_normal((150, 8)).astype(np.float32), rng.standard_normal((6, 8)).astype(np.float32)
    D, Q = (X / np.linalg.norm(X, axis=1, keepdims=True) for X in (D, Q))
    ids = [f"d{row}" for row in range(150)]
    qrels = {"test": {f"q{row}": {f"d{row}": 1, f"d{row + 9}": 2} for row in (1, 3, 4)}}
    queries = [f"q{row}" for row in range(6)]
    task = Task("toy", Texts(ids, ids, "corpus"), Texts(queries, queries, "queries"), qrels)
    judged = JudgedQueries(task, "test", queries)
    assert (judged.rows.tolist(), judged.ids, judged.depth) == ([1, 3, 4], ["q1", "q3", "q4"], 100)
    chosen = Q[judged.rows]
    codec = Codec("float32").fit(D)
    expected = judged.search(Index(codec, codec.encode(D), ids=ids), chosen)
    for quality in (
        judged.rank(chosen @ D.T),
        judged.search_exactly(chosen, D),
        judged.search_exactly(rng.standard_normal((3, 2), np.float32), D[:, :2], (chosen, D), 150),
    ):
        assert quality.ndcg_at_10.tolist() == expected.ndcg_at_10.tolist()
        assert quality.recall_at_100.tolist() == expected.recall_at_100.tolist()
    assert expected.mean_ndcg_at_10 == expected.ndcg_at_10.mean()


def test_p_value_agrees_with_the_randomization_test() -> None:
    rng = np.random.default_rng(0)
    a = rng.random(60)
    b = np.clip(a + rng.normal(0.03, 0.1, 60), 0, 1)
    randomized = permutation_test(
        (a, b), lambda x, y, axis: np.mean(x - y, axis=axis), permutation_type="samples", n_resamples=5000, rng=0
    )
    assert paired_p_value(a, b) == pytest.approx(randomized.pvalue, abs=0.02)


def test_p_value_of_equal_runs_is_one() -> None:
    a = np.array([0.1, 0.5, 0.9])
    assert paired_p_value(a, a) == 1
    assert paired_p_value(a[:1], a[1:2]) == 1


def test_stratified_p_value_is_uniform_where_nothing_differs() -> None:
    rng = np.random.default_rng(0)
    p_values = [stratified_p_value([rng.normal(0, 1, 300), rng.normal(0, 5, 50)]) for _ in range(500)]
    assert np.mean(np.array(p_values) < 0.1) == pytest.approx(0.1, abs=0.04)


def test_stratified_p_value_counts_tasks_alike() -> None:
    rng = np.random.default_rng(0)
    large, small = rng.normal(0.1, 1, 10_000), rng.normal(-0.5, 1, 20)
    assert stratified_p_value([large]) < 0.001
    assert stratified_p_value([large, small]) > stratified_p_value([large])
    assert stratified_p_value([np.zeros(5)]) == 1.0
