"""Reducers that are one matrix, followed by normalization."""

import numpy as np

from vecsmith.array_types import Floats
from vecsmith.codecs.stages import Reducer
from vecsmith.embeddings import normalize


class LinearReducer(Reducer):
    """Base class of reducers z = Wx/‖Wx‖ with the reconstruction x̂ = Wᵀz.

    Attributes
    ----------
    components_ : ndarray of shape (k, d)
        W.
    """

    components_: Floats

    def transform(self, X: Floats) -> Floats:
        return normalize(X @ self.components_.T)

    def inverse_transform(self, Z: Floats) -> Floats:
        return np.asarray(Z @ self.components_, dtype=np.float32)

    def project_queries(self, Q: Floats) -> tuple[Floats, Floats]:
        return np.asarray(Q @ self.components_.T, dtype=np.float32), np.zeros(len(Q), np.float32)
