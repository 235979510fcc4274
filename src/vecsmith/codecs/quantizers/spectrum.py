"""Principal components, and correction of the shrinkage that least squares causes along them."""

import numpy as np
from numpy.typing import NDArray

from vecsmith.codecs.stages import Floats
from vecsmith.embeddings import Moments, principal_axes, shrunk

VARIANCE_SHRINKAGE = 0.15
"""Shrinkage of variances towards their mean before bits are allocated to components (docs/studies/quantizers.md)."""
UNSHRINKING_POWER = 0.5
"""The exponent p of `unshrinking` (docs/studies/quantizers.md)."""


def principal_components(X: Floats) -> tuple[Floats, NDArray[np.float64], Floats]:
    """Return the mean, the variances and the principal components of vectors.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Vectors.

    Returns
    -------
    mean : ndarray of shape (d,)
        The mean.
    variances : ndarray of shape (d,)
        Decreasing variances, shrunk towards their mean because the spectrum of a small sample is too steep.
    components : ndarray of shape (d, d)
        The components, as rows.
    """
    moments = Moments().add(X)
    spectrum, axes = principal_axes(moments.covariance)
    # a single vector has no variance, but its components still get bits
    variances = shrunk(spectrum, VARIANCE_SHRINKAGE) + np.finfo(np.float32).tiny
    return moments.mean.astype(np.float32), variances, np.ascontiguousarray(axes.T, np.float32)


def unshrinking(reproduced: Floats, X: Floats) -> Floats:
    """Return the matrix V g⁻ᵖ Vᵀ (d, d), which partly undoes the shrinkage g of the principal components V.

    Parameters
    ----------
    reproduced, X : ndarray of shape (n, d)
        The decoded vectors of a least-squares quantizer, and the original ones, centered. Least squares shrinks a
        component z to ẑ by g = E[ẑz]/E[z²].
    """
    V = np.linalg.eigh(Moments(center=0, dtype=np.float32).add(X).products)[1].astype(np.float32)
    reproduced, Z = reproduced @ V, X @ V
    variances = np.maximum((Z**2).mean(axis=0), np.finfo(np.float32).tiny)
    shrinkage = np.clip((reproduced * Z).mean(axis=0) / variances, 0.2, 1.2)
    return np.asarray((V * shrinkage**-UNSHRINKING_POWER) @ V.T, dtype=np.float32)
