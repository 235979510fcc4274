"""Choosing a codec, and whether its promise comes true."""

import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from vecsmith.cli import app
from vecsmith.codecs import Codec, load_codec
from vecsmith.embeddings import EmbeddingSet
from vecsmith.errors import VecsmithError
from vecsmith.studies.choice import Prediction, best, choose, ladder, predict, sized, smallest, trade_off
from vecsmith.studies.promise import promise
from vecsmith.studies.setting import Setting

Vectors = NDArray[np.float32]


@pytest.mark.parametrize("dimensions", [24, 256, 384, 1024])
@pytest.mark.parametrize("share", [1, 2, 4, 8, 16, 24])
def test_candidates_fit_the_budget(dimensions: int, share: int) -> None:
    X = np.random.default_rng(0).standard_normal((dimensions + 50, dimensions)).astype("float32")
    size = max(dimensions // share, 1)
    for spec in sized(dimensions, size):
        if not spec.startswith("binary-autoencoder"):
            assert Codec(spec).fit(X).bytes_per_vector <= size


def test_ladder_has_every_size_once() -> None:
    specs = ladder(384)
    assert len(specs) == len(set(specs))
    assert {"int8", "trellis48B", "hybrid12B"} <= set(specs)


def test_what_loses_nothing_is_predicted_to_keep_everything(vectors: Vectors) -> None:
    [same, coarse] = predict(["float16", "pca2"], vectors)
    assert same.retention == pytest.approx(1, abs=1e-3)
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


def test_empty_texts_are_no_queries(vectors: Vectors) -> None:
    X = vectors[:100].copy()
    X[:50] = 0
    assert np.isfinite(predict(["int8"], X)[0].retention)


def made_up(codec: str, size: int, kept: float, low: float) -> Prediction:
    return Prediction(codec, size, kept, low, 1.0, 0.1, 1000.0, scanned=True)


def test_choice_by_size_and_by_quality() -> None:
    tried = [made_up("a", 96, 0.99, 0.985), made_up("b", 48, 0.98, 0.97), made_up("c", 48, 0.975, 0.972)]
    assert best(tried).codec == "a"
    assert smallest(tried, 0.98).codec == "a"
    assert smallest(tried, 0.97).codec == "b"
    with pytest.raises(VecsmithError, match=r"a keeps at least 98\.5%"):
        smallest(tried, 0.99)
    with pytest.raises(VecsmithError, match="between 0 and 1"):
        smallest(tried, 98)


def test_table_shows_the_largest_first() -> None:
    table = trade_off([made_up("small", 4, 0.9, 0.8), replace(made_up("large", 8, 0.95, 0.9), scanned=False)])
    assert [row[0] for row in table.rows] == ["large", "small"]
    assert table.rows[0][3] == "90.0% – 100.0%"
    assert table.rows[0][-1] == "holds floats"


def test_too_few_vectors_and_wrong_wishes_are_refused(vectors: Vectors) -> None:
    unit = EmbeddingSet(vectors).unit
    with pytest.raises(VecsmithError, match="too few"):
        predict(["int8"], vectors[:30])
    with pytest.raises(VecsmithError, match="not both"):
        choose(unit, 8, 0.9)
    with pytest.raises(VecsmithError, match="1 or more"):
        choose(unit, 0, None)


def test_fit_auto_as_typed(vectors: Vectors, tmp_path: Path) -> None:
    np.save(tmp_path / "corpus.npy", vectors)
    command = ["fit", "auto", "--bytes", "10", "--vectors", str(tmp_path / "corpus.npy"), "--out", str(tmp_path / "c")]
    result = CliRunner().invoke(app, [*command, "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    loaded = load_codec(tmp_path / "c")
    assert loaded.spec == told["codec"]
    assert loaded.bytes_per_vector == told["bytes_per_vector"] <= 10
    assert told["codec"] == max(told["tried"], key=lambda each: each["retention"])["codec"]
    shown = CliRunner().invoke(app, command)
    assert "trellis10B" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["auto", "--vectors", "x.npy"], "--bytes or --keep"),
        (["int8", "--bytes", "4", "--vectors", "x.npy"], "--bytes or --keep"),
        (["auto", "--bytes", "4"], "--vectors or --task"),
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
    coverage, predictions = promise(Setting(["pydocs"], ["static"], seeds=[0])).tables
    assert [row[2] for row in predictions.rows] == ["int8", "int4", "trellis32B", "hybrid32B"]
    assert float(coverage.rows[0][4].rstrip("%")) >= 75
