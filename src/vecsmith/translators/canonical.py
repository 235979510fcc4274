"""A linear map from partially whitened correlations, optimized for ranking rather than squared error."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from vecsmith.embeddings import with_ridge
from vecsmith.translators.affine import Affine, cross_moments
from vecsmith.translators.base import Floats

Array = NDArray[np.float64]

RIDGE = 2e-4
"""Ridge added to every second moment, relative to their sum."""
WHITENING, CORRELATION_POWER, TARGET_WHITENING = 0.25, 0.5, 0.125
"""The exponents α, β and γ (docs/studies/translation.md)."""


class Canonical(Affine):
    """W ∝ Cx⁻ᵅ U Sᵝ Vᵀ Cy⁻ᵞ, where USVᵀ is the singular value decomposition of Cx⁻ᵅ Cxy Cy⁻ᵅ.

    Cx, Cy and Cxy are the covariances of the pairs, Cx and Cy with a ridge. α = β = γ = 0 gives the rotation of
    `Procrustes`; α = ½, β = 1 and γ = −½ give ridge regression. Ridge regression shrinks components that it predicts
    badly, which are the small components that distinguish similar documents. Exponents between the two rank best
    (docs/studies/translation.md). W is scaled to the least squared error of XW as a prediction of Y.

    References
    ----------
    Hotelling 1936, Relations between two sets of variates, Biometrika 28. Artetxe, Labaka and Agirre 2018, Generalizing
    and improving bilingual word embedding mappings with a multi-step framework of linear transformations, AAAI.
    """

    usage = "canonical"
    pattern = "canonical"
    example = "canonical"
    summary = "a linear map weighted for retrieval, between a rotation and ridge regression"
    state: ClassVar = Affine.state

    def _solve(self, X: Floats, Y: Floats) -> Floats:
        return canonical_map(cross_moments(X, X), cross_moments(Y, Y), cross_moments(X, Y))


def canonical_map(Cx: Array, Cy: Array, Cxy: Array) -> Floats:
    """Return W (a, b) for the covariances Cx (a, a), Cy (b, b) and Cxy (a, b) of pairs."""
    whitening = _power(Cx, -WHITENING)
    U, S, Vt = np.linalg.svd(whitening @ Cxy @ _power(Cy, -WHITENING), full_matrices=False)
    W = whitening @ (U * S**CORRELATION_POWER) @ Vt @ _power(Cy, -TARGET_WHITENING)
    # ⟨XW, Y⟩ and ‖XW‖², over n
    scale = np.vdot(W, Cxy) / max(float(np.vdot(W, Cx @ W)), float(np.finfo(np.float64).tiny))
    return np.asarray(W * scale, dtype=np.float32)


def _power(moments: Array, power: float) -> Array:
    """Return (C + λI)ᵖ for second moments C."""
    spectrum, U = np.linalg.eigh(moments)
    return np.asarray((U * with_ridge(spectrum, RIDGE) ** power) @ U.T)
