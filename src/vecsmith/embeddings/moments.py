"""Mergeable first and second moments of vectors, summed block by block.

`Moments` sums one set of rows, `PairMoments` two sets that are paired row by row. Moments of several blocks, files or
machines are merged. The result equals that of all rows at once up to rounding, and does not depend on the order.
"""

from collections.abc import Sequence
from copy import copy
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from vecsmith.array_types import Doubles, Vectors

PRODUCT_BLOCK_ROWS = 16_384
"""Rows converted to float64 at a time by `cross_products`, which bounds the memory."""


class Moments:
    """Count, sum, sum of products, minimum and maximum of rows x.

    Sums are taken about a reference point c, because the difference of two large sums has few correct digits.

    Parameters
    ----------
    center : array-like of shape (d,) or 0, optional
        A fixed c. With 0 the sums are Σx and Σxxᵀ. By default c is the mean of all rows so far: the moments of every
        block are taken about its own mean and then merged (Chan, Golub and LeVeque).
    products : bool
        Whether to sum (x − c)(x − c)ᵀ, which takes d² operations a row. Otherwise only their diagonal is summed.
    dtype : dtype
        Precision of x − c and of the products of a block.

    Attributes
    ----------
    n : int
        Number of rows; the attributes below exist once there is one.
    center : ndarray of shape (d,)
        c.
    sums : ndarray of shape (d,), float64
        Σ(x − c); zero where c is the mean.
    products : ndarray of shape (d, d)
        Σ(x − c)(x − c)ᵀ; of shape (d,), its diagonal, with ``products=False``.
    minimum, maximum : ndarray of shape (d,)
        Smallest and largest value of each dimension, in the dtype of the rows.

    References
    ----------
    Chan, Golub and LeVeque 1983, Algorithms for computing the sample variance, The American Statistician 37.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).standard_normal((100, 3))
    >>> moments = Moments().add(X[:30]).merge(Moments().add(X[30:]))
    >>> bool(np.allclose(moments.covariance, np.cov(X.T, bias=True)))
    True
    """

    sums: Doubles
    products: NDArray[Any]
    center: Doubles
    minimum: Vectors
    maximum: Vectors

    def __init__(
        self, center: ArrayLike | None = None, *, products: bool = True, dtype: DTypeLike = np.float64
    ) -> None:
        self.n = 0
        self.dtype = np.dtype(dtype)
        self._full = products
        self._fixed = None if center is None else np.asarray(center, np.float64)

    def add(self, block: Vectors) -> Self:
        """Add rows (m, d), and return the moments."""
        self.merge(self._of(block)[0])
        return self

    def _of(self, block: Vectors) -> tuple[Self, NDArray[Any]]:
        """Return the moments of one block, and its rows less the reference point (m, d)."""
        moments = copy(self)
        moments.n = len(block)
        if not len(block):
            return moments, np.empty(block.shape, self.dtype)
        if self._fixed is None:
            moments.center = block.mean(axis=0, dtype=np.float64)
        else:
            moments.center = np.broadcast_to(self._fixed, block.shape[1:])
        if moments.center.any():
            centered = np.subtract(block, moments.center, dtype=self.dtype)
        else:
            centered = block.astype(self.dtype, copy=False)
        # about its own mean, a block has no sum but that of rounding errors
        moments.sums = np.zeros(block.shape[1]) if self._fixed is None else centered.sum(axis=0, dtype=np.float64)
        moments.products = centered.T @ centered if self._full else np.square(centered).sum(axis=0)
        moments.minimum, moments.maximum = block.min(axis=0), block.max(axis=0)
        return moments, centered

    def merge(self, other: Self) -> Self:
        """Add the rows of other moments, which may have another reference point, and return the moments."""
        if not other.n:
            return self
        if self._fixed is not None:
            center = np.broadcast_to(self._fixed, other.center.shape)
        else:
            here = self.center if self.n else other.mean
            center = here + other.n / (self.n + other.n) * (other.mean - here)
        parts = [moments.about(center) for moments in (self, other) if moments.n]
        self.n += other.n
        self.center = center
        self.sums = _total([part.sums for part in parts]) if self._fixed is not None else np.zeros(len(center))
        self.products = _total([part.products for part in parts])
        self.minimum = np.minimum.reduce([part.minimum for part in parts])
        self.maximum = np.maximum.reduce([part.maximum for part in parts])
        return self

    def about(self, center: Doubles) -> Self:
        """Return the moments with another reference point (d,)."""
        shift = self.center - center
        moments = copy(self)
        if shift.any():
            multiply = np.outer if self._full else np.multiply
            cross = multiply(self.sums, shift)
            moments.center, moments.sums = center, self.sums + self.n * shift
            moments.products = self.products + cross + cross.T + self.n * multiply(shift, shift)
        return moments

    @property
    def mean(self) -> Doubles:
        """Mean of the rows, (d,)."""
        return self.center + self.sums / self.n

    @property
    def covariance(self) -> Doubles:
        """E[(x − μ)(x − μ)ᵀ], (d, d), with the divisor n."""
        offset = self.sums / self.n
        return np.asarray(self.products / self.n - np.outer(offset, offset))

    @property
    def second_moment(self) -> Doubles:
        """E[xxᵀ], (d, d)."""
        offset = self.sums / self.n
        return np.asarray(self.products / self.n + (np.outer(self.mean, self.mean) - np.outer(offset, offset)))

    @property
    def variance(self) -> Doubles:
        """Variance of each dimension, (d,), with the divisor n."""
        squares = self.products.diagonal() if self._full else self.products
        return np.asarray(squares / self.n - np.square(self.sums / self.n))


class PairMoments:
    """Moments of rows x and y that are paired, and the sum of their products.

    Parameters
    ----------
    source, target : Moments, optional
        Moments without rows, which set the reference points a and b of x and y and whether Σxxᵀ and Σyyᵀ are summed.

    Attributes
    ----------
    source, target : Moments
        Moments of x and of y.
    cross : ndarray of shape (dx, dy)
        Σ(x − a)(y − b)ᵀ.
    """

    cross: NDArray[Any]

    def __init__(self, source: Moments | None = None, target: Moments | None = None) -> None:
        self.source = source or Moments()
        self.target = target or Moments()

    @property
    def n(self) -> int:
        """Number of pairs."""
        return self.source.n

    def add(self, X: Vectors, Y: Vectors) -> Self:
        """Add rows (m, dx) and (m, dy), and return the moments."""
        pair = copy(self)
        pair.source, x = self.source._of(X)
        pair.target, y = self.target._of(Y)
        pair.cross = x.T @ y
        return self.merge(pair)

    def merge(self, other: Self) -> Self:
        """Add the pairs of other moments, which may have other reference points, and return the moments."""
        if not other.n:
            return self
        source, target = copy(self.source).merge(other.source), copy(self.target).merge(other.target)
        centers = source.center, target.center
        self.cross = _total([pair._cross_about(*centers) for pair in (self, other) if pair.n])
        self.source, self.target = source, target
        return self

    def _cross_about(self, source: Doubles, target: Doubles) -> NDArray[Any]:
        """Return the sum of products about other reference points."""
        x, y = self.source.center - source, self.target.center - target
        if not (x.any() or y.any()):
            return self.cross
        return np.asarray(
            self.cross + np.outer(self.source.sums, y) + np.outer(x, self.target.sums) + self.n * np.outer(x, y)
        )

    @property
    def cross_covariance(self) -> Doubles:
        """E[(x − μx)(y − μy)ᵀ], (dx, dy), with the divisor n."""
        return np.asarray(self.cross / self.n - np.outer(self.source.sums / self.n, self.target.sums / self.n))


def cross_products(X: Vectors, Y: Vectors) -> Doubles:
    """Return Σxyᵀ (dx, dy) of paired rows (n, dx) and (n, dy), summed in float64 block by block."""
    moments = PairMoments(Moments(0, products=False), Moments(0, products=False))
    for start in range(0, max(len(X), 1), PRODUCT_BLOCK_ROWS):
        moments.add(X[start : start + PRODUCT_BLOCK_ROWS], Y[start : start + PRODUCT_BLOCK_ROWS])
    return moments.cross


def _total(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return the sum of arrays; of a single one, itself."""
    return parts[0] if len(parts) == 1 else np.asarray(parts[0] + parts[1])
