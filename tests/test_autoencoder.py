"""Autoencoders: what they promise beyond the contract."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

import vecsmith
from vecsmith.cli import app
from vecsmith.codecs.reducers.autoencoder import PRESETS, Autoencoder
from vecsmith.codecs.stages import Reducer
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.compare import compare
from vecsmith.files import cache_folder

torch = pytest.importorskip("torch")

Vectors = NDArray[np.float32]
NAMES = list(PRESETS)


def reducer(spec: str, X: Vectors, seed: int = 0) -> Reducer:
    return vecsmith.codec(spec, seed).fit(X).reducers[0]


def rank_error(stage: Reducer, X: Vectors, seed: int = 1) -> float:
    """Return how far scores of reduced vectors are from those of the vectors, up to their mean and spread."""
    rng = np.random.default_rng(seed)
    Q = X + rng.standard_normal(X.shape).astype(np.float32) / X.shape[1] ** 0.5
    found = stage.project_queries(Q)[0] @ stage.transform(X).T
    return 1 - float(np.corrcoef(found.ravel(), (Q @ X.T).ravel())[0, 1])


@pytest.mark.parametrize("name", NAMES)
def test_reduced_vectors_have_unit_length_and_the_decoder_is_what_queries_meet(name: str, vectors: Vectors) -> None:
    stage = reducer(f"autoencoder12:{name}", vectors[:400])
    Z = stage.transform(vectors[400:])
    assert Z.shape == (200, 12)
    np.testing.assert_allclose(np.linalg.norm(Z, axis=1), 1, atol=1e-5)
    projected, offset = stage.project_queries(vectors[:50])
    np.testing.assert_allclose(
        projected @ Z.T + offset[:, None], vectors[:50] @ stage.inverse_transform(Z).T, atol=1e-5
    )


@pytest.mark.parametrize("name", NAMES)
def test_saved_codecs_describe_their_architecture(name: str, vectors: Vectors, tmp_path: Path) -> None:
    codec = vecsmith.codec(f"autoencoder12/6:{name},int8", seed=2).fit(vectors)
    codec.save(tmp_path / "codec")
    loaded = vecsmith.load_codec(tmp_path / "codec")
    assert np.array_equal(loaded.encode(vectors), codec.encode(vectors))
    assert np.array_equal(loaded.reduce_queries(vectors)[0], codec.reduce_queries(vectors)[0])


def test_networks_encode_as_they_were_trained(vectors: Vectors) -> None:
    stage = reducer("autoencoder12:mlp2", vectors)
    assert isinstance(stage, Autoencoder)
    x = torch.from_numpy(vectors)
    layers = [torch.from_numpy(array) for array in (stage.first_, stage.second_, stage.out_)]
    biases = [torch.from_numpy(array) for array in (stage.first_bias_, stage.second_bias_)]
    hidden = x
    for layer, bias in zip(layers, biases, strict=False):
        hidden = torch.nn.functional.gelu(hidden @ layer + bias, approximate="tanh")
    z = x @ torch.from_numpy(stage.skip_) + hidden @ layers[2] + torch.from_numpy(stage.bias_)
    np.testing.assert_allclose(stage.transform(vectors), torch.nn.functional.normalize(z).numpy(), atol=1e-4)


def test_training_on_the_reconstruction_comes_nearer_than_its_start(vectors: Vectors) -> None:
    train, test = vectors[:400], vectors[400:]
    errors = {}
    for spec in ("autoencoder12", "autoencoder12:mse"):
        stage = reducer(spec, train)
        errors[spec] = float(((stage.inverse_transform(stage.transform(test)) - test) ** 2).sum(axis=1).mean())
    assert errors["autoencoder12:mse"] < errors["autoencoder12"] - 0.01


def test_nested_widths_make_prefixes_better(vectors: Vectors) -> None:
    train, test = vectors[:400], vectors[400:]
    errors = []
    for spec in ("autoencoder20:mlp1", "autoencoder20/5:mlp1"):
        codec = vecsmith.codec(f"{spec},truncate5").fit(train)
        codec_error = 0.0
        for seed in range(3):
            rng = np.random.default_rng(seed)
            Q = test + rng.standard_normal(test.shape).astype(np.float32) / 40**0.5
            found = codec.reduce_queries(Q)[0] @ codec.reducers[1].transform(codec.reducers[0].transform(test)).T
            codec_error += 1 - float(np.corrcoef(found.ravel(), (Q @ test.T).ravel())[0, 1])
        errors.append(codec_error)
    assert errors[1] < errors[0] + 0.02


def test_whitened_pca_is_also_called_autoencoder_as_in_saved_codecs(vectors: Vectors, tmp_path: Path) -> None:
    codec, old = (vecsmith.codec(f"{name}12/6,int8").fit(vectors) for name in ("whitened-pca", "AutoEncoder"))
    assert (codec.spec, old.spec) == ("whitened-pca12/6,int8", "autoencoder12/6,int8")
    old.save(tmp_path / "codec")
    loaded = vecsmith.load_codec(tmp_path / "codec")
    assert loaded.spec == old.spec
    assert np.array_equal(loaded.encode(vectors), codec.encode(vectors))


class Killed(BaseException):
    """What ends a process."""


def fit_until(step: int, spec: str, X: Vectors, monkeypatch: pytest.MonkeyPatch, seed: int = 0) -> int:
    """Fit a codec that is killed after so many steps, and return how many it made."""
    made = 0

    @contextmanager
    def killing(description: str, total: int) -> Iterator[Callable[..., None]]:
        def report(loss: float, held_out: float | None = None) -> None:
            nonlocal made
            made += 1
            if made == step:
                raise Killed

        yield report

    with monkeypatch.context() as patched:
        patched.setattr("vecsmith.training.loop.losses", killing)
        with suppress(Killed):
            vecsmith.codec(spec, seed).fit(X)
    return made


def trainings() -> list[Path]:
    return sorted((cache_folder() / "training").glob("*"))


@pytest.mark.parametrize("spec", ["autoencoder12:mlp1", "autoencoder12/6:untied", "adaptor20"])
def test_a_training_that_was_killed_goes_on_and_ends_as_one_that_was_not(
    spec: str, vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = vecsmith.codec(spec).fit(vectors)
    assert not trainings()
    assert fit_until(8, spec, vectors, monkeypatch) == 8
    assert len(trainings()) == 1
    assert fit_until(5, spec, vectors, monkeypatch) == 5
    left = fit_until(-1, spec, vectors[:], monkeypatch)
    assert not trainings()
    assert 0 < left <= 20 - 7 - 4
    fit_until(8, spec, vectors, monkeypatch)
    resumed = vecsmith.codec(spec).fit(vectors)
    for name in whole.stages[0].state:
        assert np.array_equal(getattr(resumed.stages[0], name), getattr(whole.stages[0], name)), name


def test_only_the_same_training_goes_on(vectors: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = "autoencoder12:untied"
    fit_until(8, spec, vectors, monkeypatch)
    for other, X, seed in ((spec, vectors, 1), (spec, vectors[1:], 0), ("autoencoder12:cosine", vectors, 0)):
        fit_until(3, other, X, monkeypatch, seed)
    assert len(trainings()) == 4


def test_a_damaged_state_of_a_training_is_ignored(vectors: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = "autoencoder12:mlp1"
    whole = vecsmith.codec(spec).fit(vectors).decode
    for name in ("state.json", "tensors.safetensors"):
        fit_until(8, spec, vectors, monkeypatch)
        file = trainings()[0] / name
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
        codec = vecsmith.codec(spec).fit(vectors)
        assert np.array_equal(codec.decode(codec.encode(vectors)), whole(codec.encode(vectors)))
        assert not trainings()


def test_a_training_that_cannot_be_saved_goes_on(vectors: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    cache_folder().mkdir(exist_ok=True)
    (cache_folder() / "training").write_text("no folder")
    assert fit_until(-1, "autoencoder12:untied", vectors, monkeypatch) > 5


def test_who_watches_a_training_sees_all_of_it(vectors: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    fit_until(8, "autoencoder12:linear", vectors, monkeypatch)
    seen: list[list[float]] = [[], []]
    for losses in seen:
        codec = vecsmith.codec("autoencoder12:linear")
        stage = codec.stages[0]
        assert isinstance(stage, Autoencoder)
        stage.watch = lambda checkpoint, loss, losses=losses: losses.append(loss)  # type: ignore[misc]
        codec.fit(vectors)
    assert len(seen[0]) > 5
    assert seen[0] == seen[1]


def test_validation_vectors_are_what_a_training_is_judged_by(vectors: Vectors) -> None:
    train, validation = vectors[:400], vectors[400:]
    codec = vecsmith.codec("autoencoder12:mse")
    stage = codec.stages[0]
    assert isinstance(stage, Autoencoder)
    seen: list[tuple[Autoencoder, float]] = []
    stage.watch = lambda checkpoint, loss: seen.append((checkpoint, loss))
    codec.fit(train, validation=validation)
    for checkpoint, loss in seen:
        left = checkpoint.inverse_transform(checkpoint.transform(validation)) - validation
        assert loss == pytest.approx((left**2).sum(axis=1).mean(), rel=1e-4)
    best, _ = min(seen, key=lambda found: found[1])
    assert np.array_equal(stage.skip_, best.skip_)


def test_validation_vectors_pass_through_what_comes_first(vectors: Vectors) -> None:
    codec = vecsmith.codec("pca20,autoencoder5:mse,int8").fit(vectors[:400], validation=vectors[400:])
    same = vecsmith.codec("autoencoder5:mse")
    first = codec.reducers[0]
    same.fit(first.transform(vectors[:400]), validation=first.transform(vectors[400:]))
    assert np.array_equal(same.stages[0].skip_, codec.stages[1].skip_)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("spec", "validation", "message"),
    [
        ("pca8,int8", np.ones((5, 40)), "autoencoderK:linear"),
        ("autoencoder8:linear", np.ones((5, 39)), r"\(5, 39\)"),
        ("autoencoder8:linear", np.ones((0, 40)), r"\(0, 40\)"),
        ("autoencoder8", np.full((5, 40), np.nan), "validation vectors have a NaN or infinite value in row 0"),
    ],
)
def test_validation_vectors_that_do_not_suit_are_refused(
    spec: str, validation: Vectors, message: str, vectors: Vectors
) -> None:
    with pytest.raises(VecsmithError, match=message):
        vecsmith.codec(spec).fit(vectors, validation=validation)


def test_fit_takes_validation_vectors(vectors: Vectors, tmp_path: Path) -> None:
    np.save(tmp_path / "training.npy", vectors[:400])
    np.save(tmp_path / "others.npy", vectors[400:])
    out = tmp_path / "codec"

    def fit(spec: str) -> Result:
        files = ["--vectors", str(tmp_path / "training.npy"), "--validation", str(tmp_path / "others.npy")]
        return CliRunner().invoke(app, ["fit", spec, *files, "--out", str(out)])

    assert "not used" not in fit("autoencoder12:mlp1").output
    expected = vecsmith.codec("autoencoder12:mlp1").fit(vectors[:400], validation=vectors[400:])
    # the command scales its vectors to unit length once more
    np.testing.assert_allclose(
        vecsmith.load_codec(out).reducers[0].transform(vectors), expected.reducers[0].transform(vectors), atol=1e-3
    )
    assert "--validation was not used" in fit("autoencoder12,int8").output
    assert isinstance(fit("int8").exception, VecsmithError)


def test_a_start_needs_no_torch(vectors: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(module: str, extra: str) -> None:
        raise AssertionError(f"{module} is not needed")

    monkeypatch.setattr("vecsmith.training.reduction.require", refuse)
    assert rank_error(reducer("autoencoder40", vectors), vectors) < 0.2


def test_few_equal_or_constant_vectors_can_still_be_reduced() -> None:
    constant = np.random.default_rng(0).standard_normal((50, 40)).astype(np.float32)
    constant[:, [3, 7]] = 0
    for X in (np.full((30, 40), 40**-0.5, np.float32), np.eye(3, 40, dtype=np.float32), constant):
        for name in ("", ":linear", ":mlp2", ":mse"):
            codec = vecsmith.codec(f"autoencoder5{name}").fit(X)
            assert np.isfinite(codec.decode(codec.encode(X))).all()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("autoencoder0", "1 to 40 dimensions"),
        ("autoencoder41", "1 to 40 dimensions"),
        ("autoencoder8/16", "largest first"),
        ("autoencoder16/0", "1 to 40 dimensions"),
        ("autoencoder16:mlp3", "mlp"),
    ],
)
def test_what_does_not_suit_is_refused(spec: str, message: str, vectors: Vectors) -> None:
    with pytest.raises(VecsmithError, match=message):
        vecsmith.codec(spec).fit(vectors)


@pytest.mark.data
@pytest.mark.slow
def test_keeps_more_than_pca_on_scifact(beir: Callable[[str], Path]) -> None:
    results = compare([str(beir("scifact"))], ["vectors:potion"], ["pca64", "autoencoder64"])
    retention = {result.codec: result.retention for result in results}
    assert retention["autoencoder64"] > retention["pca64"] + 0.02
