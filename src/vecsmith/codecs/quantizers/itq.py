"""Iterative quantization: signs of rotated principal components."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vecsmith.codecs.quantizers.bits import Bits
from vecsmith.codecs.quantizers.unit_length import UnitBitQuantizer
from vecsmith.codecs.stages import Floats, check_range
from vecsmith.embeddings import Moments, principal_axes

ITERATIONS = 30
TRAINING_VECTORS = 20_000
"""Maximum number of vectors that the rotation is fitted on, which is enough."""


class ITQ(UnitBitQuantizer):
    """Signs of principal components, rotated so that the values are close to their signs.

    Such bits can be compared by Hamming distance. A code decodes to μ + αPb, normalized, with α of least squared error.

    Parameters
    ----------
    size : int
        Bytes per code, at most d/8.

    Attributes
    ----------
    mean_ : ndarray of shape (d,)
        μ.
    projection_ : ndarray of shape (d, m)
        P: m rotated principal components.
    scale_ : ndarray of shape (1,)
        α.

    References
    ----------
    Gong and Lazebnik 2011, Iterative quantization: a Procrustean approach to learning binary codes, CVPR.
    """

    usage = "itqNB"
    pattern = r"itq(?P<size>\d+)B"
    example = "itq5B"
    summary = "N bytes: signs of rotated principal components, for Hamming distance; fast scan"
    state: ClassVar = {"mean_": ("d",), "projection_": ("d", "*"), "scale_": ("*",)}

    mean_: Floats
    projection_: Floats
    scale_: Floats

    def _fit(self, X: Floats, seed: int) -> None:
        d = X.shape[1]
        check_range(f"itq{self.size}B", self.size, d // 8, "bytes", f"vectors of {d} dimensions")
        self.mean_ = X.mean(axis=0, dtype=np.float64).astype(np.float32)
        centered = X - self.mean_
        self.projection_ = iterative_quantization(centered, self.n_bits, np.random.default_rng(seed))
        self.scale_ = np.abs(centered @ self.projection_).mean(keepdims=True)[0].astype(np.float32)

    def bits(self, X: Floats) -> Bits:
        return np.asarray((X - self.mean_) @ self.projection_ > 0)

    def from_signs(self, signs: Floats) -> Floats:
        return np.asarray(self.mean_ + self.scale_ * signs @ self.projection_.T, dtype=np.float32)


def sign(values: NDArray[Any]) -> Floats:
    """Return 1 for positive values and −1 elsewhere."""
    return np.where(values > 0, np.float32(1), np.float32(-1))


def iterative_quantization(X: Floats, m: int, rng: np.random.Generator) -> Floats:
    """Return a projection (d, m) to principal components, rotated to minimize the error of taking signs.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Centered vectors.
    m : int
        Number of bits, at most d.
    rng : numpy.random.Generator
        Draws the initial rotation, and a sample if there are more than `TRAINING_VECTORS` vectors.
    """
    components = principal_axes(Moments(center=0, dtype=np.float32).add(X).products)[1][:, :m]
    rotation = np.linalg.qr(rng.standard_normal((m, m)))[0].astype(np.float32)
    Z = (X if len(X) <= TRAINING_VECTORS else X[rng.permutation(len(X))[:TRAINING_VECTORS]]) @ components
    for _ in range(ITERATIONS):
        left, _, right = np.linalg.svd(Z.T @ sign(Z @ rotation))
        rotation = left @ right
    return np.asarray(components @ rotation, dtype=np.float32)
