"""Quantizers of groups of at most four bits: packing of the groups, and their FAISS index."""

from abc import abstractmethod
from typing import Any

import faiss
import numpy as np

from vecsmith.array_types import Codes, Floats
from vecsmith.codecs.quantizers.unit_length import FACTOR_BYTES, UnitQuantizer
from vecsmith.codecs.scan import attach_codes, refined_fast_scan

ENTRIES = 16
"""Codebook entries per group of four bits."""


class NibbleQuantizer(UnitQuantizer):
    """A quantizer whose decoding is a sum over groups of four bits, x̂ = μ + Σ_g C_g[code_g], normalized.

    The score of a query is then a sum of one table entry per group, which FAISS's 4-bit fast scan computes. A quantizer
    with fewer bits per group stores only these; its index in memory takes four bits per group.
    """

    group_bits = 4
    """Stored bits per group."""

    @property
    @abstractmethod
    def n_groups(self) -> int:
        """Number of groups per code, G."""

    @abstractmethod
    def groups(self, X: Floats) -> Codes:
        """Return the entry numbers (n, G), uint8, for vectors (n, d)."""

    @property
    @abstractmethod
    def codebooks(self) -> Floats:
        """Codebooks (G, 16, v) in the space of the projected queries, which have v values per group."""

    @property
    def bytes_per_vector(self) -> int:
        return -(-self.n_groups * self.group_bits // 8)

    @property
    def memory_bytes_per_vector(self) -> int:
        """Bytes of four bits per group, of their copy in the layout of FAISS's fast scan, and of a score factor."""
        return 2 * -(-self.n_groups // 2) + FACTOR_BYTES

    def encode(self, X: Floats) -> Codes:
        return pack(self.groups(X), self.group_bits)

    def groups_of(self, codes: Codes) -> Codes:
        """Return the entry numbers (n, G) of codes."""
        return unpack(codes, self.group_bits, self.n_groups)

    def index(self, codes: Codes) -> Any:
        """Return FAISS's 4-bit fast scan with exact rescoring, as `refined_fast_scan`."""
        if self.group_bits != 4:
            codes = pack(self.groups_of(codes), 4)
        return refined_fast_scan(product_index(codes, self.codebooks))


def pack(values: Codes, bits: int) -> Codes:
    """Pack values (n, m) of `bits` bits into bytes, in little-endian bit order; the last byte is padded with zeros."""
    if bits == 4:
        codes = values[:, ::2].copy()
        codes[:, : values.shape[1] // 2] |= values[:, 1::2] << 4
        return codes
    stream = values[:, :, None] >> np.arange(bits, dtype=np.uint8) & 1
    return np.packbits(stream.reshape(len(values), -1), axis=1, bitorder="little")


def unpack(codes: Codes, bits: int, count: int) -> Codes:
    """Unpack codes (n, bytes) to `count` values of `bits` bits each, (n, count), uint8; the inverse of `pack`."""
    if bits == 4:
        return np.stack([codes & 15, codes >> 4], axis=2).reshape(len(codes), -1)[:, :count]
    stream = np.unpackbits(codes, axis=1, bitorder="little", count=bits * count).reshape(len(codes), count, bits)
    return np.asarray((stream << np.arange(bits, dtype=np.uint8)).sum(axis=2), dtype=np.uint8)


def codebooks_of(index: Any) -> Floats:
    """Return the codebooks (G, 16, v) of a FAISS ``IndexPQ`` of four bits per group."""
    codebooks: Floats = faiss.vector_to_array(index.pq.centroids).reshape(index.pq.M, ENTRIES, -1)
    return codebooks


def product_index(codes: Codes, codebooks: Floats) -> Any:
    """Return a FAISS ``IndexPQ`` that scores codes with queries (m, G · v).

    Parameters
    ----------
    codes : ndarray of shape (n, ⌈G/2⌉), uint8
        Codes of four bits per group.
    codebooks : ndarray of shape (G, 16, v), float32
        Codebook entries. An odd G is padded with a group of zeros.
    """
    count, _, width = codebooks.shape
    even = count + count % 2
    index = faiss.IndexPQ(even * width, even, 4, faiss.METRIC_INNER_PRODUCT)
    padded = np.zeros((even, ENTRIES, width), np.float32)
    padded[:count] = codebooks
    faiss.copy_array_to_vector(padded.ravel(), index.pq.centroids)
    index.is_trained = True
    return attach_codes(index, codes)
