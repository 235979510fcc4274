"""Quantizers whose codes stand for unit vectors: the norm that is divided by follows from the code."""

from abc import abstractmethod
from functools import cached_property

import numpy as np

from vecsmith.codecs.stages import BitQuantizer, Codes, Floats, Quantizer, inner
from vecsmith.embeddings import normalize

BLOCK = 16_384
"""Vectors whose norms are computed at a time, which bounds the memory that takes."""


SCALE_BYTES = 4
"""Bytes of a scale in memory, float32."""


class UnitQuantizer(Quantizer):
    """A quantizer that divides what a code sums to by its norm; its index scans the sums, which `scales` corrects."""

    @abstractmethod
    def sums(self, codes: Codes) -> Floats:
        """Return what codes sum to, (n, d), before it is normalized."""

    def decode(self, codes: Codes) -> Floats:
        return normalize(self.sums(codes))

    def scales(self, codes: Codes) -> Floats:
        norms = np.empty(len(codes), np.float32)
        for start in range(0, len(codes), BLOCK):
            norms[start : start + BLOCK] = self.norms(codes[start : start + BLOCK])
        return np.asarray(1 / np.maximum(norms, np.finfo(np.float32).tiny), dtype=np.float32)

    def norms(self, codes: Codes) -> Floats:
        """Return the norms (n,) of what codes sum to."""
        return _norms(self.sums(codes))


class ComponentQuantizer(Quantizer):
    """A quantizer of principal components, whose codes stand for μ + Wᵀv, normalized, with W orthonormal rows.

    Its coordinates are those along W, and along what of μ is at right angles to them: norms and inner products follow
    from v, without the d dimensions.

    Attributes
    ----------
    mean_ : ndarray of shape (d,)
        μ.
    components_ : ndarray of shape (r, d)
        W.
    """

    mean_: Floats
    components_: Floats

    @abstractmethod
    def values(self, codes: Codes) -> Floats:
        """Return v (n, r)."""

    def sums(self, codes: Codes) -> Floats:
        """Return what codes stand for, (n, d), before it is normalized."""
        return np.asarray(self.mean_ + self.values(codes) @ self.components_, dtype=np.float32)

    def decode(self, codes: Codes) -> Floats:
        return normalize(self.sums(codes))

    def norms(self, codes: Codes) -> Floats:
        """Return the norms (n,) of `sums`."""
        return _norms(self._from_origin(codes))

    def coordinates(self, codes: Codes) -> Floats:
        result = self._from_origin(codes)
        result /= np.maximum(_norms(result), np.finfo(np.float32).tiny)[:, None]
        return result

    def project(self, Q: Floats) -> Floats:
        return Q @ self._basis[0].T

    @cached_property
    def _basis(self) -> tuple[Floats, Floats]:
        """Directions (r + 1, d) of the coordinates, and the coordinates (r + 1,) of μ."""
        along = self.components_ @ self.mean_
        rest = self.mean_ - along @ self.components_
        return np.vstack([self.components_, normalize(rest[None])]), np.append(along, np.linalg.norm(rest))

    def _from_origin(self, codes: Codes) -> Floats:
        values, mean = self.values(codes), self._basis[1]
        result = np.empty((len(codes), len(mean)), np.float32)
        np.add(values, mean[:-1], out=result[:, :-1])
        result[:, -1] = mean[-1]
        return result


class UnitBitQuantizer(UnitQuantizer, BitQuantizer):
    """A `BitQuantizer` of a given size whose affine decoding is normalized.

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

    @property
    def memory_bytes_per_vector(self) -> int:
        """Bytes as of a `BitQuantizer`, and of a float32 scale."""
        return super().memory_bytes_per_vector + SCALE_BYTES

    def sums(self, codes: Codes) -> Floats:
        return BitQuantizer.decode(self, codes)


def _norms(X: Floats) -> Floats:
    return np.sqrt(inner(X, X))
