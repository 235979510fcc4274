"""A global linear map with a local correction per cluster."""

from typing import ClassVar

import faiss
import numpy as np

from vecsmith.errors import VecsmithError
from vecsmith.translators.affine import affine, hold_out
from vecsmith.translators.base import Floats, Translator
from vecsmith.translators.linear import Linear

SHARPNESS = 20.0
"""Inverse temperature of the softmax over a vector's cosines with the centers."""
RIDGES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
"""Candidates for λ / (n E‖x‖²) of the local maps; the validation set chooses one."""


class Local(Translator):
    """y = f(x) + Σ_k p_k(x) (x − μ)W_k, where f is `Linear` and p the softmax of the cosines with K centers.

    The centers are found by spherical k-means on the source. Each W_k is a ridge regression of the residuals of f,
    weighted by p_k. All W_k are 0 if no λ lowers the error on the validation set.

    Parameters
    ----------
    clusters : int
        K.

    Attributes
    ----------
    weights_, offset_ : ndarray of shape (a, b) and (b,)
        W and c of f.
    mean_ : ndarray of shape (a,)
        μ, the mean of the source.
    centres_ : ndarray of shape (K, a)
        Centers of unit length.
    corrections_ : ndarray of shape (K, a, b)
        W_k.

    References
    ----------
    Jacobs, Jordan, Nowlan and Hinton 1991, Adaptive mixtures of local experts, Neural Computation 3.
    """

    usage = "localK"
    pattern = r"local(?P<clusters>\d+)"
    example = "local4"
    summary = "linear, and K local corrections, softly mixed"
    state: ClassVar = {**Linear.state, "mean_": ("a",), "centres_": ("*", "a"), "corrections_": ("*", "a", "b")}

    weights_: Floats
    offset_: Floats
    mean_: Floats
    centres_: Floats
    corrections_: Floats

    def __init__(self, clusters: int) -> None:
        self.clusters = clusters

    def _fit(self, X: Floats, Y: Floats) -> None:
        if not 1 <= self.clusters <= len(X):
            raise VecsmithError(f"{self.spec} is out of range for {len(X)} pairs; choose from 1 to {len(X)} clusters.")
        training, held_out = hold_out(len(X), self.seed)
        self._start(X[training], Y[training])
        errors = {0.0: self._error(X[held_out], Y[held_out])}
        local = self._moments(X[training], Y[training])
        for ridge in RIDGES:
            self.corrections_ = _solve(local, ridge)
            errors[ridge] = self._error(X[held_out], Y[held_out])
        best = min(errors, key=lambda ridge: errors[ridge])
        self._start(X, Y)
        if best:
            self.corrections_ = _solve(self._moments(X, Y), best)

    def _error(self, X: Floats, Y: Floats) -> float:
        return float(np.square(Y - self._map(X)).sum())

    def _start(self, X: Floats, Y: Floats) -> None:
        linear = Linear()
        linear.spec, linear.seed = "linear", self.seed
        linear.fit(X, Y)
        self.weights_, self.offset_ = linear.weights_, linear.offset_
        self.mean_ = X.mean(axis=0, dtype=np.float64).astype(np.float32)
        clustering = faiss.Kmeans(
            X.shape[1], self.clusters, seed=(self.seed + 1) % 2**31, spherical=True, min_points_per_centroid=1
        )
        clustering.train(X)
        self.centres_ = np.asarray(clustering.centroids, dtype=np.float32)
        self.corrections_ = np.zeros((self.clusters, *self.weights_.shape), np.float32)

    def _moments(self, X: Floats, Y: Floats) -> list[tuple[Floats, Floats]]:
        """Return XᵀPX / s and XᵀPR / s per cluster, with centered X, shares P, residuals R of f, and s = ‖X‖²."""
        centered, residuals = X - self.mean_, Y - affine(X, self.weights_, self.offset_)
        size = max(float(np.square(centered).sum()), float(np.finfo(np.float32).tiny))
        weighted = (centered.T * (share / size) for share in self._shares(X).T)
        return [(each @ centered, each @ residuals) for each in weighted]

    def _shares(self, X: Floats) -> Floats:
        """Return the shares p (n, K)."""
        lengths = np.maximum(np.linalg.norm(X, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        logits = SHARPNESS * (X / lengths) @ self.centres_.T
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True), dtype=np.float32)

    def _map(self, X: Floats) -> Floats:
        result, centered = affine(X, self.weights_, self.offset_), X - self.mean_
        for share, W in zip(self._shares(X).T, self.corrections_, strict=True):
            result += share[:, None] * (centered @ W)
        return result


def _solve(local: list[tuple[Floats, Floats]], ridge: float) -> Floats:
    """Return W_k (K, a, b) for the moments of each cluster and a relative λ."""
    return np.asarray(
        [np.linalg.solve(square + ridge * np.eye(len(square)), cross) for square, cross in local], np.float32
    )
