"""Whitened correlations: a linear map for ranking rather than for the smallest error."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from vecsmith.embeddings import with_ridge
from vecsmith.translators.affine import Affine, cross_moments
from vecsmith.translators.base import Floats

Array = NDArray[np.float64]

RIDGE = 2e-4
"""Added to every second moment, relative to their sum."""
WHITENING, CORRELATION, EVENING = 0.25, 0.5, 0.125
"""α, β and γ (docs/studies/translation.md)."""


class Canonical(Affine):
    """W ∝ Cx⁻ᵅ U Sᵝ Vᵀ Cy⁻ᵞ, where USVᵀ is the singular value decomposition of Cx⁻ᵅ Cxy Cy⁻ᵅ.

    Cx, Cy and Cxy are the moments of the centered pairs, the first two with a ridge. With α = β = γ = 0 it is the
    rotation of `Procrustes`; with α = ½, β = 1 and γ = −½ it is ridge regression, which shrinks what it cannot predict
    well: those are the small components that tell similar documents apart. What lies between the two ranks best
    (docs/studies/translation.md). W is scaled so that XW predicts Y with the smallest squared error that its direction
    can have.

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
    W = whitening @ (U * S**CORRELATION) @ Vt @ _power(Cy, -EVENING)
    # ⟨XW, Y⟩ and ‖XW‖², over n
    scale = np.vdot(W, Cxy) / max(float(np.vdot(W, Cx @ W)), float(np.finfo(np.float64).tiny))
    return np.asarray(W * scale, dtype=np.float32)


def _power(moments: Array, power: float) -> Array:
    """Return (C + λI)ᵖ for moments C."""
    spectrum, U = np.linalg.eigh(moments)
    return np.asarray((U * with_ridge(spectrum, RIDGE) ** power) @ U.T)
