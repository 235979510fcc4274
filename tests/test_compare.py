"""The comparison: its protocol, its figures, its cache and its tables."""

import csv
import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import pytrec_eval
from numpy.typing import NDArray
from scipy.stats import ttest_rel
from typer.testing import CliRunner

import vecsmith
from oracles import asymmetric_scores
from vecsmith.cli import app
from vecsmith.embeddings import EmbeddingSet, Provenance, normalize
from vecsmith.errors import VecsmithError
from vecsmith.evaluation import runner
from vecsmith.evaluation.compare import compare, measure
from vecsmith.evaluation.folds import encode_corpus
from vecsmith.evaluation.results import FIELDS, Result, read_results
from vecsmith.index import SHORTLIST, Index
from vecsmith.index.two_stages import first_stage
from vecsmith.report import Run, csv_table, markdown_table, write_folder
from vecsmith.report.tables import COLUMNS, means, short
from vecsmith.studies import STUDIES, StudyConfig

Vectors = NDArray[np.float32]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a BEIR folder of 60 documents with ready vectors of 16 dimensions; each query is near one of them."""
    rng = np.random.default_rng(0)
    X = normalize(rng.standard_normal((60, 16)) + 0.5)
    Q = normalize(X[:20] + 0.4 * rng.standard_normal((20, 16)))
    return write_task(tmp_path / "tiny", X, Q, range(10, 20), range(10))


def write_task(task: Path, X: Vectors, Q: Vectors, test: range, train: range = range(0)) -> Path:
    """Write a BEIR folder with ready vectors ``toy``, in which document i answers query i of a split."""
    (task / "qrels").mkdir(parents=True)
    corpus = [{"_id": f"d{row}", "title": "", "text": f"document {row}"} for row in range(len(X))]
    queries = [{"_id": f"q{row}", "text": f"query {row}"} for row in range(len(Q))]
    for name, rows in (("corpus", corpus), ("queries", queries)):
        (task / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for split, judged in (("train", train), ("test", test)):
        if judged:
            lines = [f"q{row}\td{row}\t1\n" for row in judged]
            (task / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(lines))
    ready = task / "vectors" / "toy"
    ready.mkdir(parents=True)
    np.save(ready / "corpus.npy", X)
    np.save(ready / "queries.npy", Q)
    return task


def run_cli(*arguments: str) -> str:
    """Return what a command prints to stdout; it must succeed."""
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def only(results: list[Result], codec: str, scoring: str = "asymmetric") -> Result:
    (result,) = [result for result in results if (result.codec, result.scoring) == (codec, scoring)]
    return result


def test_a_line_per_codec_and_scoring_and_float32_once(folder: Path) -> None:
    scorings = ("symmetric", "asymmetric", "rescored")
    results = compare([str(folder)], ["vectors:toy"], ["binary", "float32", "int8", "int8"], scorings)
    assert [(result.codec, result.scoring) for result in results] == [
        ("float32", "exact"),
        *((codec, scoring) for codec in ("binary", "int8") for scoring in scorings),
    ]


def test_bytes_are_counted(folder: Path) -> None:
    results = compare([str(folder)], ["vectors:toy"], ["binary", "pca8,int8"], ("asymmetric", "rescored"))
    binary, rescored, pca = only(results, "binary"), only(results, "binary", "rescored"), only(results, "pca8,int8")
    assert (binary.bytes_per_vector, binary.rescore_bytes_per_vector, binary.compression) == (2, 0, 32)
    assert (rescored.bytes_per_vector, rescored.rescore_bytes_per_vector) == (2, 64)
    assert rescored.amortised_bytes_per_vector == 2 + 64
    assert rescored.compression == pytest.approx(64 / 66)
    assert (pca.dimensions, pca.bytes_per_vector) == (8, 8)
    # eight directions of sixteen floats, and the lowest level and the step of eight dimensions
    assert pca.codec_bytes == 4 * (8 * 16 + 2 * 8)
    assert pca.amortised_bytes_per_vector == pytest.approx(8 + pca.codec_bytes / 60)


def test_codes_of_two_quantizers_have_three_lines(folder: Path) -> None:
    spec = "hybrid2B+trellis4B"
    results = compare([str(folder)], ["vectors:toy"], [spec, "binary"], ("asymmetric", "rescored"), split="train+test")
    assert [(line.codec, line.scoring, line.bytes_per_vector, line.rescore_bytes_per_vector) for line in results] == [
        ("float32", "exact", 64, 0),
        (spec, "two-stage", 6, 0),
        (spec, "asymmetric", 6, 0),
        (spec, "rescored", 6, 64),
        ("binary", "asymmetric", 2, 0),
        ("binary", "rescored", 2, 64),
    ]
    assert only(results, spec, "two-stage").compression == pytest.approx(64 / 6)
    # the whole codes, and the scan's copy of 2 bytes and scale of 4; the exhaustive search decodes the codes in blocks
    assert only(results, spec, "two-stage").memory_bytes_per_vector == 12
    assert only(results, spec, "asymmetric").memory_bytes_per_vector == 6
    [_, alone] = compare([str(folder)], ["vectors:toy"], [spec], ("two-stage",))
    assert alone.scoring == "two-stage"
    with pytest.raises(VecsmithError, match="binary has one quantizer and no two stages"):
        compare([str(folder)], ["vectors:toy"], [spec, "binary"], ("two-stage",))


def test_the_two_stage_line_is_the_ranking_of_encode_and_search(vectors: Vectors, tmp_path: Path) -> None:
    """Measure a saved codec by `compare`, and by what the commands encode and search give."""
    rng = np.random.default_rng(2)
    queries = normalize(vectors[:80] + 0.3 * rng.standard_normal((80, 40)).astype(np.float32))
    task = write_task(tmp_path / "task", vectors, queries, range(80))
    vecsmith.codec("hybrid2B+trellis4B").fit(vectors).save(tmp_path / "codec")
    codec, codes = str(tmp_path / "codec"), str(tmp_path / "codes")
    [_, two_stage, asymmetric] = measure([str(task)], ["vectors:toy"], [codec])[0]
    ready = task / "vectors" / "toy"
    run_cli("encode", codec, "--vectors", str(ready / "corpus.npy"), "--out", codes)
    told = json.loads(run_cli("search", codes, "--queries", str(ready / "queries.npy"), "-k", "100", "--json"))
    run = {f"q{query}": {f"d{hit['id']}": hit["score"] for hit in each["results"]} for query, each in enumerate(told)}
    judged = pytrec_eval.RelevanceEvaluator({f"q{row}": {f"d{row}": 1} for row in range(80)}, {"ndcg_cut.10"})
    expected = [measures["ndcg_cut_10"] for _, measures in sorted(judged.evaluate(run).items())]
    assert two_stage.ndcg_at_10 == expected
    # it is another ranking than that of all whole codes
    assert two_stage.ndcg_at_10 != asymmetric.ndcg_at_10


def test_two_stages_of_cross_fitted_codes(vectors: Vectors) -> None:
    documents, queries = vectors[:400], vectors[400:420]
    parts = encode_corpus("hybrid2B+trellis4B", documents, "cross").parts
    scores, rows = Index.from_partitions(parts, "rescored").search(queries, 10)
    first, whole = np.empty((2, 20, 400), np.float32)
    for part in parts:
        begin = first_stage(part.codec)
        first[:, part.rows] = asymmetric_scores(begin, queries, part.codes[:, : begin.bytes_per_vector])
        whole[:, part.rows] = asymmetric_scores(part.codec, queries, part.codes)
    shortlist = np.argsort(-first, axis=1)[:, :SHORTLIST]
    expected = -np.sort(-np.take_along_axis(whole, shortlist, axis=1), axis=1)[:, :10]
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    np.testing.assert_allclose(scores, np.take_along_axis(whole, rows, axis=1), atol=1e-5)


def test_retention_and_p_value_are_against_float32_of_the_run(folder: Path) -> None:
    results = compare([str(folder)], ["vectors:toy"], ["truncate2", "float16"], split="train+test")
    baseline, cut, half = only(results, "float32", "exact"), only(results, "truncate2"), only(results, "float16")
    assert baseline.retention == 1
    assert baseline.n_queries == 20
    assert cut.retention == pytest.approx(cut.ndcg_at_10 / baseline.ndcg_at_10)
    assert cut.retention < 0.9
    assert cut.p_value < 0.05
    assert (half.retention, half.p_value) == (1, 1)


def test_any_encoder_may_be_the_baseline(folder: Path, tmp_path: Path) -> None:
    ready = folder / "vectors"
    (ready / "half").mkdir()
    for name in ("corpus", "queries"):
        np.save(ready / "half" / f"{name}.npy", np.load(ready / "toy" / f"{name}.npy")[:, :8])
    joined = "vectors:half+vectors:toy"
    own = compare([str(folder)], [joined], ["fuse(a,b),int8"], split="train+test")
    results = compare([str(folder)], [joined], ["fuse(a,b),int8"], split="train+test", baseline="vectors:half")
    assert [(line.encoder, line.codec, line.baseline) for line in results] == [
        ("vectors:half", "float32", "vectors:half"),
        (joined, "float32", "vectors:half"),
        (joined, "fuse(a,b),int8", "vectors:half"),
    ]
    half, fused, coded = results
    assert (half.retention, half.compression, half.p_value) == (1, 1, 1)
    assert [fused.ndcg_at_10, coded.ndcg_at_10] == [line.ndcg_at_10 for line in own]
    assert fused.retention == fused.ndcg_at_10 / half.ndcg_at_10 > 1.1
    assert (own[1].compression, coded.compression) == (96 / 24, 32 / 24)
    [one], [other] = (measure([str(folder)], [name], [], split="train+test")[0] for name in ("vectors:half", joined))
    assert fused.p_value == pytest.approx(ttest_rel(other.ndcg_at_10, one.ndcg_at_10).pvalue)
    # the table says what with, and tests the uncompressed vectors too
    table = markdown_table(results)
    assert "compared with float32 of vectors:half" in table
    assert f"| {fused.retention:.1%} | {fused.p_value:.3f} |" in table
    # an encoder that is measured anyway has its float32 line once
    assert (
        compare([str(folder)], ["vectors:half", joined], [], split="train+test", baseline="vectors:half") == results[:2]
    )


def test_cross_fitting_never_encodes_what_was_fitted_on() -> None:
    rng = np.random.default_rng(0)
    X = normalize(rng.standard_normal((101, 8)))
    encoded = encode_corpus("median", X, "cross", seed=4)
    first, second = encoded.parts
    assert np.array_equal(np.sort(np.concatenate([first.rows, second.rows])), np.arange(101))
    for part, other in ((first, second), (second, first)):
        np.testing.assert_allclose(part.codec.quantizer.threshold_, np.median(X[other.rows], axis=0))
        assert np.array_equal(part.codes, part.codec.encode(X[part.rows]))
    assert not np.array_equal(first.rows, encode_corpus("median", X, "cross", seed=5).parts[0].rows)


def test_protocols_differ_where_a_codec_learns(folder: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    elsewhere = tmp_path / "elsewhere"
    EmbeddingSet(rng.standard_normal((50, 16)).astype(np.float32)).save(elsewhere)
    codec = "pca3"
    scores = {}
    for fit_on in ("cross", "corpus", str(elsewhere)):
        results = compare([str(folder)], ["vectors:toy"], [codec, "binary"], split="train+test", fit_on=fit_on)
        assert only(results, codec).fit_on == fit_on
        assert only(results, "binary").fit_on == "nothing"
        scores[fit_on] = only(results, codec).ndcg_at_10
    assert len(set(scores.values())) == 3


def test_transfer_from_another_model_is_refused(folder: Path, tmp_path: Path) -> None:
    about = folder / "vectors" / "toy" / "about.json"
    about.write_text(json.dumps({"model": "toy"}))
    X = np.random.default_rng(1).standard_normal((50, 16)).astype(np.float32)
    EmbeddingSet(X, provenance=Provenance(encoder="other")).save(tmp_path / "other")
    EmbeddingSet(X[:, :8]).save(tmp_path / "narrow")
    for name in ("other", "narrow"):
        with pytest.raises(VecsmithError, match="vectors of the same model"):
            compare([str(folder)], ["vectors:toy"], ["pca3"], fit_on=str(tmp_path / name))


def test_same_seed_same_table(folder: Path) -> None:
    def table() -> list[tuple[object, ...]]:
        results = compare([str(folder)], ["vectors:toy"], ["pca5,binary", "faiss:PQ4x4"], seed=2, force=True)
        timed = ("fit_seconds", "encode_vectors_per_second", "queries_per_second", "milliseconds_per_query")
        return [tuple(value for name, value in asdict(result).items() if name not in timed) for result in results]

    assert table() == table()


def test_what_was_measured_is_not_measured_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = []
    real = runner.encode_corpus
    monkeypatch.setattr(runner, "encode_corpus", lambda spec, *rest: fitted.append(spec) or real(spec, *rest))
    arguments = ([str(folder)], ["vectors:toy"], ["binary"])
    first = compare(*arguments, ("symmetric", "asymmetric"))
    assert fitted == ["float32", "binary"]
    assert compare(*arguments, ("symmetric", "asymmetric")) == first
    assert fitted == ["float32", "binary"]
    compare(*arguments, ("symmetric", "rescored"))
    assert fitted == ["float32", "binary", "binary"]
    compare(*arguments, force=True)
    compare(*arguments, seed=1)
    compare(*arguments, split="train")
    assert fitted[3:] == ["float32", "binary"] * 3
    ready = folder / "vectors" / "toy" / "queries.npy"
    np.save(ready, np.load(ready)[::-1])
    compare(*arguments)
    assert fitted[9:] == ["float32", "binary"]


def test_names_are_checked_before_anything_is_embedded(folder: Path, cache: Path) -> None:
    for arguments, message in (
        ({"codecs": ["int9"]}, "did you mean 'int8'"),
        ({"scorings": ["exact"]}, "Unknown scoring 'exact'"),
        ({"split": "dev"}, "Unknown split of tiny 'dev'"),
        ({"tasks": [str(folder), "pydoc"]}, "did you mean 'pydocs'"),
    ):
        defaults = {"tasks": [str(folder)], "encoders": ["static"], "codecs": ["int8"]}
        with pytest.raises(VecsmithError, match=message):
            compare(**{**defaults, **arguments})
    assert not (cache / "embeddings").exists()


def test_files_hold_what_was_measured(folder: Path, tmp_path: Path) -> None:
    results = compare([str(folder)], ["vectors:toy"], ["binary"], ("symmetric", "rescored"))
    paths = write_folder(tmp_path / "out", Run("out", results, notes=["tiny: a note."]))
    assert [path.name for path in paths] == ["table.md", "table.csv", "report.html", "results.jsonl"]
    assert read_results(paths[3]) == results
    assert set(json.loads(paths[3].read_text().splitlines()[0])) == set(FIELDS)
    rows = list(csv.DictReader(paths[1].open()))
    assert [float(row["ndcg_at_10"]) for row in rows] == [result.ndcg_at_10 for result in results]
    page = paths[0].read_text()
    assert f"{results[1].ndcg_at_10:.4f}" in page
    assert "2+64" in page
    assert "tiny: a note." in page


def test_several_tasks_have_a_mean(folder: Path) -> None:
    results = compare([str(folder)], ["vectors:toy"], ["binary"])
    other = [replace(result, task="other", ndcg_at_10=0.5, retention=0.9) for result in results]
    (baseline, binary) = means([*results, *other])
    assert binary.ndcg_at_10 == pytest.approx((results[1].ndcg_at_10 + 0.5) / 2)
    assert (binary.n_docs, math.isnan(binary.p_value)) == (120, True)
    assert baseline.codec == "float32"
    assert "mean of 2 tasks" in markdown_table([*results, *other])
    assert csv_table([*results, *other]).count("mean of 2 tasks") == 2
    assert means(results) == []


def test_judgements_without_a_relevant_document_are_refused_before_any_work(folder: Path, cache: Path) -> None:
    path = folder / "qrels" / "test.tsv"
    path.write_text("query-id\tcorpus-id\tscore\nq1\td1\t0\nq2\td2\t-1\n")
    for use in (
        lambda: compare([str(folder)], ["static"], ["int8"]),
        lambda: STUDIES["quantization"](StudyConfig([str(folder)], ["static"])),
    ):
        with pytest.raises(VecsmithError, match=rf"split test of tiny \({path}\) judges no document relevant"):
            use()
    assert not (cache / "embeddings").exists()
    # judgements of both splits together are enough
    assert compare([str(folder)], ["vectors:toy"], [], split="train+test")[0].ndcg_at_10 > 0


def test_undefined_figures_are_null_in_json(folder: Path, tmp_path: Path) -> None:
    # every query points away from its document, so that the baseline finds none and there is no retention
    ready = folder / "vectors" / "toy"
    np.save(ready / "queries.npy", -np.load(ready / "corpus.npy")[:20])
    arguments = ["compare", "--task", str(folder), "--encoder", "vectors:toy", "--codec", "int8"]
    told = run_cli(*arguments, "--out", str(tmp_path / "out"), "--json")

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    [baseline, int8] = json.loads(told, parse_constant=refuse)
    assert (baseline["ndcg_at_10"], baseline["retention"], int8["retention"]) == (0, None, None)
    written = (tmp_path / "out" / "results.jsonl").read_text()
    assert [json.loads(line, parse_constant=refuse) for line in written.splitlines()] == [baseline, int8]
    assert math.isnan(read_results(tmp_path / "out" / "results.jsonl")[1].retention)
    assert "nan" not in (tmp_path / "out" / "table.md").read_text() + (tmp_path / "out" / "table.csv").read_text()


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (3, "3"), (850, "850"), (999.6, "1.0k"), (1234, "1.2k"), (9_940, "9.9k"), (9_960, "10k"), (12_345, "12k"),
        (999_499, "999k"), (999_999, "1.0M"), (3_100_000, "3.1M"), (999_999_999, "1.0G"), (2e9, "2.0G"), (7e13, "70T"),
    ],
)  # fmt: skip
def test_short_numbers_have_four_characters_at_most(number: float, written: str) -> None:
    assert short(number) == written
    assert len(written) <= 4


def test_the_table_has_twelve_columns() -> None:
    assert len(COLUMNS) == 12


def test_an_output_folder_that_holds_something_else_is_left_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("irreplaceable")
    with pytest.raises(VecsmithError, match="already holds something else"):
        write_folder(tmp_path, Run("out", compare([str(folder)], ["vectors:toy"], [])))
    assert (tmp_path / "thesis.txt").read_text() == "irreplaceable"


@pytest.mark.data
def test_figures_of_minilm_on_scifact(beir: Callable[[str], Path]) -> None:
    results = compare([str(beir("scifact"))], ["vectors:minilm"], ["int8", "binary"], ("symmetric", "asymmetric"))
    baseline = only(results, "float32", "exact")
    # the public leaderboard's figure
    assert baseline.ndcg_at_10 == pytest.approx(0.6451, abs=0.0005)
    assert only(results, "int8").ndcg_at_10 == pytest.approx(baseline.ndcg_at_10, abs=0.002)
    assert only(results, "binary", "symmetric").ndcg_at_10 == pytest.approx(0.584, abs=0.003)
    assert only(results, "binary").ndcg_at_10 == pytest.approx(0.623, abs=0.003)


@pytest.mark.data
def test_figures_of_minilm_on_all_questions_of_hotpotqa(beir: Callable[[str], Path]) -> None:
    results = compare([str(beir("hotpotqa-2k"))], ["vectors:minilm"], ["binary"], split="train+test")
    assert results[0].n_queries == 2000
    assert results[0].ndcg_at_10 == pytest.approx(0.7171, abs=0.0005)
    assert only(results, "binary").retention == pytest.approx(0.955, abs=0.002)


@pytest.mark.data
def test_static_vectors_reach_their_figure_from_texts(beir: Callable[[str], Path]) -> None:
    (result,) = vecsmith.compare([str(beir("scifact"))], ["static"], [])
    assert result.ndcg_at_10 == pytest.approx(0.5132, abs=0.0005)


@pytest.mark.data
def test_documents_without_text_do_not_stop_a_task(beir: Callable[[str], Path]) -> None:
    ready, own = compare([str(beir("cranfield"))], ["vectors:wordllama", "static"], [])
    assert ready.ndcg_at_10 == pytest.approx(0.3279, abs=0.0005)
    assert own.ndcg_at_10 == pytest.approx(ready.ndcg_at_10, abs=1e-4)


def test_recentring_is_done_or_refused_as_by_encode(folder: Path, tmp_path: Path) -> None:
    spec = "hybrid2B+trellis4B"
    [_, line, _] = compare([str(folder)], ["vectors:toy"], [spec], recenter=True)
    assert line.fit_on == "cross, re-centered"
    for kept in (spec, "int8"):
        vecsmith.codec(kept).fit(np.load(folder / "vectors" / "toy" / "corpus.npy")).save(tmp_path / kept)
    vectors = ["--vectors", str(folder / "vectors" / "toy" / "corpus.npy")]
    run_cli("encode", str(tmp_path / spec), *vectors, "--out", str(tmp_path / "codes"), "--recenter")
    encode = ["encode", str(tmp_path / "int8"), *vectors, "--out", str(tmp_path / "more")]
    for arguments in (encode, ["compare", "--task", str(folder), "--encoder", "static", "--codec", "int8"]):
        refused = CliRunner().invoke(app, [*arguments, "--recenter"])
        assert "Codec('int8', seed=0) keeps no mean that could be replaced" in str(refused.exception)
    assert not (tmp_path / "more").exists()


def test_a_fitted_codec_is_measured_as_it_is(folder: Path, tmp_path: Path) -> None:
    X = np.load(folder / "vectors" / "toy" / "corpus.npy").astype("float32")
    fitted = vecsmith.codec("trellis4B").fit(np.random.default_rng(1).standard_normal((200, 16)).astype("float32"))
    path = str(tmp_path / "codec")
    fitted.save(path)
    [part] = encode_corpus(path, X).parts
    assert np.array_equal(part.codes, fitted.encode(X))
    [moved] = encode_corpus(path, X, recenter=True).parts
    assert np.array_equal(moved.codes, fitted.recentered(X).encode(X))
    [_, line] = compare([str(folder)], ["vectors:toy"], [path])
    assert (line.codec, line.fit_on, line.bytes_per_vector) == (path, "saved codec", 4)
    # another codec in the same folder is another measurement
    vecsmith.codec("trellis2B").fit(X).save(path)
    assert compare([str(folder)], ["vectors:toy"], [path])[1].bytes_per_vector == 2
