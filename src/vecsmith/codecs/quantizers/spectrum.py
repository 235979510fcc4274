"""Principal components: how vectors spread, and what least squares does to the components of little variance."""

import numpy as np
from numpy.typing import NDArray

from vecsmith.codecs.stages import Floats
from vecsmith.embeddings import Moments, principal_axes, shrunk

VARIANCE_SHRINKAGE = 0.15
"""Share by which variances are shrunk to their mean before bits are allocated to components (docs/quantizers.md)."""
UNSHRINK = 0.5
"""The exponent p of `unshrinking` (docs/studies/quantizers.md)."""


def principal_components(X: Floats) -> tuple[Floats, NDArray[np.float64], Floats]:
    """Return the mean (d,), the variances (d,) by falling size, drawn to their mean, and the components (d, d), rows.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Vectors.
    """
    moments = Moments().add(X)
    spectrum, axes = principal_axes(moments.covariance)
    # a single vector has no variance, but its components still get bits
    variances = shrunk(spectrum, VARIANCE_SHRINKAGE) + np.finfo(np.float32).tiny
    return moments.mean.astype(np.float32), variances, np.ascontiguousarray(axes.T, np.float32)


def unshrinking(reproduced: Floats, X: Floats) -> Floats:
    """Return V g⁻ᵖ Vᵀ (d, d), which undoes some of what least squares shrinks the principal components V by.

    Parameters
    ----------
    reproduced, X : ndarray of shape (n, d)
        What codes stand for, and the centered vectors that they are codes of; g = E[ẑz]/E[z²] for every component.
    """
    V = np.linalg.eigh(Moments(center=0, dtype=np.float32).add(X).products)[1].astype(np.float32)
    reproduced, Z = reproduced @ V, X @ V
    variances = np.maximum((Z**2).mean(axis=0), np.finfo(np.float32).tiny)
    kept = np.clip((reproduced * Z).mean(axis=0) / variances, 0.2, 1.2)
    return np.asarray((V * kept**-UNSHRINK) @ V.T, dtype=np.float32)
