"""How close two spaces are: every measure against an oracle, or by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from vecsmith.cli import app
from vecsmith.embeddings import EmbeddingSet
from vecsmith.errors import VecsmithError, VecsmithWarning
from vecsmith.evaluation import geometry, ranked_lists
from vecsmith.evaluation.set_comparison import compare_sets

Vectors = NDArray[np.float32]
Ranks = NDArray[np.int64]


@pytest.fixture
def other(vectors: Vectors) -> Vectors:
    """Return the same 600 texts by a model that sees half of what the first one sees, of 40 dimensions."""
    rng = np.random.default_rng(1)
    return np.asarray(vectors @ rng.standard_normal((40, 40)) / 6 + rng.standard_normal((600, 40)) / 10, np.float32)


def lists(*rows: list[int]) -> Ranks:
    return np.array(rows, dtype=np.int64)


def test_mse_and_cosine_by_hand_and_by_scipy(vectors: Vectors, other: Vectors) -> None:
    distance = pytest.importorskip("scipy.spatial.distance")
    errors = [np.mean((x - y) ** 2) for x, y in zip(vectors, other, strict=True)]
    cosines = [1 - distance.cosine(x, y) for x, y in zip(vectors, other, strict=True)]
    for found, expected in ((geometry.mse(vectors, other), errors), (geometry.cosine(vectors, other), cosines)):
        assert found.mean == pytest.approx(np.mean(expected), rel=1e-5)
        assert found.n == 600
        # the interval is that of a mean of 600 values
        assert found.high - found.low == pytest.approx(2 * 1.96 * np.std(expected) / 600**0.5, rel=0.15)
    with pytest.raises(VecsmithError, match="translate one set first"):
        geometry.mse(vectors, other[:, :20])
    with pytest.raises(VecsmithError, match="600 and 599"):
        geometry.cosine(vectors, other[:599])


def test_linear_cka_is_that_of_the_kernel_matrices(
    vectors: Vectors, other: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairwise = pytest.importorskip("sklearn.metrics.pairwise")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    K, L = (
        preprocessing.KernelCenterer().fit_transform(pairwise.linear_kernel(X.astype(float)))
        for X in (vectors, other[:, :20])
    )
    expected = (K * L).sum() / np.linalg.norm(K) / np.linalg.norm(L)
    monkeypatch.setattr(geometry, "BLOCK_ROWS", 64)
    assert geometry.linear_cka(vectors, other[:, :20]) == pytest.approx(expected, rel=1e-6)


def test_rbf_cka_is_that_of_the_kernel_matrices(vectors: Vectors, other: Vectors) -> None:
    pairwise = pytest.importorskip("sklearn.metrics.pairwise")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    distance = pytest.importorskip("scipy.spatial.distance")
    centered = []
    for X in (vectors.astype(float), other.astype(float)):
        gamma = 1 / (2 * 0.5**2 * np.median(distance.pdist(X, "sqeuclidean")))
        centered.append(preprocessing.KernelCenterer().fit_transform(pairwise.rbf_kernel(X, gamma=gamma)))
    expected = (centered[0] * centered[1]).sum() / np.linalg.norm(centered[0]) / np.linalg.norm(centered[1])
    assert geometry.rbf_cka(vectors, other, bandwidth=0.5) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("measure", [geometry.linear_cka, geometry.rbf_cka])
def test_cka_sees_through_rotation_scale_and_shift_alone(measure, vectors: Vectors) -> None:
    rng = np.random.default_rng(2)
    rotation = np.linalg.qr(rng.standard_normal((40, 40)))[0]
    assert measure(vectors, 3 * vectors @ rotation + 1) == pytest.approx(1, abs=1e-6)
    assert measure(vectors, vectors[rng.permutation(600)]) < 0.3


def test_kernels_are_sampled(vectors: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geometry, "KERNEL_ROWS", 100)
    K, L = geometry.kernel_matrices(vectors, vectors)
    assert K.shape == (100, 100)
    np.testing.assert_array_equal(K, L)
    np.testing.assert_allclose(np.diag(K), 1)


def test_neighbors_are_those_of_a_full_sort(vectors: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geometry, "BLOCK_ROWS", 97)
    probes = np.array([0, 96, 97, 599])
    scores = vectors[probes] @ vectors.T
    scores[np.arange(4), probes] = -np.inf
    np.testing.assert_array_equal(geometry.neighbors(vectors, probes, 7), np.argsort(-scores, axis=1)[:, :7])


def test_list_measures_by_hand() -> None:
    a, b = lists([1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4]), lists([1, 2, 3, 4], [2, 1, 3, 5], [5, 6, 7, 8])
    np.testing.assert_allclose(ranked_lists.jaccard(a, b), [1, 3 / 5, 0])
    # the second: swap two (two substitutions), replace one
    np.testing.assert_allclose(ranked_lists.edit_distance(a, b), [0, 3 / 4, 1])
    agreement = np.array([0, 1, 1, 3 / 4])
    p, depths = 0.9, np.arange(1, 5)
    second = 3 / 4 * p**4 + (1 - p) / p * (agreement * p**depths).sum()
    np.testing.assert_allclose(ranked_lists.rank_biased_overlap(a, b), [1, second, 0], atol=1e-12)
    assert ranked_lists.kendall_tau(a, b)[0] == pytest.approx(1)
    assert ranked_lists.kendall_tau(a, b)[2] < 0


def test_edit_distance_finds_a_shift() -> None:
    np.testing.assert_allclose(ranked_lists.edit_distance(lists([1, 2, 3, 4, 5]), lists([9, 1, 2, 3, 4])), [2 / 5])


def test_kendall_of_permutations_is_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    a, b = (np.array([rng.permutation(9) for _ in range(20)]) for _ in range(2))
    expected = [stats.kendalltau(np.argsort(x), np.argsort(y)).statistic for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(ranked_lists.kendall_tau(a, b), expected)


def test_rank_similarity_by_hand() -> None:
    a = lists([1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4])
    b = lists([1, 2, 3, 4], [2, 1, 3, 5], [5, 6, 7, 8], [9, 8, 7, 1])
    # 1 and 2 are swapped at the sum of ranks 3, and 3 is at rank 3 in both; three entries are shared
    second = (2 / (2 * 3) + 2 / (2 * 3) + 2 / 6) / (1 + 1 / 2 + 1 / 3)
    np.testing.assert_allclose(ranked_lists.rank_similarity(a, b), [1, second, 0, 2 / (4 * 5)])


def test_overlap_is_the_share_of_the_first_list() -> None:
    np.testing.assert_allclose(ranked_lists.overlap(lists([1, 2], [3, 4]), lists([2, 5, 1], [5, 6, 3])), [1, 1 / 2])


def test_neighborhoods_of_a_rotation_are_the_same_and_of_noise_are_not(vectors: Vectors, other: Vectors) -> None:
    same = geometry.neighborhoods(vectors, vectors[:, ::-1], ks=(5, 20))
    assert set(same) == {(name, k) for name in ranked_lists.MEASURES for k in (5, 20)}
    for (name, _), found in same.items():
        assert found.mean == pytest.approx(0 if name == "edit_distance" else 1, abs=1e-3)
    near = geometry.neighborhoods(vectors, other, ks=(5,))
    far = geometry.neighborhoods(vectors, other[::-1], ks=(5,))
    for name in ("jaccard", "rbo", "kendall_tau", "rank_similarity"):
        assert far[name, 5].high < near[name, 5].low < near[name, 5].mean < near[name, 5].high < 1
    assert near["edit_distance", 5].high < far["edit_distance", 5].low
    with pytest.raises(VecsmithError, match="from 1 to 599"):
        geometry.neighborhoods(vectors, other, ks=(600,))


def test_sets_on_disk_are_measured_as_arrays_are(vectors: Vectors, other: Vectors) -> None:
    a, b = EmbeddingSet(list(np.array_split(vectors, 3))).unit, EmbeddingSet(other).unit
    assert geometry.linear_cka(a, b) == pytest.approx(geometry.linear_cka(a[:], b[:]))
    assert geometry.neighborhoods(a, b)["rbo", 10] == geometry.neighborhoods(a[:], b[:])["rbo", 10]


def test_bootstrap_interval_covers_the_mean() -> None:
    rng = np.random.default_rng(3)
    inside = [geometry.estimate(rng.exponential(size=80)) for _ in range(200)]
    assert 0.88 < np.mean([found.low < 1 < found.high for found in inside]) < 0.99


def test_what_cannot_be_compared_is_refused(vectors: Vectors, other: Vectors) -> None:
    broken = vectors.copy()
    broken[7, 3] = np.nan
    with pytest.raises(VecsmithError, match="NaN or infinite"):
        geometry.neighborhoods(broken, other)
    for measure in (geometry.mse, geometry.cosine, geometry.linear_cka, geometry.rbf_cka, geometry.neighborhoods):
        with pytest.raises(VecsmithError, match="two or more texts"):
            measure(vectors[:1], vectors[:1])
        with pytest.raises(VecsmithError, match="arrays"):
            measure(vectors[0], vectors[0])


def test_two_sets_are_joined_by_id_and_compared(vectors: Vectors, other: Vectors) -> None:
    ids = [f"t{row}" for row in range(600)]
    order = np.random.default_rng(0).permutation(600)[:500]
    a, b = EmbeddingSet(vectors, ids), EmbeddingSet(other[order], [ids[row] for row in order])
    found = compare_sets(a, b, ks=(5, 10))
    assert (found.texts, found.only_first, found.only_second) == (500, 100, 0)
    rows = np.sort(order)
    X, Y = a.unit[rows], EmbeddingSet(other).unit[rows]
    assert found.paired == {"mse": geometry.mse(X, Y), "cosine": geometry.cosine(X, Y)}
    assert found.kernels == {"linear_cka": geometry.linear_cka(X, Y), "rbf_cka": geometry.rbf_cka(X, Y)}
    assert found.neighborhoods == geometry.neighborhoods(X, Y, (5, 10))
    assert not compare_sets(a, EmbeddingSet(other[:, :20], ids)).paired


def test_texts_with_a_zero_vector_are_not_compared(vectors: Vectors, other: Vectors) -> None:
    broken = other.copy()
    broken[[3, 5]] = 0
    with pytest.warns(VecsmithWarning, match="2 all-zero vectors"):
        second = EmbeddingSet(broken)
    kept = np.setdiff1d(np.arange(600), [3, 5])
    found = compare_sets(EmbeddingSet(vectors), second)
    assert (found.texts, found.paired["cosine"].n) == (598, 598)
    assert found.kernels["linear_cka"] == geometry.linear_cka(EmbeddingSet(vectors).unit[kept], second.unit[kept])


def test_geometry_on_the_command_line(vectors: Vectors, other: Vectors, tmp_path: Path) -> None:
    a, b = str(tmp_path / "a.npy"), str(tmp_path / "b.npy")
    np.save(a, vectors)
    np.save(b, other[:590])
    done = CliRunner().invoke(app, ["geometry", a, b, "-k", "5", "-k", "20"])
    assert done.exit_code == 0
    assert "10 rows" in done.stderr
    expected = compare_sets(EmbeddingSet.open(a), EmbeddingSet.open(b), (5, 20))
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[0] for line in lines if line and line[0] in ranked_lists.MEASURES] == 2 * list(ranked_lists.MEASURES)
    assert ["jaccard", "20", f"{expected.neighborhoods['jaccard', 20].mean:.3f}"] in [line[:3] for line in lines]
    told = json.loads(CliRunner().invoke(app, ["geometry", a, b, "--json"]).stdout)
    assert told["texts"] == 590
    assert told["neighborhoods"]["10"].keys() == ranked_lists.MEASURES.keys()
    assert told["kernels"]["linear_cka"] == pytest.approx(expected.kernels["linear_cka"])
    for options, message in ((["-k", "600"], "from 1 to 589"), (["-k", "0"], "from 1 to 589")):
        failed = CliRunner().invoke(app, ["geometry", a, b, *options])
        assert message in str(failed.exception)
        assert isinstance(failed.exception, VecsmithError)
