"""The growth of a codec's loss with the size of the corpus, and its forecast."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm
from typer.testing import CliRunner

import vecsmith
from vecsmith.advise.choice import choose
from vecsmith.advise.corpus_size import (
    CALIBRATED_GROWTH,
    MIN_DOCUMENTS,
    SHARES,
    Forecast,
    LossGrowth,
    fit_exponents,
    parse_size,
    shrink,
)
from vecsmith.advise.prediction import predict
from vecsmith.advise.pseudo_queries import PseudoQueries
from vecsmith.cli import app
from vecsmith.embeddings import EmbeddingSet, normalize
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.expected_gain import expected_discounts
from vecsmith.evaluation.folds import encode_corpus

Vectors = NDArray[np.float32]


@pytest.fixture(scope="module")
def documents() -> Vectors:
    """Return vectors in clusters, enough to predict the growth from."""
    rng = np.random.default_rng(5)
    centers = rng.standard_normal((40, 24))
    return normalize((centers[rng.integers(40, size=900)] + rng.standard_normal((900, 24))).astype("float32"))


def synthetic_losses(
    exponent: float, level: float, rng: np.random.Generator, queries: int = 400
) -> NDArray[np.float64]:
    """Return losses of queries whose mean grows with a known exponent."""
    means = 1 - np.exp(-level * np.array(SHARES) ** exponent)
    return means[:, None] * rng.gamma(1.0, size=(1, queries))


def test_regression_recovers_known_exponents() -> None:
    rng = np.random.default_rng(0)
    truth = np.array([0.1, 0.2, 0.3, 0.4])
    exponents, variances = fit_exponents([synthetic_losses(each, 0.05, rng, 20_000) for each in truth])
    assert exponents == pytest.approx(truth, abs=0.01)
    assert (variances < 0.01**2).all()


def test_a_codec_without_loss_receives_the_exponent_of_the_others() -> None:
    rng = np.random.default_rng(0)
    losses = [synthetic_losses(0.3, 0.1, rng), synthetic_losses(0.3, 0.1, rng), np.zeros((len(SHARES), 400))]
    exponents, _ = fit_exponents(losses)
    assert exponents[2] == pytest.approx(0.3, abs=0.01)
    assert fit_exponents(losses[2:])[0] == pytest.approx(0)


def test_shrinkage_is_that_of_random_effects() -> None:
    exponents, variances = np.array([0.1, 0.3, 0.5]), np.array([0.01, 0.01, 0.01])
    shrunk, errors = shrink(exponents, variances)
    # DerSimonian and Laird by hand: Q = 8, τ² = (8 − 2) / 200
    own = 0.03 / (0.03 + 0.01)
    assert shrunk == pytest.approx(0.3 + own * (exponents - 0.3))
    assert errors == pytest.approx(0.01 * own + (1 - own) ** 2 * 0.04 / 3)
    equal, _ = shrink(exponents, np.full(3, 1.0))
    assert equal == pytest.approx(0.3, abs=1e-4)


def test_posterior_errors_of_exponents_are_as_large_as_stated() -> None:
    rng = np.random.default_rng(1)
    truth, noise = rng.normal(0.25, 0.1, (60, 40)), rng.uniform(0.02, 0.2, (60, 40))
    estimates = [shrink(*each) for each in zip(rng.normal(truth, noise), noise**2, strict=True)]
    scaled = np.concatenate([(mean - t) / np.sqrt(v) for (mean, v), t in zip(estimates, truth, strict=True)])
    assert 0.85 < np.mean(np.abs(scaled) < norm.ppf(0.95)) < 0.93


def test_forecast_is_the_power_law_and_widens_with_size() -> None:
    known, growth = Forecast(1000, 0.95, 0.92, 0.97), LossGrowth(0.25, 0.05)
    same = growth.forecast(known, 1000)
    assert (same.retention, same.low, same.high) == pytest.approx((0.95, 0.92, 0.97))
    near, far = growth.forecast(known, 16_000), growth.forecast(known, 10**8)
    assert np.log(near.retention) == pytest.approx(2 * np.log(0.95))
    assert 0 < far.low < near.low < near.retention < near.high
    assert far.retention < near.retention and far.high - far.low > near.high - near.low
    better = growth.forecast(Forecast(1000, 1.01, 0.99, 1.02), 10**8)
    assert better.retention == pytest.approx(1.01)
    assert growth.forecast(Forecast(1000, 0.0, 0.0, 0.1), 10**8).retention == pytest.approx(0)


def test_expected_discount_is_the_mean_over_subsamples() -> None:
    rng, rank, share = np.random.default_rng(0), 30, 1 / 4
    above = (rng.random((20_000, rank)) < share).sum(axis=1)
    sampled = np.where(above < 10, 1 / np.log2(above + 2), 0).mean()
    assert expected_discounts(100, share)[rank] == pytest.approx(sampled, abs=0.005)
    assert expected_discounts(12, 1.0)[[0, 9, 10]] == pytest.approx([1, 1 / np.log2(11), 0])


def test_losses_among_shares_do_not_change_the_loss_among_all(documents: Vectors) -> None:
    encoded = encode_corpus("binary", documents)
    deep = PseudoQueries(documents, depth=300).losses(encoded, shares=SHARES)
    assert deep[-1] == pytest.approx(PseudoQueries(documents).losses(encoded)[0], abs=1e-6)
    assert deep[0].mean() < deep[-1].mean()


def test_prediction_for_a_larger_corpus_is_lower_and_less_certain(documents: Vectors) -> None:
    plain = predict(["int8", "binary", "pca6"], documents)
    grown = predict(["int8", "binary", "pca6"], documents, corpus_size=10**7)
    for now, later in zip(plain, grown, strict=True):
        assert later.future is not None and later.future.documents == 10**7
        assert (later.retention, later.low) == pytest.approx((now.retention, now.low), abs=1e-4)
        assert later.future.retention < later.retention
        assert later.future.low < later.low or later.low < 1e-4


def test_more_documents_than_are_tried_are_accounted_for(documents: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecsmith.advise.pseudo_queries.MAX_DOCUMENTS", 700)
    monkeypatch.setattr("vecsmith.advise.prediction.MAX_DOCUMENTS", 700)
    [all_documents] = predict(["binary"], documents)
    [sample] = predict(["binary"], PseudoQueries(documents).documents)
    assert all_documents.retention < sample.retention
    assert all_documents.future is None


def test_the_future_decides_the_choice(documents: Vectors) -> None:
    unit = EmbeddingSet(documents).unit
    today, tried = choose(unit, None, 0.7, target="faiss")
    later, _ = choose(unit, None, 0.7, target="faiss", corpus_size=10**6)
    assert later.bytes_per_vector > today.bytes_per_vector
    assert later.future is not None and later.future.low >= 0.7
    assert {"pgvector", "usearch", "lancedb"} <= set(predict(["binary"], documents)[0].stores)
    assert next(each for each in tried if each.codec == "int8").stores == ("faiss",)


@pytest.mark.parametrize(
    ("text", "size"),
    [("100M", 10**8), ("1e8", 10**8), ("100_000_000", 10**8), ("1.5m", 1_500_000), ("20k", 20_000), ("2B", 2 * 10**9)],
)
def test_sizes_as_typed(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["0", "-5", "", "many", "1.5", "100MM", "1e", "nan", "1_000_0.5"])
def test_nonsense_is_no_size(text: str) -> None:
    with pytest.raises(VecsmithError, match=r"--corpus-size .* is not a number of documents"):
        parse_size(text)


def test_corpora_that_shrink_and_too_few_documents_are_refused(documents: Vectors) -> None:
    with pytest.raises(VecsmithError, match=r"--corpus-size 800 is smaller than the corpus, which has 900 documents"):
        predict(["int8"], documents, corpus_size=800)
    with pytest.raises(VecsmithError, match=rf"600 documents are too few .* at least {MIN_DOCUMENTS}"):
        predict(["int8"], documents[:600], corpus_size=10**6)


def test_fit_auto_shows_both_sizes(documents: Vectors, tmp_path: Path) -> None:
    np.save(tmp_path / "corpus.npy", documents)
    command = [
        "fit",
        "auto",
        "--bytes",
        "6",
        "--for",
        "faiss",
        "--vectors",
        str(tmp_path / "corpus.npy"),
        "--out",
        str(tmp_path / "c"),
    ]
    shown = CliRunner().invoke(app, [*command, "--corpus-size", "1M"], env={"COLUMNS": "300"})
    assert shown.exit_code == 0, shown.output
    assert "at 900 documents" in shown.stdout and "at 1,000,000 documents" in shown.stdout
    told = json.loads(CliRunner().invoke(app, [*command, "--corpus-size", "1e6", "--json"]).stdout)
    futures = {each["codec"]: each["future"] for each in told["tried"]}
    assert all(each["documents"] == 10**6 for each in futures.values())
    assert told["codec"] == max(futures, key=lambda codec: futures[codec]["retention"])
    python = vecsmith.auto(documents, bytes=6, target="faiss", corpus_size=10**6)
    assert python.spec == told["codec"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["auto", "--bytes", "6", "--corpus-size", "tiny"], "is not a number of documents"),
        (["auto", "--bytes", "6", "--corpus-size", "100"], "is smaller than the corpus"),
        (["int8", "--corpus-size", "1M"], "are options of fit auto"),
    ],
)
def test_bad_sizes_write_nothing(arguments: list[str], sentence: str, documents: Vectors, tmp_path: Path) -> None:
    np.save(tmp_path / "corpus.npy", documents)
    out = tmp_path / "c"
    result = CliRunner().invoke(app, ["fit", *arguments, "--vectors", str(tmp_path / "corpus.npy"), "--out", str(out)])
    assert result.exit_code != 0 and sentence in str(result.exception)
    assert not out.exists()


def test_calibrated_growth_is_that_of_corpora() -> None:
    growth = CALIBRATED_GROWTH.growth(0.1, 0.02**2)
    assert 0.1 < growth.exponent < 0.4
    assert growth.error > CALIBRATED_GROWTH.error


def test_intervals_contain_simulated_corpora_as_often_as_stated() -> None:
    rng = np.random.default_rng(2)
    inside = []
    for exponent, error in rng.normal((0.25, 0), (0.1, 0.2), (2000, 2)):
        retention = 0.95 ** np.exp(error)
        known = Forecast(1000, 0.95, 0.95 ** np.exp(1.645 * 0.2), 0.95 ** np.exp(-1.645 * 0.2))
        forecast = LossGrowth(0.25, 0.1).forecast(known, 16_000)
        inside.append(forecast.low <= retention ** (16**exponent) <= forecast.high)
    assert 0.87 < np.mean(inside) < 0.94
