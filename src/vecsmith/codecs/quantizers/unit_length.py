"""Quantizers that decode to unit vectors: the norm of a decoded sum follows from its code."""

from abc import abstractmethod
from functools import cached_property

import numpy as np

from vecsmith.array_types import Codes, Floats
from vecsmith.codecs.quantizers.bits import BitQuantizer
from vecsmith.codecs.stages import CODE_BLOCK_ROWS, Quantizer, inner
from vecsmith.embeddings import normalize

FACTOR_BYTES = 4
"""Bytes of a score factor in memory, float32."""


class UnitQuantizer(Quantizer):
    """A quantizer that normalizes a decoded sum. Its index scans the sums; `score_factors` are their inverse norms."""

    @abstractmethod
    def sums(self, codes: Codes) -> Floats:
        """Return the decoded vectors (n, d) before normalization."""

    def decode(self, codes: Codes) -> Floats:
        return normalize(self.sums(codes))

    def score_factors(self, codes: Codes) -> Floats:
        norms = np.empty(len(codes), np.float32)
        for start in range(0, len(codes), CODE_BLOCK_ROWS):
            norms[start : start + CODE_BLOCK_ROWS] = self.norms(codes[start : start + CODE_BLOCK_ROWS])
        return np.asarray(1 / np.maximum(norms, np.finfo(np.float32).tiny), dtype=np.float32)

    def norms(self, codes: Codes) -> Floats:
        """Return the norms (n,) of `sums`."""
        return _norms(self.sums(codes))


class ComponentQuantizer(Quantizer):
    """A quantizer of principal components: codes decode to μ + Wᵀv, normalized, where W has orthonormal rows.

    `coordinates` are the components along W and along the part of μ orthogonal to W. Norms and inner products follow
    from v alone, without computing d dimensions.

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
        """Return the decoded vectors (n, d) before normalization."""
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
        """Orthonormal basis (r + 1, d) of the coordinates, and the coordinates (r + 1,) of μ."""
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
    """A `BitQuantizer` of a given number of bytes whose affine decoding is normalized.

    Parameters
    ----------
    size : int
        Bytes per code.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    @property
    def n_bits(self) -> int:
        return 8 * self.size

    @property
    def memory_bytes_per_vector(self) -> int:
        """Bytes as of a `BitQuantizer`, and of a float32 score factor."""
        return super().memory_bytes_per_vector + FACTOR_BYTES

    def sums(self, codes: Codes) -> Floats:
        return BitQuantizer.decode(self, codes)


def _norms(X: Floats) -> Floats:
    return np.sqrt(inner(X, X))
