"""Quantisers whose codes stand for unit vectors: the norm that is divided by follows from the code."""

from abc import abstractmethod

import numpy as np

from vecsmith.codecs.base import BitQuantiser, Codes, Floats, Quantiser
from vecsmith.embeddings import normalise

BLOCK = 16_384
"""Vectors whose norms are computed at a time, which bounds the memory that takes."""


class UnitQuantiser(Quantiser):
    """A quantiser that divides what a code sums to by its norm; its index scans the sums, which `scales` corrects."""

    @abstractmethod
    def sums(self, codes: Codes) -> Floats:
        """Return what codes sum to, (n, d), before it is normalised."""

    def decode(self, codes: Codes) -> Floats:
        return normalise(self.sums(codes))

    def scales(self, codes: Codes) -> Floats:
        norms = np.empty(len(codes), np.float32)
        for start in range(0, len(codes), BLOCK):
            norms[start : start + BLOCK] = np.linalg.norm(self.sums(codes[start : start + BLOCK]), axis=1)
        return np.asarray(1 / np.maximum(norms, np.finfo(np.float32).tiny), dtype=np.float32)


class UnitBitQuantiser(UnitQuantiser, BitQuantiser):
    """A `BitQuantiser` of a given size whose affine decoding is normalised.

    Parameters
    ----------
    size : int
        Bytes of a code.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    @property
    def n_bits(self) -> int:
        return 8 * self.size

    def sums(self, codes: Codes) -> Floats:
        return BitQuantiser.decode(self, codes)
