"""Thresholds, groups and networks: what their codes promise beyond the contract."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from vecsmith import training
from vecsmith.codecs import options
from vecsmith.codecs.quantizers.grouped import Grouped, _group
from vecsmith.errors import VecsmithError

pytest.importorskip("torch")

Vectors = NDArray[np.float32]
TRAINED = ["thresholds", "grouped3B", "neural4B"]


def cosine(spec: str, train: Vectors, test: Vectors) -> float:
    codec = vecsmith.codec(spec).fit(train)
    decoded = codec.decode(codec.encode(test))
    return float(((decoded * test).sum(axis=1) / np.linalg.norm(decoded, axis=1)).mean())


@pytest.mark.parametrize("spec", TRAINED)
def test_codes_stand_for_unit_vectors(spec: str, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    np.testing.assert_allclose(np.linalg.norm(codec.decode(codec.encode(vectors)), axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("spec", TRAINED)
def test_few_equal_or_constant_vectors_can_still_be_coded(spec: str) -> None:
    constant = np.random.default_rng(0).standard_normal((50, 40)).astype(np.float32)
    constant[:, [3, 7]] = 0
    for X in (np.full((30, 40), 40**-0.5, np.float32), np.eye(3, 40, dtype=np.float32), constant):
        codec = vecsmith.codec(spec).fit(X)
        assert np.isfinite(codec.decode(codec.encode(X))).all()


def test_thresholds_are_nearer_than_signs(vectors: Vectors) -> None:
    train, test = vectors[:400], vectors[400:]
    assert cosine("thresholds", train, test) > cosine("binary", train, test) + 0.02


def test_a_network_is_near_what_it_starts_from(vectors: Vectors) -> None:
    train, test = vectors[:400], vectors[400:]
    assert cosine("neural5B", train, test) > cosine("binary-autoencoder5B", train, test) - 0.02
    assert cosine("neural5B", train, test) > cosine("binary", train, test)


@pytest.mark.parametrize(("bits", "single", "size"), [(24, 8, 2), (20, 0, 2), (16, 4, 3), (8, 0, 5), (39, 38, 2)])
def test_groups_hold_every_dimension_once_and_the_first_alone(
    bits: int, single: int, size: int, vectors: Vectors
) -> None:
    members, orientation = _group(vectors, bits)
    assert members.shape == (bits, size)
    groups = [set(group.tolist()) for group in members]
    assert sorted(i for group in groups for i in group) == list(range(40))
    assert groups[:single] == [{i} for i in range(single)]
    assert all(len(group) > 1 for group in groups[single:])
    assert set(orientation.tolist()) <= {-1.0, 1.0}


def test_groups_are_of_dimensions_that_correlate() -> None:
    rng = np.random.default_rng(0)
    source = rng.standard_normal((500, 8))
    X = np.hstack([source, -source + 0.1 * rng.standard_normal((500, 8))]).astype(np.float32)
    members, orientation = _group(X, 8)
    assert {frozenset(group) for group in members.tolist()} == {frozenset((i, i + 8)) for i in range(8)}
    assert (orientation[:8] * orientation[8:] == -1).all()


def test_a_shared_bit_is_zero_where_all_are_below(vectors: Vectors) -> None:
    stage = vecsmith.codec("grouped3B").fit(vectors).quantizer
    assert isinstance(stage, Grouped)
    above = vectors * stage.orientation_ > stage.threshold_
    for group, bit in zip(stage.members_, stage.bits(vectors).T, strict=True):
        assert np.array_equal(bit, above[:, group].any(axis=1))


@pytest.mark.parametrize("spec", ["grouped0B", "grouped5B", "neural0B"])
def test_sizes_that_do_not_suit(spec: str, vectors: Vectors) -> None:
    with pytest.raises(VecsmithError, match=r"1 to 4 bytes|a byte or more"):
        vecsmith.codec(spec).fit(vectors)


OPTIONS = ["steps=40", "batch=64", "learning_rate=0.5", "weight_decay=50", "relaxation=tanh", "relaxation=gumbel"]


@pytest.mark.parametrize("option", [*OPTIONS, "starts=1"])
@pytest.mark.parametrize("spec", ["thresholds", "grouped3B", "neural3B", "autoencoder8:mlp1", "adaptor8"])
def test_training_options_are_used_and_saved(spec: str, option: str, vectors: Vectors, tmp_path: Path) -> None:
    if option.partition("=")[0] not in vecsmith.codec(spec).stages[0].takes:
        with pytest.raises(VecsmithError, match=f"Unknown option of {spec} '{option.partition('=')[0]}'"):
            vecsmith.codec(f"{spec}({option})")
        return
    default, codec = vecsmith.codec(spec, 2).fit(vectors), vecsmith.codec(f"{spec}({option})", 2).fit(vectors)
    assert not np.array_equal(codec.decode(codec.encode(vectors)), default.decode(default.encode(vectors)))
    codec.save(tmp_path / "codec")
    loaded = vecsmith.load_codec(tmp_path / "codec")
    assert loaded.spec == codec.spec == f"{spec}({option})"
    assert loaded.stages[0].options == codec.stages[0].options != {}
    assert np.array_equal(loaded.encode(vectors), codec.encode(vectors))


@pytest.mark.parametrize(
    ("option", "steps"), [("steps=7", 7), ("steps=60", 60), ("steps=60,batch=10", 60), ("batch=300", 54)]
)
def test_steps_that_are_given_are_not_lowered_for_few_vectors(option: str, steps: int, vectors: Vectors) -> None:
    stage = vecsmith.codec(f"autoencoder8:linear({option})").stages[0]
    assert stage._training_settings().steps_for(540) == steps


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("pca16(steps=5)", "pca16 takes no training options"),
        ("autoencoder16(steps=5)", "autoencoder16 takes no training options"),
        ("adaptor16(rate=5)", "Unknown option of adaptor16 'rate': did you mean 'learning_rate'"),
        ("adaptor16(steps)", "steps of adaptor16 must be a whole number of 1 or more, not ''"),
        ("adaptor16(steps=0)", "steps of adaptor16 must be a whole number of 1 or more, not '0'"),
        ("adaptor16(steps=1.5)", "not '1.5'"),
        ("adaptor16(learning_rate=nan)", "learning_rate of adaptor16 must be a number above 0, not 'nan'"),
        ("adaptor16(weight_decay=-1)", "weight_decay of adaptor16 must be a number of 0 or more"),
        ("adaptor16(steps=5,steps=6)", "given the option steps twice"),
        ("thresholds(relaxation=soft)", "must be one of straight-through, sigmoid"),
        ("binary+thresholds(relaxation=soft)", "relaxation of thresholds must be one of"),
    ],
)
def test_options_that_do_not_suit(spec: str, message: str) -> None:
    with pytest.raises(VecsmithError, match=message):
        vecsmith.codec(spec)


def test_every_relaxation_that_a_spec_may_name_is_there() -> None:
    assert tuple(training.RELAXATIONS) == options.RELAXATIONS
