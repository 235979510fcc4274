"""Moments that are summed block by block and merged, against NumPy on all rows."""

import numpy as np
import pytest

from vecsmith.embeddings import Moments, PairMoments, cross_products, normalize, sample_rows, shrunk, with_ridge
from vecsmith.translators import translator
from vecsmith.translators.canonical import canonical_map
from vecsmith.translators.linear import ridge_maps
from vecsmith.translators.procrustes import rotation

Array = np.ndarray
SPLITS = ([600], [300, 300], [1, 2, 597], [0, 599, 1], [100] * 6)


@pytest.fixture
def rows() -> Array:
    """Rows (600, 12) with a mean, unequal variances and correlations."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((600, 12)) / np.arange(1, 13) @ rng.standard_normal((12, 12)) + rng.standard_normal(12)


def blocks(X: Array, sizes: list[int]) -> list[Array]:
    return np.split(X, np.cumsum(sizes)[:-1])


@pytest.mark.parametrize("sizes", SPLITS)
@pytest.mark.parametrize("center", [None, 0, 0.3])
def test_merged_moments_equal_those_of_all_rows(sizes: list[int], center: float | None, rows: Array) -> None:
    added, merged = Moments(center), Moments(center)
    for block in blocks(rows, sizes):
        added.add(block)
        merged.merge(Moments(center).add(block))
    for moments in (added, merged):
        assert moments.n == 600
        np.testing.assert_allclose(moments.mean, rows.mean(axis=0), atol=1e-13)
        np.testing.assert_allclose(moments.covariance, np.cov(rows.T, bias=True), atol=1e-13)
        np.testing.assert_allclose(moments.variance, rows.var(axis=0), atol=1e-13)
        np.testing.assert_allclose(moments.second_moment, rows.T @ rows / 600, atol=1e-13)
        np.testing.assert_array_equal(moments.minimum, rows.min(axis=0))
        np.testing.assert_array_equal(moments.maximum, rows.max(axis=0))


def test_moments_about_different_points_are_merged(rows: Array) -> None:
    first, second = rows[:200], rows[200:]
    for center, other in ((None, 0), (0, None), (2, -1)):
        moments = Moments(center).add(first).merge(Moments(other).add(second))
        np.testing.assert_allclose(moments.mean, rows.mean(axis=0), atol=1e-13)
        np.testing.assert_allclose(moments.covariance, np.cov(rows.T, bias=True), atol=1e-12)
        # merging into moments without rows keeps their reference point
        moved = Moments(center).merge(Moments(other).add(rows))
        np.testing.assert_allclose(moved.center, rows.mean(axis=0) if center is None else np.full(12, center))
        np.testing.assert_allclose(moved.covariance, np.cov(rows.T, bias=True), atol=1e-12)


def test_merging_leaves_the_other_moments_as_they_are(rows: Array) -> None:
    other = Moments().add(rows[200:])
    before = other.center.copy(), other.products.copy()
    Moments().add(rows[:200]).merge(other).add(rows[:50])
    np.testing.assert_array_equal(other.center, before[0])
    np.testing.assert_array_equal(other.products, before[1])


def test_a_large_common_offset_costs_no_digits(rows: Array) -> None:
    # 2¹⁴ and these values have exact sums in float64
    rows = np.round(rows * 2**20) / 2**20
    expected = np.cov(rows.T, bias=True)
    moments = Moments()
    for block in blocks(rows + 1e4, [1, 99, 500]):
        moments.add(block)
    np.testing.assert_allclose(moments.covariance, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(moments.mean - 1e4, rows.mean(axis=0), atol=1e-11)
    # plain sums of xxᵀ lose nine digits
    plain = Moments(0).add(rows + 1e4)
    assert np.abs(plain.covariance - expected).max() > 1e-9


def test_the_order_of_blocks_does_not_matter(rows: Array) -> None:
    parts = blocks(rows, [10, 290, 50, 250])
    forth, back = Moments(), Moments()
    for part, other in zip(parts, parts[::-1], strict=True):
        forth.add(part)
        back.add(other)
    np.testing.assert_allclose(forth.covariance, back.covariance, atol=1e-14)
    np.testing.assert_allclose(forth.mean, back.mean, atol=1e-14)


def test_one_block_is_computed_as_numpy_does(rows: Array) -> None:
    X = normalize(rows)
    moments = Moments(products=False).add(X)
    np.testing.assert_array_equal(moments.mean, X.mean(axis=0, dtype=np.float64))
    np.testing.assert_array_equal(np.sqrt(moments.variance), X.std(axis=0, dtype=np.float64))
    centered = X - X.mean(axis=0, dtype=np.float64)
    np.testing.assert_array_equal(Moments().add(X).covariance, centered.T @ centered / len(X))
    exact = X.astype(np.float64)
    np.testing.assert_array_equal(Moments(0).add(X).products, exact.T @ exact)
    np.testing.assert_array_equal(Moments(0, dtype=np.float32).add(X).products, X.T @ X)


@pytest.mark.parametrize("sizes", SPLITS)
def test_the_diagonal_alone_is_the_variance(sizes: list[int], rows: Array) -> None:
    moments = Moments(products=False)
    for block in blocks(rows, sizes):
        moments.merge(Moments(products=False).add(block))
    assert moments.products.shape == (12,)
    np.testing.assert_allclose(moments.variance, rows.var(axis=0), atol=1e-14)


@pytest.mark.parametrize("sizes", SPLITS)
@pytest.mark.parametrize("centers", [(None, None), (0, None), (0.5, -2)])
def test_merged_pairs_equal_those_of_all_rows(sizes: list[int], centers: tuple, rows: Array) -> None:
    X, Y = rows[:, :5], rows[:, 5:] + 3

    def empty() -> PairMoments:
        return PairMoments(*map(Moments, centers))

    added, merged = empty(), empty()
    for x, y in zip(blocks(X, sizes), blocks(Y, sizes), strict=True):
        added.add(x, y)
        merged.merge(empty().add(x, y))
    expected = np.cov(np.hstack([X, Y]).T, bias=True)
    for pairs in (added, merged):
        assert pairs.n == 600
        np.testing.assert_allclose(pairs.cross_covariance, expected[:5, 5:], atol=1e-13)
        np.testing.assert_allclose(pairs.source.covariance, expected[:5, :5], atol=1e-13)
        np.testing.assert_allclose(pairs.target.covariance, expected[5:, 5:], atol=1e-13)
    np.testing.assert_allclose(cross_products(X, Y), X.T @ Y, atol=1e-10)


def test_translators_can_be_fitted_on_merged_moments(rows: Array) -> None:
    X, Y = (normalize(part) for part in (rows[:, :5], rows[:, 5:]))
    pairs = PairMoments().add(X[:250], Y[:250]).merge(PairMoments().add(X[250:], Y[250:]))
    Cx, Cy, Cxy = pairs.source.covariance, pairs.target.covariance, pairs.cross_covariance
    linear = translator("linear").fit(X, Y)
    [ridge] = ridge_maps(Cx, Cxy, [linear.ridge_])
    for fitted, W in (
        (linear, ridge),
        (translator("canonical").fit(X, Y), canonical_map(Cx, Cy, Cxy)),
        (translator("procrustes").fit(X, Y), rotation(Cxy)),
    ):
        np.testing.assert_allclose(fitted.weights_, W, atol=1e-5)
        np.testing.assert_allclose(fitted.offset_, pairs.target.mean - pairs.source.mean @ W, atol=1e-5)


def test_shrinkage_keeps_the_mean() -> None:
    spectrum = np.array([8.0, 3, 1, 0])
    np.testing.assert_allclose(shrunk(spectrum, 0.25), 0.75 * spectrum + 0.25 * 3)
    np.testing.assert_allclose(shrunk(spectrum, 0.25, relative=True), shrunk(spectrum, 0.25) / 3)
    np.testing.assert_array_equal(shrunk(np.zeros(3), 0.25, relative=True), np.full(3, 0.25))
    np.testing.assert_allclose(with_ridge(np.array([-1e-9, 1.0]), 0.5), [0.5, 1.5], atol=1e-8)


def test_a_sample_of_rows_is_sorted_and_reproducible() -> None:
    rows = sample_rows(1000, 50, 3)
    assert len(np.unique(rows)) == 50
    np.testing.assert_array_equal(rows, np.sort(rows))
    np.testing.assert_array_equal(rows, sample_rows(1000, 50, 3))
    assert not np.array_equal(rows, sample_rows(1000, 50, 4))
    np.testing.assert_array_equal(sample_rows(20, 50, 3), np.arange(20))
    # a sample of fewer rows is a part of it
    assert set(sample_rows(1000, 10, 3)) <= set(rows)
