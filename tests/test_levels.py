"""Levels of dimensions and of principal components: their mathematics, their bytes, and the FAISS scan of nibbles."""

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from oracles import asymmetric_scores
from vecsmith.codecs.quantizers.hybrid import DISTORTIONS, allocate, storage_order
from vecsmith.codecs.quantizers.levels import lloyd_max
from vecsmith.codecs.quantizers.nibbles import pack, product_index, unpack
from vecsmith.errors import VecsmithError

Vectors = NDArray[np.float32]


def cosine(spec: str, train: Vectors, test: Vectors) -> float:
    codec = vecsmith.codec(spec).fit(train)
    decoded = codec.decode(codec.encode(test))
    return float(((decoded * test).sum(axis=1) / np.linalg.norm(decoded, axis=1)).mean())


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_levels_of_normal_values_are_those_of_max(bits: int) -> None:
    values = np.random.default_rng(0).standard_normal(200_000).astype(np.float32)
    levels = lloyd_max(values, 2**bits)
    error = ((values[:, None] - levels) ** 2).min(axis=1).mean()
    assert error == pytest.approx(DISTORTIONS[bits], rel=0.02)
    outer = {1: 0.7979, 2: 1.510, 3: 2.152, 4: 2.733}[bits]
    assert levels[-1] == pytest.approx(outer, abs=0.05)
    assert (np.diff(levels) > 0).all()


def test_levels_are_a_fixed_point_and_survive_equal_values() -> None:
    values = np.random.default_rng(1).exponential(size=500).astype(np.float32)
    levels = lloyd_max(values, 4)
    nearest = np.abs(values[:, None] - levels).argmin(axis=1)
    np.testing.assert_allclose(levels, [values[nearest == level].mean() for level in range(4)], atol=1e-4)
    assert np.array_equal(lloyd_max(np.full(9, 2, np.float32), 4), [2, 2, 2, 2])


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_packing_is_exact_and_in_little_bit_order(bits: int) -> None:
    values = np.random.default_rng(2).integers(1 << bits, size=(50, 13)).astype(np.uint8)
    codes = pack(values, bits)
    assert codes.shape == (50, -(-13 * bits // 8))
    assert np.array_equal(unpack(codes, bits, 13), values)
    stream = sum(int(value) << (bits * place) for place, value in enumerate(values[0]))
    assert codes[0].tobytes() == stream.to_bytes(codes.shape[1], "little")


@pytest.mark.parametrize(("count", "width"), [(6, 2), (5, 4), (1, 16)])
def test_product_index_adds_the_entries_of_all_groups(count: int, width: int) -> None:
    rng = np.random.default_rng(3)
    codebooks = rng.standard_normal((count, 16, width)).astype(np.float32)
    groups = rng.integers(16, size=(70, count)).astype(np.uint8)
    queries = rng.standard_normal((4, count * width)).astype(np.float32)
    index = product_index(pack(groups, 4), codebooks)
    padded = np.pad(queries, ((0, 0), (0, index.d - queries.shape[1])))
    scores, rows = index.search(padded, 70)
    expected = queries @ codebooks[np.arange(count), groups].reshape(70, -1).T
    np.testing.assert_allclose(scores, np.take_along_axis(expected, rows, axis=1), atol=1e-4)


@pytest.mark.parametrize(("spec", "bits"), [("levels3", 1.5), ("levels4", 2)])
@pytest.mark.parametrize("d", [40, 39, 6, 1])
def test_bytes_are_those_of_the_bits(spec: str, bits: float, d: int, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(vectors[:, :d])
    pairs = (d + 1) // 2
    assert codec.bytes_per_vector == np.ceil(pairs * 2 * bits / 8)
    assert codec.decode(codec.encode(vectors[:, :d])).shape == (600, d)


def test_three_levels_take_the_nearest_of_eight_pairs(vectors: Vectors) -> None:
    stage = vecsmith.codec("levels3").fit(vectors).quantizer
    levels = [np.unique(stage.entries_[:, :, side][pair]) for side, pair in product((0, 1), range(20))]
    assert {len(some) for some in levels} == {3}
    pairs = vectors.reshape(600, 20, 2)
    errors = ((pairs[:, :, None] - stage.entries_) ** 2).sum(axis=3)
    assert errors.shape == (600, 20, 8)
    assert np.array_equal(stage.groups(vectors), errors.argmin(axis=2))


def test_what_three_levels_leave_out_costs_least(vectors: Vectors) -> None:
    stage = vecsmith.codec("levels3").fit(vectors).quantizer
    pairs = vectors.reshape(600, 20, 2)
    for pair in range(20):
        kept = stage.entries_[pair]
        grid = np.array(list(product(np.unique(kept[:, 0]), np.unique(kept[:, 1]))))
        errors = ((pairs[:, pair, None] - grid) ** 2).sum(axis=2)
        cost = [np.delete(errors, entry, axis=1).min(axis=1).sum() for entry in range(9)]
        dropped = grid[np.argmin(cost)]
        assert not np.isclose(kept, dropped, atol=1e-6).all(axis=1).any()


def test_more_levels_are_nearer(vectors: Vectors) -> None:
    train, test = vectors[:400], vectors[400:]
    cosines = [cosine(spec, train, test) for spec in ("median", "levels3", "levels4", "int8")]
    assert cosines == sorted(cosines)
    assert cosines[2] > cosines[1] + 0.01 > cosines[0] + 0.02


@pytest.mark.parametrize("bits", [8, 16, 104, 320, 800, 1600])
@pytest.mark.parametrize("steepness", [0, 0.5, 1.2, 3])
def test_bits_go_where_the_variance_is_and_no_value_crosses_a_border(bits: int, steepness: float) -> None:
    variances = 1 / np.arange(1, 401) ** steepness
    given = allocate(variances, bits)
    assert given.sum() == bits
    assert given.max() <= 4
    assert (np.diff(given) <= 0).all()
    check_borders(given)


def check_borders(given: NDArray[np.int64]) -> None:
    stored = given[storage_order(given)]
    starts = np.cumsum(stored) - stored
    assert (starts // 4 == (starts + stored - 1) // 4).all()
    assert sorted(storage_order(given)) == list(np.flatnonzero(given))


ALLOCATIONS = np.array(list(product(range(5), repeat=5)))


@pytest.mark.parametrize("bits", [4, 8, 12, 16])
def test_no_other_allocation_has_less_error(bits: int) -> None:
    others = ALLOCATIONS[ALLOCATIONS.sum(axis=1) == bits]
    fits = (others == 3).sum(axis=1) <= (others == 1).sum(axis=1)
    rng, optimal = np.random.default_rng(0), 0
    for power in rng.integers(1, 6, 100):
        variances = np.sort(rng.random(5) ** power)[::-1]
        given, errors = allocate(variances, bits), (variances * DISTORTIONS[others]).sum(axis=1)
        assert given.sum() == bits
        check_borders(given)
        # where the best of all allocations does not fit in groups of four bits, ours is changed until it does
        if fits[errors.argmin()]:
            optimal += 1
            assert (variances * DISTORTIONS[given]).sum() == pytest.approx(errors.min(), rel=1e-9)
    assert optimal >= 40


@pytest.mark.parametrize("bits", [8, 384, 800])
def test_spectra_of_embeddings_need_no_change_to_fit(bits: int) -> None:
    variances = 1 / np.arange(1, 401) ** 1.2
    gains, greedy = np.append(-np.diff(DISTORTIONS), -np.inf), np.zeros(400, int)
    for _ in range(bits):
        greedy[np.argmax(variances * gains[greedy])] += 1
    assert np.array_equal(allocate(variances, bits), greedy)


def test_hybrid_is_nearer_than_codes_of_one_bit_a_dimension(vectors: Vectors) -> None:
    train, test = vectors[:400], vectors[400:]
    ours = cosine("hybrid5B", train, test)
    for rival in ("binary", "median", "pca40,median", "itq5B", "faiss:PQ10x4"):
        assert ours > cosine(rival, train, test) + 0.01, rival


def test_more_bytes_are_nearer(vectors: Vectors) -> None:
    cosines = [cosine(f"hybrid{size}B", vectors[:400], vectors[400:]) for size in (1, 2, 4, 8, 12, 20)]
    assert cosines == sorted(cosines)
    assert cosines[-1] > 0.99


@pytest.mark.parametrize("spec", ["levels3", "levels4", "hybrid3B", "hybrid8B", "hybrid20B", "truncate39,levels4"])
def test_scan_scores_as_decoding_does(spec: str, vectors: Vectors) -> None:
    documents, queries = vectors[:500], vectors[500:]
    codec = vecsmith.codec(spec).fit(documents)
    codes = codec.encode(documents)
    projected, shift = codec.quantizer.project_queries(codec.reduce_queries(queries)[0])
    scores, rows = codec.quantizer.index(codes).search(projected, 50)
    scaled = (scores + shift[:, None]) * codec.quantizer.score_factors(codes)[rows]
    expected = np.take_along_axis(asymmetric_scores(codec, queries, codes), rows, axis=1)
    np.testing.assert_allclose(scaled, expected, atol=1e-5)


@pytest.mark.parametrize("size", [0, 21])
def test_sizes_that_do_not_suit(size: int, vectors: Vectors) -> None:
    with pytest.raises(VecsmithError, match="choose from 1 to 20 bytes"):
        vecsmith.codec(f"hybrid{size}B").fit(vectors)


@pytest.mark.parametrize("spec", ["levels3", "levels4", "hybrid4B"])
def test_few_or_equal_vectors_can_still_be_coded(spec: str) -> None:
    for X in (np.ones((1, 16), np.float32), np.ones((50, 16), np.float32), np.eye(3, 16, dtype=np.float32)):
        codec = vecsmith.codec(spec).fit(X)
        np.testing.assert_allclose(codec.decode(codec.encode(X[:1])), X[:1] / np.linalg.norm(X[:1]), atol=0.01)


@pytest.mark.parametrize("spec", ["levels3", "levels4", "hybrid4B"])
def test_no_vectors_have_no_codes(spec: str, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    assert codec.encode(vectors[:0]).shape == (0, codec.bytes_per_vector)
