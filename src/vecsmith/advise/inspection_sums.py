"""Sums over vectors, block by block, from which `Inspection` is derived."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecsmith.array_types import Vectors
from vecsmith.embeddings import Moments, normalize


class InspectionSums:
    """Running sums over rows: moments of the unit vectors, lengths, and hashes of the stored vectors.

    Parameters
    ----------
    rows, d : int
        Number of rows that will be added, and their dimensions.
    """

    def __init__(self, rows: int, d: int) -> None:
        self.n = self.zero_rows = 0
        self.norm_min, self.norm_sum, self.norm_max = np.inf, 0.0, 0.0
        self.third, self.positive = np.zeros(d), np.zeros(d)
        self.absolute = 0.0
        self.hashes: NDArray[np.uint64] = np.empty(rows, np.uint64)

    def add(self, block: Vectors) -> None:
        """Add rows (m, d) of the stored vectors, of any length."""
        norms = np.linalg.norm(block.astype(np.float32), axis=1).astype(np.float64)
        unit = normalize(block)
        if self.n == 0:
            # third moments cannot be moved to another reference point, so the first block sets it
            self.center = unit.mean(axis=0, dtype=np.float64)
            self.moments = Moments(self.center)
        digests = b"".join(hashlib.blake2b(row, digest_size=8).digest() for row in np.ascontiguousarray(block))
        self.hashes[self.n : self.n + len(block)] = np.frombuffer(digests, np.uint64)
        self.n += len(block)
        self.zero_rows += int((norms == 0).sum())
        self.norm_min, self.norm_max = min(self.norm_min, float(norms.min())), max(self.norm_max, float(norms.max()))
        self.norm_sum += float(norms.sum())
        self.positive += (unit > 0).sum(axis=0)
        self.absolute += float(np.abs(unit).sum(dtype=np.float64))
        self.moments.add(unit)
        centered = unit - self.center
        self.third += (centered * centered**2).sum(axis=0)  # pow(x, 3) is ten times slower

    def facts(self) -> dict[str, Any]:
        """Return the fields of an `Inspection` that follow from the sums."""
        n, d = self.n, len(self.center)
        self.hashes.sort()
        mean, covariance = self.moments.mean, self.moments.covariance
        offset = self.moments.sums / n
        second = covariance.diagonal() + offset**2
        variance = np.maximum(covariance.diagonal(), 0)
        # the variance of a constant is 0 up to rounding
        variance = np.where(variance > np.finfo(np.float64).eps * mean**2, variance, 0)
        third = self.third / n - 3 * offset * second + 2 * offset**3
        spectrum = np.linalg.eigvalsh(covariance)[::-1]
        moment = covariance + np.outer(mean, mean)
        with_length = n - self.zero_rows
        cosine_mean = (n**2 * float(mean @ mean) - with_length) / (n * (n - 1))
        cosine_square = (n**2 * float((moment**2).sum()) - with_length) / (n * (n - 1))
        return {
            "zero_rows": self.zero_rows,
            "norm_min": self.norm_min,
            "norm_mean": self.norm_sum / n,
            "norm_max": self.norm_max,
            "mean": mean,
            "spread": np.sqrt(variance),
            "skew": np.divide(third, variance**1.5, out=np.zeros(d), where=variance > 0),
            "positive": self.positive / n,
            "sign_cosine": self.absolute / n / np.sqrt(d),
            "spectrum": np.where(spectrum > d * np.finfo(np.float64).eps, spectrum, 0),
            "cosine_mean": cosine_mean,
            "cosine_spread": float(np.sqrt(max(cosine_square - cosine_mean**2, 0))),
            "duplicates": int((self.hashes[1:] == self.hashes[:-1]).sum()),
        }
