"""What every translator promises, checked for every one that the package has."""

import builtins
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vecsmith.embeddings import EmbeddingSet, normalize
from vecsmith.embeddings.writer import SHARD_ROWS
from vecsmith.errors import VecsmithError
from vecsmith.translators import (
    TRANSLATORS,
    ScoreCalibration,
    Translator,
    canonical,
    complete_set,
    join,
    load_translator,
    translate_set,
    translator,
)

SPECS = [
    *(method.example for method in TRANSLATORS.values()),
    "linear:rank5",
    "mlp2x2:cosine",
    "mlp1:retrieval",
    "adapter:rank5",
    "adapter:mlp8",
]

Vectors = NDArray[np.float32]
Pair = tuple[Vectors, Vectors]


def two_spaces(a: int, b: int, n: int = 500, noise: float = 0.05) -> Pair:
    """Return what two models of `a` and `b` dimensions make of the same n texts, which have 12 traits."""
    rng = np.random.default_rng(a * b)
    texts = rng.standard_normal((n, 12)) / np.sqrt(np.arange(1, 13))
    return tuple(  # type: ignore[return-value]
        normalize(texts @ rng.standard_normal((12, d)) / 4 + 0.3 + noise * rng.standard_normal((n, d))) for d in (a, b)
    )


def spaces(spec: str, a: int, b: int, n: int = 500) -> Pair:
    """Return two spaces as `two_spaces` does; for an adapter, queries and documents in one space."""
    X, Y = two_spaces(a, b, n)
    if not spec.startswith("adapter"):
        return X, Y
    return X, normalize(X[:, ::-1] + 2 * X)


@pytest.fixture(params=SPECS)
def spec(request: pytest.FixtureRequest) -> str:
    if str(request.param).startswith(("mlp", "adapter")):
        pytest.importorskip("torch")
    return str(request.param)


@pytest.mark.parametrize(("a", "b"), [(24, 24), (30, 20), (20, 30)])
def test_translated_vectors_find_their_own_text(spec: str, a: int, b: int) -> None:
    X, Y = spaces(spec, a, b)
    fitted = translator(spec)
    assert fitted.fit(X[:400], Y[:400]) is fitted
    Z = fitted.transform(X[400:])
    assert Z.dtype == np.float32
    assert Z.shape == (100, Y.shape[1])
    np.testing.assert_allclose(np.linalg.norm(Z, axis=1), 1, atol=1e-5)
    found = (Z @ Y[400:].T).argmax(axis=1) == np.arange(100)
    # a mean alone would find one in a hundred
    assert found.mean() > 0.25
    assert (fitted.input_dimensions_, fitted.output_dimensions_, fitted.pairs_) == (a, Y.shape[1], 400)


def test_same_seed_same_map(spec: str) -> None:
    X, Y = spaces(spec, 20, 24, 200)
    first, second = (translator(spec, seed=3).fit(X, Y).transform(X) for _ in range(2))
    assert np.array_equal(first, second)


def test_a_vector_is_translated_alike_alone_and_among_others(spec: str) -> None:
    X, Y = spaces(spec, 20, 24, 200)
    fitted = translator(spec).fit(X, Y)
    alone = np.vstack([fitted.transform(X[row : row + 1]) for row in range(20)])
    np.testing.assert_allclose(fitted.transform(X)[:20], alone, atol=1e-5)


def test_length_is_kept_where_the_target_has_lengths(spec: str) -> None:
    X, Y = spaces(spec, 20, 24, 300)
    Y = 5 * Y * np.linspace(0.5, 1.5, 300, dtype=np.float32)[:, None]
    fitted = translator(spec).fit(X, Y)
    assert not fitted.normalised_
    assert np.linalg.norm(fitted.transform(X), axis=1).std() > 1e-3


def test_round_trip_through_disk(spec: str, tmp_path: Path) -> None:
    X, Y = spaces(spec, 20, 24, 200)
    fitted = translator(spec, seed=1).fit(X, Y)
    fitted.source, fitted.target = "old", "new"
    fitted.save(tmp_path / "translator")
    fitted.save(tmp_path / "translator")
    loaded = load_translator(tmp_path / "translator")
    assert np.array_equal(loaded.transform(X), fitted.transform(X))
    for name in ("spec", "seed", "source", "target", "pairs_", "normalised_", "translator_bytes"):
        assert getattr(loaded, name) == getattr(fitted, name)


def test_takes_float16_and_unit_views(spec: str) -> None:
    X, Y = spaces(spec, 20, 24, 200)
    fitted = translator(spec).fit(X.astype(np.float16), Y)
    view = EmbeddingSet(3 * X).unit
    np.testing.assert_allclose(fitted.transform(view), fitted.transform(X), atol=1e-5)


def test_wrong_use_is_one_clear_sentence(spec: str, tmp_path: Path) -> None:
    X, Y = spaces(spec, 20, 24, 100)
    unfitted = translator(spec)
    for use in (lambda: unfitted.transform(X), lambda: unfitted.save(tmp_path / "translator")):
        with pytest.raises(VecsmithError, match="not fitted"):
            use()
    assert not (tmp_path / "translator").exists()
    with pytest.raises(VecsmithError, match="100 source and 99 target"):
        translator(spec).fit(X, Y[:99])
    with pytest.raises(VecsmithError, match="too few"):
        translator(spec).fit(X[:3], Y[:3])
    broken = X.copy()
    broken[17, 3] = np.nan
    with pytest.raises(VecsmithError, match=r"source vectors .* row 17"):
        translator(spec).fit(broken, Y)
    fitted = translator(spec).fit(X, Y)
    with pytest.raises(VecsmithError, match="takes vectors of 20 dimensions"):
        fitted.transform(Y[:, :7])
    with pytest.raises(VecsmithError, match="row 17"):
        fitted.transform(broken)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    X, Y = two_spaces(20, 24, 100)
    folder = tmp_path / "translator"
    translator("linear").fit(X, Y).save(folder)
    assert json.loads((folder / "config.json").read_text())["kind"] == "translator"
    weights = (folder / "weights.safetensors").read_bytes()
    (folder / "weights.safetensors").write_bytes(weights[:-4] + b"1234")
    with pytest.raises(VecsmithError, match="damaged"):
        load_translator(folder)
    occupied = tmp_path / "notes"
    occupied.mkdir()
    # a model's folder has a config.json too
    for content in ("{}", "[]", '{"kind": "codec"}'):
        (occupied / "config.json").write_text(content)
        with pytest.raises(VecsmithError, match="already holds something else"):
            translator("linear").fit(X, Y).save(occupied)


def test_weights_of_another_translator_are_refused() -> None:
    X, Y = two_spaces(20, 24, 100)
    fitted = translator("local4").fit(X, Y)
    config = {"source": "", "target": "", "normalised": True, "pairs": 100}
    config |= {"input_dimensions": 20, "output_dimensions": 24}
    weights = {name: getattr(fitted, name) for name in fitted.state}
    assert np.array_equal(translator("local4").restore(config, weights).transform(X), fitted.transform(X))
    with pytest.raises(ValueError, match="mean_"):
        translator("linear").restore(config, weights)


def test_affine_translators_take_mean_to_mean() -> None:
    X, Y = two_spaces(20, 24)
    Y = 3 * Y
    for spec in ("procrustes", "linear", "canonical"):
        fitted = translator(spec).fit(X, Y)
        np.testing.assert_allclose(fitted.transform(X.mean(axis=0)[None])[0], Y.mean(axis=0), atol=1e-5)


def test_more_vectors_than_a_block_and_none_are_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    X, Y = two_spaces(20, 24, 100)
    fitted = translator("linear").fit(X, Y)
    together = fitted.transform(X)
    monkeypatch.setattr("vecsmith.translators.base.TRANSLATION_BLOCK_ROWS", 32)
    np.testing.assert_allclose(fitted.transform(X), together, atol=1e-6)
    assert fitted.transform(X[:0]).shape == (0, 24)
    # finite, though their squares are not
    huge = fitted.transform(1e25 * X)
    assert np.isfinite(huge).all()
    X[77] = np.inf
    with pytest.raises(VecsmithError, match="row 77"):
        fitted.transform(X)


def test_unknown_specs_name_the_nearest() -> None:
    with pytest.raises(VecsmithError, match="procrustes"):
        translator("procrustean")
    with pytest.raises(VecsmithError, match="choose from 1 to 20"):
        translator("linear:rank21").fit(*two_spaces(20, 24, 100))
    with pytest.raises(VecsmithError, match="1 to 100 clusters"):
        translator("local101").fit(*two_spaces(20, 24, 100))


@pytest.mark.parametrize(("a", "b"), [(20, 20), (20, 30), (30, 20)])
def test_procrustes_is_semi_orthogonal_and_scipy_agrees(a: int, b: int) -> None:
    scipy = pytest.importorskip("scipy.linalg")
    X, Y = two_spaces(a, b)
    fitted = translator("procrustes").fit(X, Y)
    W = fitted.weights_.astype(float)  # type: ignore[attr-defined]
    gram = W @ W.T if a <= b else W.T @ W
    np.testing.assert_allclose(gram, np.eye(min(a, b)), atol=1e-5)
    if a == b:
        R, _ = scipy.orthogonal_procrustes(X - X.mean(axis=0), Y - Y.mean(axis=0))
        np.testing.assert_allclose(W, R, atol=1e-3)


def test_linear_is_ridge_regression() -> None:
    ridge = pytest.importorskip("sklearn.linear_model")
    X, Y = two_spaces(20, 30)
    fitted: Any = translator("linear").fit(X, Y)
    penalty = fitted.ridge_ * np.square(X - X.mean(axis=0)).sum()
    expected = ridge.Ridge(penalty).fit(X.astype(float), Y.astype(float))
    np.testing.assert_allclose(fitted.weights_, expected.coef_.T, atol=1e-4)
    np.testing.assert_allclose(fitted.transform(X), normalize(expected.predict(X)), atol=1e-4)


def test_low_rank_is_low_and_full_rank_is_the_same() -> None:
    X, Y = two_spaces(20, 30)
    full, whole, low = (translator(spec).fit(X, Y) for spec in ("linear", "linear:rank20", "linear:rank5"))
    assert np.linalg.matrix_rank(low.weights_.astype(float), tol=1e-4) == 5  # type: ignore[attr-defined]
    np.testing.assert_allclose(whole.transform(X), full.transform(X), atol=1e-4)
    errors = [np.square(fitted.transform(X) - Y).sum() for fitted in (full, translator("linear:rank10").fit(X, Y), low)]
    assert errors == sorted(errors)


def test_canonical_evens_out_what_ridge_shrinks() -> None:
    X, Y = two_spaces(30, 30, noise=0.2)
    spread = []
    for spec in ("linear", "canonical"):
        values = np.linalg.svd((translator(spec).fit(X, Y).transform(X) - Y.mean(axis=0)).astype(float))[1] ** 2
        spread.append(values.sum() ** 2 / np.square(values).sum())
    # participation ratio: how many dimensions the translated vectors fill
    assert spread[1] > 1.1 * spread[0]


def bent(n: int = 1500) -> Pair:
    """Return two spaces of which the second bends the first."""
    X, Y = two_spaces(12, 12, n, 0.0)
    return X, normalize(Y + 2 * np.abs(Y - Y.mean(axis=0)))


@pytest.mark.parametrize("spec", ["mlp1x8", "mlp2x4", "mlp1x8:cosine", "local8"])
def test_what_bends_predicts_a_bent_space_better_than_a_line(spec: str) -> None:
    if spec.startswith("mlp"):
        pytest.importorskip("torch")
    X, Y = bent()
    errors = [
        np.square(translator(s).fit(X[:1200], Y[:1200]).transform(X[1200:]) - Y[1200:]).sum() for s in (spec, "linear")
    ]
    assert errors[0] < 0.95 * errors[1]


@pytest.mark.parametrize("spec", ["mlp1", "mlp2:cosine", "local4"])
def test_where_nothing_bends_the_linear_map_is_kept(spec: str) -> None:
    if spec.startswith("mlp"):
        pytest.importorskip("torch")
    X, Y = two_spaces(24, 24, 400, noise=0.3)
    errors = [
        np.square(translator(s).fit(X[:300], Y[:300]).transform(X[300:]) - Y[300:]).sum() for s in (spec, "linear")
    ]
    assert errors[0] < 1.03 * errors[1]


def test_networks_say_which_extra_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_torch(name: str, *arguments: Any, **options: Any) -> Any:
        if name.split(".")[0] == "torch":
            raise ImportError("No module named 'torch'")
        return real(name, *arguments, **options)

    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    monkeypatch.setattr(builtins, "__import__", without_torch)
    with pytest.raises(VecsmithError, match=r"vecsmith\[train\]"):
        translator("mlp1").fit(*two_spaces(20, 24, 100))


def test_sets_are_joined_by_id() -> None:
    X, Y = two_spaces(20, 24, 100)
    source = EmbeddingSet(X[:4], ids=["a", "b", "c", "d"], texts=["A", "B", "C", "D"])
    target = EmbeddingSet(Y[:3], ids=["d", "x", "b"], texts=["D", "X", "B"])
    pairs = join(source, target)
    assert (pairs.source.tolist(), pairs.target.tolist()) == ([1, 3], [2, 0])
    assert (len(pairs), pairs.only_source, pairs.only_target) == (2, 2, 1)
    with pytest.raises(VecsmithError, match="no id in common"):
        join(source, EmbeddingSet(Y[:1], ids=["z"]))
    with pytest.raises(VecsmithError, match="different texts for the id 'd'"):
        join(source, EmbeddingSet(Y[:1], ids=["d"], texts=["another"]))


@pytest.mark.parametrize(("exponents", "like"), [((0, 0, 0), "procrustes"), ((0.5, 1, -0.5), "linear")])
def test_canonical_lies_between_a_rotation_and_ridge(
    exponents: tuple[float, float, float], like: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, exponent in zip(("WHITENING", "CORRELATION_POWER", "TARGET_WHITENING"), exponents, strict=True):
        monkeypatch.setattr(canonical, name, exponent)
    X, Y = two_spaces(20, 20)
    found, expected = (translator(spec).fit(X, Y).weights_ for spec in ("canonical", like))  # type: ignore[attr-defined]
    cosine = np.vdot(found, expected) / np.linalg.norm(found) / np.linalg.norm(expected)
    assert cosine == pytest.approx(1, abs=1e-3 if like == "procrustes" else 0.02)


class Killed(BaseException):
    """What ends a process."""


def fit_until(step: int, spec: str, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> tuple[Translator, int]:
    """Fit a translator that is killed after so many steps, and return it and how many it made."""
    made, fitted = 0, translator(spec)

    @contextmanager
    def killing(description: str, total: int) -> Iterator[Callable[..., None]]:
        def report(*losses: float) -> None:
            nonlocal made
            made += 1
            if made == step:
                raise Killed

        yield report

    with monkeypatch.context() as patched, suppress(Killed):
        patched.setattr("vecsmith.training.loop.losses", killing)
        fitted.fit(*pair)
    return fitted, made


@pytest.mark.parametrize("spec", ["mlp1", "mlp2:retrieval"])
def test_a_training_that_was_killed_goes_on_and_ends_as_one_that_was_not(
    spec: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    pair = two_spaces(20, 24)
    whole, steps = fit_until(-1, spec, pair, monkeypatch)
    assert steps > 6
    fit_until(5, spec, pair, monkeypatch)
    assert len(list((cache / "training").glob("*"))) == 1
    resumed, left = fit_until(-1, spec, pair, monkeypatch)
    assert left == steps - 4
    assert resumed.fingerprint == whole.fingerprint
    assert not list((cache / "training").glob("*"))


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_space_that_is_one_point_is_translated_to_numbers(spec: str, side: str) -> None:
    X, Y = spaces(spec, 20, 24, 100)
    (X if side == "source" else Y)[:] = 0.2
    translated = translator(spec).fit(X, Y).transform(two_spaces(20, 24, 100)[0])
    assert np.isfinite(translated).all()


def test_what_could_not_be_fitted_is_not_fitted() -> None:
    X, Y = two_spaces(20, 24, 100)
    unsuitable = translator("linear:rank21")
    with pytest.raises(VecsmithError, match="out of range"):
        unsuitable.fit(X, Y)
    with pytest.raises(VecsmithError, match="not fitted"):
        unsuitable.transform(X)
    with pytest.raises(
        VecsmithError, match=r"^The source vectors must have shape \(n, d\), not \(20,\); write X\[None\]"
    ):
        translator("linear").fit(X[0], Y[0, :20])


def test_codes_are_no_vectors() -> None:
    X, Y = two_spaces(20, 24, 100)
    codes, fitted = np.ones((100, 20), np.uint8), translator("linear").fit(X, Y)
    said = r"^The source vectors must be floats, not uint8 of shape \(100, 20\); codes have this dtype"
    with pytest.raises(VecsmithError, match=said):
        fitted.transform(codes)
    with pytest.raises(VecsmithError, match=said):
        translator("linear").fit(codes, Y)
    with pytest.raises(VecsmithError, match=r"^The target vectors must be floats, not int64"):
        translator("linear").fit(X, codes.astype(np.int64))
    with pytest.raises(VecsmithError, match=r"not complex128 of shape .*; give real numbers"):
        fitted.transform(X.astype(complex))


def test_any_seed_clusters() -> None:
    X, Y = two_spaces(20, 24, 100)
    assert translator("local4", seed=2**40).fit(X, Y).transform(X).shape == Y.shape


def test_other_vectors_of_the_same_rows_are_not_taken_for_those_translated_before(tmp_path: Path) -> None:
    X, Y = two_spaces(20, 24, 3000)
    fitted = translator("linear").fit(X, Y)
    first, other = EmbeddingSet(X), EmbeddingSet(X[::-1])
    translate_set(fitted, first, tmp_path / "done")
    assert len(translate_set(fitted, first, tmp_path / "done")) == 3000
    with pytest.raises(VecsmithError, match="already holds other vectors"):
        translate_set(fitted, other, tmp_path / "done")
    calibration = ScoreCalibration(0.9, np.eye(24, dtype=np.float32)[0])
    complete_set(fitted, calibration, first, EmbeddingSet(Y), tmp_path / "complete")
    with pytest.raises(VecsmithError, match="already holds other vectors"):
        complete_set(fitted, calibration, first, EmbeddingSet(Y[::-1]), tmp_path / "complete")


def test_an_interrupted_translation_goes_on_with_the_same_vectors_only(tmp_path: Path) -> None:
    X, Y = two_spaces(20, 24, SHARD_ROWS + 1000)
    fitted = translator("linear").fit(X, Y)
    whole = translate_set(fitted, EmbeddingSet(X), tmp_path / "whole")
    translate, blocks = fitted.transform, []

    def interrupted(block: np.ndarray) -> np.ndarray:
        if sum(blocks) >= SHARD_ROWS:
            raise KeyboardInterrupt
        blocks.append(len(block))
        return translate(block)

    fitted.transform = interrupted  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        translate_set(fitted, EmbeddingSet(X), tmp_path / "half")
    fitted.transform = translate  # type: ignore[method-assign]
    with pytest.raises(VecsmithError, match="already holds something else"):
        translate_set(fitted, EmbeddingSet(X[::-1]), tmp_path / "half")
    assert translate_set(fitted, EmbeddingSet(X), tmp_path / "half").fingerprint == whole.fingerprint


def test_level_lowers_scores_by_its_ratio_and_keeps_their_order() -> None:
    Y = normalize(np.random.default_rng(0).standard_normal((300, 16)).astype(np.float32))
    Y[:, 3] = 0  # no vector has it
    Y = normalize(Y)
    calibration = ScoreCalibration(0.8, np.eye(16, dtype=np.float32)[3])
    own = calibration.transform(Y[:200])
    np.testing.assert_allclose(np.linalg.norm(own, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(Y[200:] @ own.T, 0.8 * Y[200:] @ Y[:200].T, atol=1e-6)


def test_level_finds_how_much_lower_translations_score() -> None:
    rng = np.random.default_rng(0)
    Y = np.zeros((2000, 128), np.float32)
    Y[:, :8] = normalize(rng.standard_normal((2000, 8)).astype(np.float32))
    assert ScoreCalibration.fit(Y, Y).ratio == pytest.approx(1)
    # what is wrong in these is at right angles to all that is there
    Z = 0.8 * Y
    Z[:, 8:127] = 0.6 * normalize(rng.standard_normal((2000, 119)).astype(np.float32))
    calibration = ScoreCalibration.fit(Y, Z)
    assert calibration.ratio == pytest.approx(0.8, abs=1e-3)
    np.testing.assert_allclose(calibration.transform(Y) @ Y[0], Z @ Y[0], atol=1e-3)
    # translations that score higher cannot be met
    assert ScoreCalibration.fit(Z, Y).ratio <= 1


def test_own_vectors_do_not_push_translated_ones_away() -> None:
    X, Y = two_spaces(30, 30, 2000, noise=0.15)
    known, queries, others = np.arange(500), np.arange(500, 700), np.arange(700, 2000)
    fitted = translator("procrustes").fit(X[known], Y[known])
    halves = [
        translator("procrustes").fit(X[a], Y[a]).transform(X[b])
        for a, b in (np.split(known, 2), np.split(known, 2)[::-1])
    ]
    calibration = ScoreCalibration.fit(Y[known], np.vstack(halves[::-1]))
    true = np.argsort(-(Y[queries] @ np.vstack([Y[known], Y[others]]).T))[:, :10]

    def share(own: Vectors) -> float:
        found = np.argsort(-(Y[queries] @ np.vstack([own, fitted.transform(X[others])]).T))[:, :10]
        return float((found < 500).mean())

    wanted = float((true < 500).mean())
    assert abs(share(calibration.transform(Y[known])) - wanted) < 0.7 * abs(share(Y[known]) - wanted)
