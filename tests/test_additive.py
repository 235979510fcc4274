"""Additive codes: their descent, their codebooks, their search, and their place among the codes of their bytes."""

import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from oracles import asymmetric_scores
from vecsmith.codecs.quantizers import additive
from vecsmith.codecs.quantizers.hybrid import Hybrid
from vecsmith.errors import VecsmithError

Vectors = NDArray[np.float32]


def squared_errors(X: Vectors, entries: Vectors, groups: NDArray[np.uint8]) -> NDArray[np.float32]:
    return ((X - entries[np.arange(len(entries)), groups].sum(axis=1)) ** 2).sum(axis=1)


def cosine(spec: str, train: Vectors, test: Vectors) -> float:
    codec = vecsmith.codec(spec).fit(train)
    decoded = codec.decode(codec.encode(test))
    return float(((decoded * test).sum(axis=1) / np.linalg.norm(decoded, axis=1)).mean())


@pytest.mark.parametrize("empty", [False, True])
def test_descent_is_that_of_one_group_after_the_other(empty: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    entries = rng.standard_normal((6, 16, 11)).astype(np.float32)
    X = 3 * rng.standard_normal((37, 11)).astype(np.float32)
    start = np.full((37, 6), additive.NO_ENTRY, np.uint8) if empty else rng.integers(16, size=(37, 6)).astype(np.uint8)
    with_none = np.concatenate([entries, np.zeros((6, 1, 11))], axis=1)
    expected = start.copy()
    for _ in range(3):
        for group in range(6):
            others = np.delete(np.arange(6), group)
            left = X - with_none[others, expected[:, others]].sum(axis=1)
            expected[:, group] = ((left[:, None] - entries[group]) ** 2).sum(axis=2).argmin(axis=1)
    for groups, vectors in ((4, 1024), (1, 10), (6, 7)):
        monkeypatch.setattr(additive, "BLOCK_GROUPS", groups)
        monkeypatch.setattr(additive, "CACHE_BLOCK_ROWS", vectors)
        assert np.array_equal(additive._descend(X, entries, start, 3), expected)


def test_descent_never_goes_up(vectors: Vectors) -> None:
    stage = vecsmith.codec("additive5B").fit(vectors).quantizer
    centered = vectors - stage.mean_
    nothing = np.full((len(vectors), stage.n_groups), additive.NO_ENTRY, np.uint8)
    errors = [
        squared_errors(centered, stage.entries_, additive._descend(centered, stage.entries_, nothing, sweeps))
        for sweeps in range(1, 7)
    ]
    assert (np.diff(np.array(errors), axis=0) < 1e-5).all()


def test_without_learning_a_vector_is_encoded_as_by_the_levels_it_starts_from(vectors: Vectors) -> None:
    hybrid = Hybrid(5).fit(vectors)
    nothing = np.full((len(vectors), 10), additive.NO_ENTRY, np.uint8)
    found = additive._descend(vectors - hybrid.mean_, hybrid.entries, nothing, 1)
    assert (found == hybrid.groups(vectors)).mean() > 0.999


def test_a_heavy_ridge_keeps_the_start_and_a_light_one_fits_better(
    vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    hybrid = Hybrid(5).fit(vectors)
    centered, groups = vectors - hybrid.mean_, hybrid.groups(vectors)
    errors = []
    for ridge in (1e9, 100.0, 1.0):
        monkeypatch.setattr(additive, "RIDGE", ridge)
        entries = additive._updated_entries(hybrid.entries, groups, centered)
        errors.append(squared_errors(centered, entries, groups).mean())
        if ridge == 1e9:
            np.testing.assert_allclose(entries, hybrid.entries, atol=1e-4)
    assert errors == sorted(errors, reverse=True)


@pytest.fixture
def clustered() -> Vectors:
    """Return 2,000 unit vectors around 100 centers: more structure than components show."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 40))[rng.integers(100, size=2000)] + 0.4 * rng.standard_normal((2000, 40))
    return np.asarray(X / np.linalg.norm(X, axis=1, keepdims=True), dtype=np.float32)


def test_nearer_than_the_levels_it_starts_from_and_than_product_codes(clustered: Vectors) -> None:
    train, test = clustered[:1500], clustered[1500:]
    ours = cosine("additive5B", train, test)
    for rival in ("hybrid5B", "median", "faiss:PQ10x4", "faiss:OPQ10,PQ10x4"):
        assert ours > cosine(rival, train, test) + 0.01, rival


def test_more_bytes_are_nearer(vectors: Vectors) -> None:
    cosines = [cosine(f"additive{size}B", vectors[:400], vectors[400:]) for size in (1, 3, 5, 10)]
    assert cosines == sorted(cosines)


@pytest.mark.parametrize("size", [1, 5, 9])
def test_index_finds_what_cosines_of_all_documents_find(size: int, vectors: Vectors) -> None:
    documents, queries = vectors[:500], vectors[500:]
    codec = vecsmith.codec(f"additive{size}B").fit(documents)
    codes = codec.encode(documents)
    oracle = asymmetric_scores(codec, queries, codes)
    scores, rows = vecsmith.Index(codec, codes).search(queries, 10)
    np.testing.assert_allclose(scores, np.take_along_axis(oracle, rows, axis=1), atol=1e-5)
    assert np.isclose(scores, -np.sort(-oracle, axis=1)[:, :10], atol=1e-5).mean() > 0.95


def test_many_vectors_are_sampled(clustered: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = clustered[:1500], clustered[1500:]
    everything = cosine("additive5B", train, test)
    monkeypatch.setattr(additive, "TRAINING_VECTORS", 1000)
    assert everything - 0.05 < cosine("additive5B", train, test) < everything


@pytest.mark.parametrize("size", [0, 21])
def test_sizes_that_do_not_suit(size: int, vectors: Vectors) -> None:
    with pytest.raises(VecsmithError, match="choose from 1 to 20 bytes"):
        vecsmith.codec(f"additive{size}B").fit(vectors)


def test_few_or_equal_vectors_can_still_be_coded() -> None:
    for X in (np.ones((1, 16), np.float32), np.ones((50, 16), np.float32), np.eye(3, 16, dtype=np.float32)):
        codec = vecsmith.codec("additive4B").fit(X)
        assert np.isfinite(codec.decode(codec.encode(X))).all()
