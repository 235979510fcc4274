"""Quantizers to bits whose decoding is affine, and their FAISS index."""

from abc import abstractmethod
from functools import cached_property
from typing import Any

import faiss
import numpy as np

from vecsmith.array_types import Bits, Codes, Floats
from vecsmith.codecs.scan import attach_codes, refined_fast_scan
from vecsmith.codecs.stages import Quantizer


class BitQuantizer(Quantizer):
    """A quantizer to m bits whose decoding is affine in them: x̂ = μ + Aᵀb with b ∈ {−1, +1}ᵐ.

    A score is then ⟨q, x̂⟩ = ⟨q, μ⟩ + ⟨Aq, b⟩: the query is projected once, and the scan adds up signed values. Bits are
    packed in little-endian bit order; the last byte is padded with zeros.
    """

    @property
    def n_bits(self) -> int:
        """Number of bits per code, m."""
        return self.input_dimensions_

    @property
    def bytes_per_vector(self) -> int:
        return -(-self.n_bits // 8)

    @property
    def memory_bytes_per_vector(self) -> int:
        """Bytes of a code and of its copy in the layout of FAISS's fast scan, if codes are scanned."""
        return 2 * self.bytes_per_vector if self.scanned else self.bytes_per_vector

    @abstractmethod
    def bits(self, X: Floats) -> Bits:
        """Return the bits (n, m) of vectors (n, d)."""

    @abstractmethod
    def from_signs(self, signs: Floats) -> Floats:
        """Decode bits given as −1 and +1, (n, m), to vectors (n, d)."""

    @cached_property
    def _affine(self) -> tuple[Floats, Floats]:
        """μ (d,), and A (8 · bytes_per_vector, d), zero-padded, or only its diagonal (d,) where A is diagonal."""
        decoded = self.from_signs(np.vstack([np.ones((1, self.n_bits)), 1 - 2 * np.eye(self.n_bits)]).astype("f4"))
        A = (decoded[0] - decoded[1:]) / 2
        mean, width = decoded[0] - A.sum(axis=0), 8 * self.bytes_per_vector
        diagonal = np.diag(A)
        if width == self.input_dimensions_ and np.array_equal(A, np.diag(diagonal)):
            return mean, diagonal
        return mean, np.pad(A, ((0, width - len(A)), (0, 0)))

    def encode(self, X: Floats) -> Codes:
        return np.packbits(self.bits(X), axis=1, bitorder="little")

    def decode(self, codes: Codes) -> Floats:
        return self.from_signs(signs(codes)[:, : self.n_bits])

    def project_queries(self, Q: Floats) -> tuple[Floats, Floats]:
        """Return the weights Aq (n, 8 · bytes_per_vector), zero for padding bits, and the offsets ⟨q, μ⟩ (n,)."""
        mean, A = self._affine
        return Q * A if A.ndim == 1 else Q @ A.T, Q @ mean

    def index(self, codes: Codes) -> Any:
        """Return FAISS's 4-bit fast scan with exact rescoring, as `refined_fast_scan`."""
        return refined_fast_scan(sign_index(codes))


def signs(codes: Codes) -> Floats:
    """Unpack codes (n, bytes) to −1 and +1, (n, 8 · bytes), float32."""
    return np.unpackbits(codes, axis=1, bitorder="little").astype(np.float32) * 2 - 1


def sign_index(codes: Codes) -> Any:
    """Return a FAISS ``IndexPQ`` of packed bits: groups of four bits with the codebook {−1, +1}⁴."""
    bits = 8 * codes.shape[1]
    index = faiss.IndexPQ(bits, bits // 4, 4, faiss.METRIC_INNER_PRODUCT)
    codebook = signs(np.arange(16, dtype=np.uint8)[:, None])[:, :4]
    faiss.copy_array_to_vector(np.tile(codebook, (bits // 4, 1)).ravel(), index.pq.centroids)
    index.is_trained = True
    return attach_codes(index, codes)
