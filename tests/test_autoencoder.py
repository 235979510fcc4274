"""Auto-encoders: what they promise beyond the contract."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from vecsmith.codecs.autoencoder import PRESETS, Autoencoder
from vecsmith.codecs.base import Reducer
from vecsmith.errors import VecsmithError
from vecsmith.studies import compare

torch = pytest.importorskip("torch")

Vectors = NDArray[np.float32]
NAMES = [name for name in PRESETS if isinstance(name, str)]


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
