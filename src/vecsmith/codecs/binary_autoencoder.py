"""A binary auto-encoder: bits whose sum of learned directions is near the vector."""

from typing import ClassVar

import numpy as np

from vecsmith.codecs.base import Bits, Floats
from vecsmith.codecs.itq import iterative_quantisation, sign
from vecsmith.codecs.spectrum import unshrinking
from vecsmith.codecs.unit_length import UnitBitQuantiser
from vecsmith.errors import VecsmithError

RIDGE = 1e-3
"""Weight of ‖A‖² per training vector."""
ROUNDS, SWEEPS = 15, 3
ENCODING_SWEEPS = 4
BLOCK_VECTORS, BLOCK_BITS = 1024, 16
"""Vectors and bits that coordinate descent works on at a time, so that they stay in the cache."""


class BinaryAutoencoder(UnitBitQuantiser):
    """Bits b ∈ {−1, +1}ᵐ with x ≈ μ + Aᵀb, found by coordinate descent on ‖x − μ − Aᵀb‖².

    A and the bits of the training vectors are fitted in turns, A by ridge regression, from a start by iterative
    quantisation; bits beyond the d-th start on what the first left over. A code stands for x̂ = μ + Vᵀg⁻ᵖV Aᵀb,
    normalised: V are the principal components, and g = E[ẑz]/E[z²] says how far least squares shrinks each. Undoing
    some of that, and the norm, make documents easier to tell apart.

    Parameters
    ----------
    size : int
        Bytes of a code.

    Attributes
    ----------
    mean_ : ndarray of shape (d,)
        μ.
    start_ : ndarray of shape (d, m)
        The linear guess from which the bits descend.
    directions_ : ndarray of shape (m, d)
        A.
    decoder_ : ndarray of shape (m, d)
        A with the shrinkage undone.

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
        centred = X - self.mean_
        starts, left_over = [], centred
        for first in range(0, self.n_bits, X.shape[1]):
            starts.append(iterative_quantisation(left_over, min(X.shape[1], self.n_bits - first), rng))
            bits = sign(left_over @ starts[-1])
            left_over = left_over - bits @ _ridge(bits, left_over)
        self.start_ = np.hstack(starts)
        bits = sign(centred @ self.start_)
        A = _ridge(bits, centred)
        for _ in range(ROUNDS):
            bits = descend(centred, A, bits, SWEEPS)
            A = _ridge(bits, centred)
        self.directions_, self.decoder_ = A, A @ unshrinking(bits @ A, centred)

    def bits(self, X: Floats) -> Bits:
        centred = X - self.mean_
        return descend(centred, self.directions_, sign(centred @ self.start_), ENCODING_SWEEPS) > 0

    def from_signs(self, signs: Floats) -> Floats:
        return self.mean_ + signs @ self.decoder_


def _ridge(bits: Floats, X: Floats) -> Floats:
    """Return the A (m, d) that minimises ‖X − BA‖² + `RIDGE` · n ‖A‖²."""
    gram = bits.T @ bits + RIDGE * len(bits) * np.eye(bits.shape[1], dtype=np.float32)
    return np.asarray(np.linalg.solve(gram, bits.T @ X), dtype=np.float32)


def descend(X: Floats, A: Floats, bits: Floats, sweeps: int) -> Floats:
    """Lower ‖x − Aᵀb‖² of every vector by setting its bits in turn.

    b_j ← sign(h_j − Σ_{i≠j} G_ji b_i) with G = AAᵀ and h = Ax. Bits go by blocks, within which what each leaves to the
    others is kept up to date; the other blocks learn of the changes in one product.
    """
    G = A @ A.T
    result = np.empty_like(bits)
    for first in range(0, len(X), BLOCK_VECTORS):
        chosen = slice(first, first + BLOCK_VECTORS)
        b = np.ascontiguousarray(bits[chosen].T)
        field = np.asarray(A @ X[chosen].T - G @ b, dtype=np.float32)
        for _ in range(sweeps):
            for start in range(0, len(b), BLOCK_BITS):
                _descend_block(b, field, G, slice(start, start + BLOCK_BITS))
        result[chosen] = b.T
    return result


def _descend_block(b: Floats, field: Floats, G: Floats, block: slice) -> None:
    before, inside = b[block].copy(), field[block]
    for row, diagonal in enumerate(np.diagonal(G)[block]):
        bit = b[block.start + row]
        change = sign(inside[row] + diagonal * bit) - bit
        bit += change
        inside -= G[block, block.start + row, None] * change
    changes = b[block] - before
    for others in (slice(0, block.start), slice(block.stop, len(b))):
        field[others] -= G[others, block] @ changes
