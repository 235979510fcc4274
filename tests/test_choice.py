"""Choosing a codec, and whether its promise comes true."""

import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

import vecsmith
from vecsmith.advise.choice import best, candidates, choose, smallest, targets
from vecsmith.advise.prediction import REDUCER_FACTOR, Prediction, predict
from vecsmith.advise.retention_interval import CALIBRATED
from vecsmith.cli import app
from vecsmith.codecs import Codec, load_codec
from vecsmith.codecs.nibble_scan import CompiledScan
from vecsmith.codecs.quantizers.sketch import SketchIndex
from vecsmith.embeddings import EmbeddingSet
from vecsmith.errors import VecsmithError
from vecsmith.report.advice import trade_off
from vecsmith.stores import searching_stores, store_named
from vecsmith.studies.config import StudyConfig
from vecsmith.studies.promise import promise

Vectors = NDArray[np.float32]


@pytest.mark.parametrize("target", targets())
@pytest.mark.parametrize("dimensions", [24, 256, 384])
@pytest.mark.parametrize("share", [1, 2, 4, 8, 16, 24])
def test_candidates_fit_the_budget_and_the_store(dimensions: int, share: int, target: str) -> None:
    X = np.random.default_rng(0).standard_normal((dimensions + 50, dimensions)).astype("float32")
    size = max(dimensions // share, 4)
    for spec in candidates(dimensions, size, target):
        codec = Codec(spec)
        if not spec.startswith("binary-autoencoder"):
            assert codec.fit(X).bytes_per_vector <= size
        assert target not in searching_stores() or store_named(target).searches(codec)


@pytest.mark.parametrize("target", targets())
def test_without_a_budget_every_size_is_tried_once(target: str) -> None:
    specs = candidates(384, None, target)
    assert len(specs) == len(set(specs)) > 5
    assert target not in ("index", "storage") or {"int8", "trellis48B", "hybrid12B"} <= set(specs)


def test_a_store_that_searches_no_such_codes_is_refused() -> None:
    with pytest.raises(VecsmithError, match="chroma searches no codes of 3 bytes"):
        candidates(384, 3, "chroma")


def test_what_loses_nothing_is_predicted_to_keep_everything(vectors: Vectors) -> None:
    [same, coarse] = predict(["float16", "pca10"], vectors)
    assert same.retention == pytest.approx(1, abs=1e-3)
    assert same.low < 1 < same.high
    assert coarse.retention < 0.9
    assert coarse.low < coarse.retention < coarse.high


def test_more_bytes_keep_more(vectors: Vectors) -> None:
    kept = [prediction.retention for prediction in predict(["hybrid20B", "hybrid10B", "hybrid5B", "hybrid2B"], vectors)]
    assert kept == sorted(kept, reverse=True)


def test_prediction_is_the_expected_gain_by_hand(vectors: Vectors) -> None:
    X = vectors[:200]
    [prediction] = predict(["binary"], X)
    scores = X @ X.T
    np.fill_diagonal(scores, -np.inf)
    ideal = -np.sort(-scores, axis=1)[:, :10]
    codes = X @ np.sign(X).T
    np.fill_diagonal(codes, -np.inf)
    found = np.take_along_axis(scores, np.argsort(-codes, axis=1)[:, :10], axis=1)
    temperature = 0.4 * (ideal[:, 0] - ideal[:, -1]).mean()
    discounts = 1 / np.log2(np.arange(10) + 2)
    gains = [np.exp((s - ideal[:, :1]) / temperature) @ discounts for s in (found, ideal)]
    assert prediction.retention == pytest.approx((gains[0] / gains[1]).mean(), abs=0.005)


def test_reducers_are_expected_to_lose_more_of_queries_than_of_documents(
    vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = 1 - predict(["pca20"], vectors)[0].retention
    monkeypatch.setattr(import_module("vecsmith.advise.prediction"), "REDUCER_FACTOR", 1)
    assert plain == pytest.approx(REDUCER_FACTOR * (1 - predict(["pca20"], vectors)[0].retention))


def test_fewer_queries_widen_the_interval_to_that_of_the_population(vectors: Vectors) -> None:
    few, many, population = (predict(["hybrid10B"], vectors, queries=queries)[0] for queries in (43, 10**9, None))
    assert few.low < population.low < population.retention < population.high < few.high
    assert many.low == pytest.approx(population.low, abs=1e-4)
    with pytest.raises(VecsmithError, match="--queries 0"):
        predict(["int8"], vectors, queries=0)


@pytest.mark.parametrize("loss", [0, 1e-4, 0.03, 0.2])
def test_errors_of_prediction_and_sampling_add_as_variances(loss: float) -> None:
    alone = np.subtract(CALIBRATED.bounds(loss), 1 - loss)
    for queries in (43, 300):
        both = np.subtract(CALIBRATED.bounds(loss, queries), 1 - loss)
        assert both**2 - alone**2 == pytest.approx((1.645 * CALIBRATED.spread(loss)) ** 2 / queries)
    assert alone[0] < 0 < alone[1]


def test_empty_texts_are_no_queries(vectors: Vectors) -> None:
    X = vectors[:100].copy()
    X[:50] = 0
    assert np.isfinite(predict(["int8"], X)[0].retention)


def made_up(codec: str, size: int, kept: float, low: float) -> Prediction:
    return Prediction(codec, size, 2 * size, kept, low, 1.0, 0.1, 1000.0, scanned=True)


def test_choice_by_size_and_by_quality() -> None:
    tried = [made_up("a", 96, 0.99, 0.985), made_up("b", 48, 0.98, 0.97), made_up("c", 48, 0.975, 0.972)]
    assert best(tried).codec == "a"
    assert smallest(tried, 0.98).codec == "a"
    assert smallest(tried, 0.97).codec == "b"
    with pytest.raises(VecsmithError, match=r"a keeps at least 98\.5%"):
        smallest(tried, 0.99)


def test_table_shows_the_largest_first() -> None:
    table = trade_off(
        [made_up("small", 4, 0.9, 0.8), replace(made_up("large", 8, 0.95, 0.9), scanned=False, stores=("faiss",))], 5000
    )
    assert [row[:3] for row in table.rows] == [["large", "8", "16"], ["small", "4", "8"]]
    assert table.rows[0][4] == "90.0% – 100.0%"
    assert "very large set" in table.title and "43 judged" in trade_off([], 5000, 43).title
    assert table.columns[3] == "at 5,000 documents"
    assert table.rows[0][-2:] == ["decodes codes", "faiss"]


def test_too_few_vectors_and_wrong_wishes_are_refused(vectors: Vectors) -> None:
    unit = EmbeddingSet(vectors).unit
    with pytest.raises(VecsmithError, match="too few"):
        predict(["int8"], vectors[:30])
    with pytest.raises(VecsmithError, match="not both"):
        choose(unit, 8, 0.9)
    with pytest.raises(VecsmithError, match="1 or more"):
        choose(unit, 0, None)
    with pytest.raises(VecsmithError, match="between 0 and 1"):
        choose(unit, None, 98)
    with pytest.raises(VecsmithError, match="did you mean 'pgvector'"):
        choose(unit, 8, None, target="pgvectors")


def test_only_codecs_that_are_scanned_are_chosen_but_for_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = [
        replace(made_up("trellis8B", 8, 0.99, 0.98), scanned=False),
        made_up("hybrid8B", 8, 0.98, 0.97),
        replace(made_up("trellis4B", 4, 0.97, 0.96), scanned=False),
    ]
    monkeypatch.setattr(import_module("vecsmith.advise.choice"), "predict", lambda *_: tried)
    unit = EmbeddingSet(np.eye(40, dtype="float32")).unit
    assert [choose(unit, 8, None, target=target)[0].codec for target in ("index", "storage")] == [
        "hybrid8B",
        "trellis8B",
    ]
    assert [choose(unit, None, 0.95, target=target)[0].codec for target in ("index", "storage")] == [
        "hybrid8B",
        "trellis4B",
    ]
    assert choose(unit, 8, None)[1] == tried


def index_bytes(index: Any) -> int:
    """Return the bytes that an index holds in memory."""
    if isinstance(index, SketchIndex):
        return index._codes.nbytes + index_bytes(index._scan)
    if isinstance(index, CompiledScan):
        return index._blocks.nbytes
    return int(faiss.serialize_index(index).nbytes)


@pytest.mark.parametrize(
    "spec", ["int8", "float16", "binary", "levels3", "hybrid8B", "itq4B", "trellis8B", "pca16,int4"]
)
def test_memory_is_what_the_index_holds(spec: str, vectors: Vectors) -> None:
    codec = Codec(spec).fit(vectors)
    codes = codec.encode(vectors[:512])
    sizes = [index_bytes(codec.quantizer.index(codes[:rows])) for rows in (256, 512)]
    scales = codec.quantizer.score_factors(codes)
    # scans fill up to blocks of 32 or 64 documents
    held = (sizes[1] - sizes[0]) / 256 + (0 if scales is None else scales.itemsize)
    assert codec.memory_bytes_per_vector == pytest.approx(held, rel=0.05)


def test_auto_in_python_chooses_as_the_command_line_does(vectors: Vectors) -> None:
    codec = vecsmith.auto(vectors, bytes=5, queries=100)
    chosen, tried = choose(EmbeddingSet(vectors).unit, 5, None, queries=100)
    assert (codec.spec, codec.bytes_per_vector) == (chosen.codec, 5)
    assert [each.low for each in codec.predictions_] == [each.low for each in tried]
    assert np.array_equal(codec.encode(vectors), Codec(codec.spec).fit(EmbeddingSet(vectors).unit).encode(vectors))
    assert vecsmith.auto(EmbeddingSet(vectors), min_retention=0.5, target="storage").spec.startswith("trellis")


def test_fit_auto_as_typed(vectors: Vectors, tmp_path: Path) -> None:
    np.save(tmp_path / "corpus.npy", vectors)
    command = ["fit", "auto", "--bytes", "10", "--vectors", str(tmp_path / "corpus.npy"), "--out", str(tmp_path / "c")]
    result = CliRunner().invoke(app, [*command, "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    loaded = load_codec(tmp_path / "c")
    assert loaded.spec == told["codec"]
    assert loaded.bytes_per_vector == told["bytes_per_vector"] <= 10
    scanned = [each for each in told["tried"] if each["scanned"]]
    assert told["codec"] == max(scanned, key=lambda each: each["retention"])["codec"]
    shown = CliRunner().invoke(app, command)
    assert "trellis10B" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["auto", "--vectors", "x.npy"], "--bytes or --min-retention"),
        (["int8", "--bytes", "4", "--vectors", "x.npy"], "--bytes or --min-retention"),
        (["auto", "--bytes", "4"], "--vectors or --task"),
        (["int8", "--for", "storage", "--vectors", "x.npy"], "are options of fit auto"),
        (["int8", "--queries", "9", "--vectors", "x.npy"], "are options of fit auto"),
    ],
)
def test_fit_auto_says_what_is_missing(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["fit", *arguments, "--out", str(tmp_path / "c")])
    assert sentence in str(result.exception)
    assert not (tmp_path / "c").exists()


@pytest.mark.slow
def test_dev_queries_may_choose(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app,
        ["fit", "auto", "--bytes", "32", "--task", "pydocs", "--split", "dev", "--json", "--out", str(tmp_path / "c")],
    )
    assert result.exit_code == 0, result.output
    tried = {each["codec"]: each for each in json.loads(result.stdout)["tried"]}
    assert tried["trellis32B"]["retention"] > tried["pca32,int8"]["retention"]
    assert tried["trellis32B"]["low"] < tried["trellis32B"]["retention"] < tried["trellis32B"]["high"]


@pytest.mark.slow
def test_promise_comes_true_on_a_task_it_was_not_made_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("vecsmith.studies.promise"), "SHARES", (8,))
    coverage, predictions = promise(StudyConfig(["pydocs"], ["static"], seeds=[0])).tables
    assert [row[2] for row in predictions.rows] == ["int8", "int4", "trellis32B", "hybrid32B"]
    assert float(coverage.rows[0][4].rstrip("%")) >= 75
