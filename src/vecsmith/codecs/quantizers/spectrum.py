"""Principal components, and correction of the shrinkage that least squares causes along them."""

import numpy as np
from numpy.typing import NDArray

from vecsmith.codecs.stages import Floats

SHRINKAGE = 0.15
"""How far a spectrum is drawn to its mean: that of few vectors is too steep."""
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
    mean = X.mean(axis=0, dtype=np.float64)
    centered = X - mean
    spectrum, directions = np.linalg.eigh(centered.T @ centered / len(X))
    falling = np.maximum(spectrum[::-1], 0)
    # a spectrum that is all zero, as of one vector, still has to be coded
    variances = (1 - SHRINKAGE) * falling + SHRINKAGE * falling.mean() + np.finfo(np.float32).tiny
    return mean.astype(np.float32), variances, np.ascontiguousarray(directions[:, ::-1].T, np.float32)


def unshrinking(reproduced: Floats, X: Floats) -> Floats:
    """Return the matrix V g⁻ᵖ Vᵀ (d, d), which partly undoes the shrinkage g of the principal components V.

    Parameters
    ----------
    reproduced, X : ndarray of shape (n, d)
        The decoded vectors of a least-squares quantizer, and the original ones, centered. Least squares shrinks a
        component z to ẑ by g = E[ẑz]/E[z²].
    """
    V = np.linalg.eigh(X.T @ X)[1].astype(np.float32)
    reproduced, Z = reproduced @ V, X @ V
    variances = np.maximum((Z**2).mean(axis=0), np.finfo(np.float32).tiny)
    shrinkage = np.clip((reproduced * Z).mean(axis=0) / variances, 0.2, 1.2)
    return np.asarray((V * shrinkage**-UNSHRINKING_POWER) @ V.T, dtype=np.float32)
