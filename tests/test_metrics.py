"""Metrics of retrieval quality, similarity preservation, and the paired tests."""

import ir_measures
import numpy as np
import pytest
from scipy.stats import permutation_test

from vecsmith.codecs import Codec
from vecsmith.errors import VecsmithError
from vecsmith.evaluation import evaluate, paired_p_value, stratified_p_value
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.evaluation.metrics import metric_names, required_depth
from vecsmith.evaluation.preservation import SimilarityPreservation
from vecsmith.index import CodePartition, Index
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


ORACLE_METRICS = [
    *("nDCG@10", "R@100", "nDCG", "nDCG@3", "R@5", "R(rel=2)@5", "P@10", "P(rel=2)@10", "RR", "RR@2", "RR(rel=2)@10"),
    *("AP", "AP@5", "AP(rel=2)", "Success@1", "Success(rel=2)@3", "Judged@10", "Rprec", "Rprec(rel=2)", "Bpref"),
]


def test_metrics_equal_those_of_ir_measures() -> None:
    rng = np.random.default_rng(0)
    ids = [f"d{number}" for number in rng.permutation(120)]
    queries = [f"q{number}" for number in range(30)]
    rows = np.array([rng.permutation(120)[:110] for _ in queries])
    scores = -np.sort(-rng.standard_normal((30, 110)).astype(np.float32), axis=1)
    qrels = {
        query: {
            ids[row]: int(gain) for row, gain in zip(rng.permutation(120)[:12], rng.integers(0, 4, 12), strict=True)
        }
        for query in queries
    }
    quality = evaluate(scores, rows, queries, ids, qrels, metrics=ORACLE_METRICS)
    run = {
        query: {ids[row]: float(score) for row, score in zip(each, values, strict=True)}
        for query, each, values in zip(queries, rows, scores, strict=True)
    }
    assert list(quality.values) == ORACLE_METRICS
    for name, values in quality.values.items():
        found = ir_measures.iter_calc([ir_measures.parse_measure(name)], qrels, run)
        expected = {each.query_id: each.value for each in found}
        assert values.tolist() == pytest.approx([expected[query] for query in quality.query_ids], abs=1e-6), name
    assert 0 < quality.values["RR@2"].mean() < quality.values["RR"].mean()


def test_metrics_of_tied_scores_use_the_order_of_trec_eval() -> None:
    scores, rows = run([[0, 1, 2]], [[1, 1, 1]])
    quality = evaluate(scores, rows, ["q"], IDS, {"q": {"a": 1}}, metrics=["RR@2", "RR@3", "Judged@1", "Judged@3"])
    assert [values[0] for name, values in quality.values.items() if name[0] in "RJ" and name != "R@100"] == [
        *(0, pytest.approx(1 / 3)),
        *(0, pytest.approx(1 / 3)),
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("NDCG@10", "Unknown metric 'NDCG@10': did you mean 'nDCG@10'"),
        ("p-MRR", "which only mteb measures; run compare with --mteb-out DIR, whose result files contain it"),
        ("nDCG@", "Unknown metric"),
        ("nDCG@0", "Unknown metric"),
        ("", "Unknown metric ''"),
        ("Success", "The metric Success needs a cutoff; write Success@10"),
        ("Bpref@5", "The metric Bpref@5 has no cutoff; write Bpref"),
        ("nDCG(rel=2)@10", "has no minimum gain"),
    ],
)
def test_unknown_metrics_are_refused(name: str, message: str) -> None:
    with pytest.raises(VecsmithError, match=message):
        required_depth([name])


def test_metrics_without_a_cutoff_read_a_thousand_documents() -> None:
    assert [required_depth([name]) for name in ("RR@10", "R@300", "AP", "nDCG")] == [100, 300, 1000, 1000]
    assert all(required_depth([name]) for name in metric_names())


def test_similarity_preservation_of_an_index(vectors: np.ndarray) -> None:
    D, Q = vectors[:500], vectors[500:540]
    ids = [f"d{row}" for row in range(500)]
    preservation = SimilarityPreservation(Q, D, ids, seed=0)
    nearest = np.argsort(-(Q @ D.T), axis=1)[:, :10]
    figures = {}
    for spec in ("float32", "int8", "binary"):
        codec = Codec(spec).fit(D)
        index = Index(codec, codec.encode(D), ids=ids)
        rows = index.search(Q, 100)[1]
        expected = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(nearest, rows[:, :10], strict=True)])
        figures[spec] = (preservation.neighbors_kept(rows), preservation.score_correlation(index))
        assert figures[spec][0] == pytest.approx(expected)
    assert figures["float32"] == pytest.approx((1, 1))
    assert 0.9 < figures["int8"][0] <= 1
    assert figures["binary"][0] < figures["int8"][0]
    assert figures["binary"][1] < figures["int8"][1] < 1
    decoded = codec.decode(codec.encode(D))
    everywhere = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(Q @ decoded.T, Q @ D.T, strict=True)])
    assert figures["binary"][1] == pytest.approx(everywhere, abs=1e-5)
    # floats rescore all sampled documents
    rescored = Index(codec, codec.encode(D), "rescored", D, ids)
    assert preservation.score_correlation(rescored) == pytest.approx(1)


def test_similarity_preservation_where_documents_are_few_or_zero() -> None:
    D = np.vstack([np.eye(4, dtype=np.float32), np.zeros((2, 4), np.float32)])
    Q = np.full((2, 4), 0.5, np.float32)
    preservation = SimilarityPreservation(Q, D, list("abcdef"), seed=0)
    codec = Codec("float32").fit(D)
    index = Index.from_partitions([CodePartition(codec, codec.encode(D), range(6))], zero_rows=np.array([4, 5]))
    # all cosines are equal, so that there is no correlation
    assert np.isnan(preservation.score_correlation(index))
