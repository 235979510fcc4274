"""Thresholds, groups and networks: what their codes promise beyond the contract."""

import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from vecsmith.codecs.grouped import Grouped, _group
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
    stage = vecsmith.codec("grouped3B").fit(vectors).quantiser
    assert isinstance(stage, Grouped)
    above = vectors * stage.orientation_ > stage.threshold_
    for group, bit in zip(stage.members_, stage.bits(vectors).T, strict=True):
        assert np.array_equal(bit, above[:, group].any(axis=1))


@pytest.mark.parametrize("spec", ["grouped0B", "grouped5B", "neural0B"])
def test_sizes_that_do_not_suit(spec: str, vectors: Vectors) -> None:
    with pytest.raises(VecsmithError, match=r"1 to 4 bytes|a byte or more"):
        vecsmith.codec(spec).fit(vectors)
