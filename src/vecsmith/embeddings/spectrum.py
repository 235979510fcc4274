"""Eigenvalues and eigenvectors of second moments, and two ways to regularize them."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TINY = float(np.finfo(np.float64).tiny)


def principal_axes(moments: Array) -> tuple[Array, Array]:
    """Return the eigenvalues (d,) of second moments (d, d) in falling order, and the eigenvectors (d, d) as columns.

    Negative eigenvalues, which are due to rounding, are set to 0.
    """
    values, vectors = np.linalg.eigh(moments)
    return np.maximum(values[::-1], 0), vectors[:, ::-1]


def with_fixed_signs(vectors: Array) -> Array:
    """Return columns (d, k) with the sign under which the entry of largest magnitude is positive."""
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0, keepdims=True), axis=0)
    return np.asarray(vectors * np.sign(largest))


def shrunk(spectrum: Array, share: float, relative: bool = False) -> Array:
    """Return (1 − s) λ + s λ̄ for a spectrum λ (d,) of mean λ̄; with `relative`, divided by λ̄.

    The spectrum of a sample is steeper than that of the distribution, the more so the fewer rows there are.

    Parameters
    ----------
    spectrum : ndarray of shape (d,)
        Eigenvalues, not negative.
    share : float
        s, from 0 to 1.
    relative : bool
        Whether to scale the result to a mean of 1.

    References
    ----------
    Ledoit and Wolf 2004, A well-conditioned estimator for large-dimensional covariance matrices, Journal of
    Multivariate Analysis 88.
    """
    mean = max(float(spectrum.mean()), TINY)
    unit = mean if relative else 1.0
    return np.asarray((1 - share) * spectrum / unit + share * (mean / unit))


def with_ridge(spectrum: Array, ridge: float) -> Array:
    """Return λ + r Σλ for a spectrum λ (d,), with negative λ taken as 0."""
    return np.asarray(np.maximum(spectrum, 0) + ridge * max(float(spectrum.sum()), TINY))
