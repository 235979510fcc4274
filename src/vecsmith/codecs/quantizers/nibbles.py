"""Codes of groups of four bits: their packing, and the FAISS scan that serves them all."""

from abc import abstractmethod
from typing import Any

import faiss
import numpy as np

from vecsmith.codecs.quantizers.unit_length import SCALE_BYTES, UnitQuantizer
from vecsmith.codecs.stages import REFINE, Codes, Floats, attach_codes

ENTRIES = 16


class NibbleQuantizer(UnitQuantizer):
    """A quantizer whose decoding is a sum over groups of four bits, x̂ = μ + Σ_g C_g[code_g], normalized.

    So the score of a query is a sum of one number a group, read from a table of 16, which FAISS's 4-bit fast scan does.
    A quantizer of fewer bits a group stores just these; its index takes four a group in memory.
    """

    group_bits = 4
    """Bits of a group in a code."""

    @property
    @abstractmethod
    def n_groups(self) -> int:
        """Groups of a code, G."""

    @abstractmethod
    def groups(self, X: Floats) -> Codes:
        """Return the entry of every group (n, G), uint8, for vectors (n, d)."""

    @property
    @abstractmethod
    def codebooks(self) -> Floats:
        """What is multiplied with the projected queries, (G, 16, v): v of their values for every group."""

    @property
    def bytes_per_vector(self) -> int:
        return -(-self.n_groups * self.group_bits // 8)

    @property
    def memory_bytes_per_vector(self) -> int:
        """Bytes of four bits a group, of their copy in the order of FAISS's fast scan, and of a float32 scale."""
        return 2 * -(-self.n_groups // 2) + SCALE_BYTES

    def encode(self, X: Floats) -> Codes:
        return pack(self.groups(X), self.group_bits)

    def groups_of(self, codes: Codes) -> Codes:
        """Return the entry of every group (n, G) of codes."""
        return unpack(codes, self.group_bits, self.n_groups)

    def index(self, codes: Codes) -> Any:
        """Return FAISS's 4-bit fast scan, whose 8-bit tables round the scores, refined by exact scores."""
        if self.group_bits != 4:
            codes = pack(self.groups_of(codes), 4)
        exact = product_index(codes, self.codebooks)
        index = faiss.IndexRefine(faiss.IndexPQFastScan(exact), exact)
        index.k_factor = REFINE
        return index


def pack(values: Codes, bits: int) -> Codes:
    """Pack values (n, m) of `bits` each into bytes, in little bit order; the last byte is filled up with zeros."""
    stream = values[:, :, None] >> np.arange(bits, dtype=np.uint8) & 1
    return np.packbits(stream.reshape(len(values), -1), axis=1, bitorder="little")


def unpack(codes: Codes, bits: int, count: int) -> Codes:
    """Return the `count` values that `pack` packed."""
    if bits == 4:
        return np.stack([codes & 15, codes >> 4], axis=2).reshape(len(codes), -1)[:, :count]
    stream = np.unpackbits(codes, axis=1, bitorder="little", count=bits * count).reshape(len(codes), count, bits)
    return np.asarray((stream << np.arange(bits, dtype=np.uint8)).sum(axis=2), dtype=np.uint8)


def product_index(codes: Codes, codebooks: Floats) -> Any:
    """Return the FAISS ``IndexPQ`` of four bits a group (n, ⌈G/2⌉) and codebooks (G, 16, v): queries are (n, G · v)."""
    count, _, width = codebooks.shape
    even = count + count % 2
    index = faiss.IndexPQ(even * width, even, 4, faiss.METRIC_INNER_PRODUCT)
    padded = np.zeros((even, ENTRIES, width), np.float32)
    padded[:count] = codebooks
    faiss.copy_array_to_vector(padded.ravel(), index.pq.centroids)
    index.is_trained = True
    return attach_codes(index, codes)
