"""The binary autoencoder: the signed sum of learned directions approximates the vector."""

from typing import ClassVar

import numpy as np

from vecsmith.array_types import Bits, Floats
from vecsmith.codecs.quantizers.itq import iterative_quantization, sign
from vecsmith.codecs.quantizers.spectrum import unshrinking
from vecsmith.codecs.quantizers.unit_length import UnitBitQuantizer
from vecsmith.codecs.stages import CACHE_BLOCK_ROWS
from vecsmith.errors import VecsmithError
from vecsmith.progress import losses

RIDGE = 1e-3
"""Weight of ‖A‖² per training vector."""
MAX_ITERATIONS, SWEEPS = 15, 3
"""Maximum alternations of updates of A and of the bits, and sweeps of coordinate descent per update of the bits."""
TOLERANCE = 1e-3
"""Relative decrease of the loss below which fitting stops."""
ENCODING_SWEEPS = 4
"""Sweeps of coordinate descent in encoding."""
BLOCK_BITS = 24
"""Bits that coordinate descent updates at a time, so that they fit in the CPU cache."""


class BinaryAutoencoder(UnitBitQuantizer):
    """Bits b ∈ {−1, +1}ᵐ with x ≈ μ + Aᵀb, computed by coordinate descent on ‖x − μ − Aᵀb‖².

    Fitting alternates between A, by ridge regression, and the bits of the training vectors. Initial bits are computed
    by iterative quantization of the vectors, and bits beyond the d-th by iterative quantization of the residuals. A
    code decodes to x̂ = μ + Vᵀg⁻ᵖV Aᵀb, normalized: V are the principal components, and g = E[ẑz]/E[z²] their shrinkage
    by least squares. Undoing part of the shrinkage, and the normalization, improve retrieval.

    Parameters
    ----------
    size : int
        Bytes per code.

    Attributes
    ----------
    mean_ : ndarray of shape (d,)
        μ.
    start_ : ndarray of shape (d, m)
        The linear map to initial bits.
    directions_ : ndarray of shape (m, d)
        A.
    decoder_ : ndarray of shape (m, d)
        A with the shrinkage partly undone.

    References
    ----------
    Carreira-Perpiñán and Raziperchikolaei 2015, Hashing with binary autoencoders, https://arxiv.org/abs/1501.00756.
    Gong and Lazebnik 2011, Iterative quantization, CVPR.
    """

    usage = "binary-autoencoderNB"
    pattern = r"binary-autoencoder(?P<size>\d+)B"
    example = "binary-autoencoder5B"
    summary = "N bytes: bits whose learned directions sum to the vector; fast scan"
    state: ClassVar = {"mean_": ("d",), "start_": ("d", "*"), "directions_": ("*", "d"), "decoder_": ("*", "d")}

    mean_: Floats
    start_: Floats
    directions_: Floats
    decoder_: Floats

    def _fit(self, X: Floats, seed: int) -> None:
        if self.size < 1:
            raise VecsmithError("binary-autoencoder0B has no bits; ask for a byte or more.")
        rng = np.random.default_rng(seed)
        self.mean_ = X.mean(axis=0, dtype=np.float64).astype(np.float32)
        centered = X - self.mean_
        starts, residuals = [], centered
        for first in range(0, self.n_bits, X.shape[1]):
            starts.append(iterative_quantization(residuals, min(X.shape[1], self.n_bits - first), rng))
            bits = sign(residuals @ starts[-1])
            residuals = residuals - bits @ _ridge(bits, residuals)[0]
        self.start_ = np.hstack(starts)
        bits = sign(centered @ self.start_)
        A, lowest = _ridge(bits, centered)
        with losses(f"binary-autoencoder{self.size}B", MAX_ITERATIONS) as report:
            for _ in range(MAX_ITERATIONS):
                bits = descend(centered, A, bits, SWEEPS)
                A, loss = _ridge(bits, centered)
                report(loss)
                if loss > (1 - TOLERANCE) * lowest:
                    break
                lowest = loss
        self.directions_, self.decoder_ = A, A @ unshrinking(bits @ A, centered)

    def bits(self, X: Floats) -> Bits:
        centered = X - self.mean_
        return descend(centered, self.directions_, sign(centered @ self.start_), ENCODING_SWEEPS) > 0

    def from_signs(self, signs: Floats) -> Floats:
        return self.mean_ + signs @ self.decoder_


def _ridge(bits: Floats, X: Floats) -> tuple[Floats, float]:
    """Return the A (m, d) that minimizes ‖X − BA‖² + `RIDGE` · n ‖A‖², and the minimum divided by ‖X‖²."""
    products, weight = bits.T @ X, np.float32(RIDGE * len(bits))
    A = np.linalg.solve(bits.T @ bits + weight * np.eye(bits.shape[1], dtype=np.float32), products)
    return A, 1 - float(np.vdot(A, products) / max(np.vdot(X, X), np.finfo(np.float32).tiny))


def descend(X: Floats, A: Floats, bits: Floats, sweeps: int) -> Floats:
    """Minimize ‖x − Aᵀb‖² of each vector by coordinate descent over its bits.

    The update is b_j ← sign(h_j − Σ_{i≠j} G_ji b_i) with G = AAᵀ and h = Ax. Bits are updated in blocks: one large
    product sums over the bits outside the block, and small products, in the CPU cache, over those inside.

    Parameters
    ----------
    X : ndarray of shape (n, d), float32
        Centered vectors x.
    A : ndarray of shape (m, d), float32
        Directions.
    bits : ndarray of shape (n, m), float32
        Initial bits b, −1 or +1.
    sweeps : int
        Number of updates of every bit.

    Returns
    -------
    ndarray of shape (n, m), float32
        The improved bits.
    """
    G = A @ A.T
    blocks = [slice(start, start + BLOCK_BITS) for start in range(0, len(A), BLOCK_BITS)]
    inside = [G[block, block].copy() for block in blocks]
    for block, coupling in zip(blocks, inside, strict=True):
        np.fill_diagonal(coupling, 0)
        G[block, block] = 0
    result = np.empty_like(bits)
    for first in range(0, len(X), CACHE_BLOCK_ROWS):
        chosen = slice(first, first + CACHE_BLOCK_ROWS)
        b, h = np.ascontiguousarray(bits[chosen].T), A @ X[chosen].T
        for _ in range(sweeps):
            for block, coupling in zip(blocks, inside, strict=True):
                _descend_block(b[block], np.subtract(h[block], G[block] @ b, dtype=np.float32), coupling)
        result[chosen] = b.T
    return result


def _descend_block(b: Floats, field: Floats, coupling: Floats) -> None:
    for bit, own, others in zip(b, field, coupling, strict=True):
        np.copysign(np.float32(1), own - others @ b, out=bit)
