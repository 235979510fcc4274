"""Residual quantization with two quantizers: a short code to scan, and a second one for rescoring."""

from collections.abc import Iterator, Mapping
from copy import copy
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from vecsmith.codecs.projection import transform
from vecsmith.codecs.registry import stage_named
from vecsmith.codecs.stages import Blocks, Codes, Floats, Quantizer, inner
from vecsmith.embeddings import normalize
from vecsmith.errors import VecsmithError

LENGTH_VECTORS = 10_000
"""Maximum number of vectors that the second length is fitted on."""


class Residual(Quantizer):
    """x̂ = a x̂₁ + ρ r̂, normalized, where r̂ is the direction of the residual r = x − a x̂₁ after the second quantizer.

    The second quantizer is fitted on the directions of residuals. The lengths a and ρ are fitted by least squares and
    shared by all vectors, because the lengths of residuals hardly differ. A code consists of the code of the first
    quantizer followed by that of the second.

    Parameters
    ----------
    first, second : str
        Specs of the quantizers.

    Attributes
    ----------
    lengths_ : ndarray of shape (2,)
        a and ρ.

    Raises
    ------
    VecsmithError
        If one of them is unknown, or is not a single quantizer.

    References
    ----------
    Jégou, Tavenard, Douze and Amsaleg 2011, Searching in one billion vectors: re-rank with source coding, ICASSP.
    """

    usage = "A+B"
    pattern = r"(?P<first>(?!faiss:)[^+]+)\+(?P<second>.+)"
    example = "hybrid4B+trellis4B"
    summary = "two quantizers, the second for the residual of the first: a scan of the first, rescored by both"
    state: ClassVar = {"lengths_": ("*",)}

    lengths_: Floats

    def __init__(self, first: str, second: str) -> None:
        self.first, self.second = _quantizer(first), _quantizer(second)
        self.spec = f"{self.first.spec}+{self.second.spec}"

    def _fit(self, X: Floats, seed: int) -> None:
        self.first.fit(X, seed)
        first = self.first.decode(self.first.encode(X))
        length = _least_squares(X, first)
        residuals = X - length * first
        self.second.fit(normalize(residuals), seed)
        residuals = residuals[np.random.default_rng(seed).permutation(len(X))[:LENGTH_VECTORS]]
        second = self.second.decode(self.second.encode(normalize(residuals)))
        self.lengths_ = np.array([length, _least_squares(residuals, second)], np.float32)

    @property
    def keeps_mean(self) -> bool:
        return self.first.keeps_mean or self.second.keeps_mean

    def recentered(self, blocks: Blocks) -> Self:
        """Return a copy whose means are those of the vectors in `blocks` and, for the second quantizer, residuals."""
        stage = copy(self)
        stage.first = self.first.recentered(blocks)

        def residuals() -> Iterator[Floats]:
            for X in blocks():
                yield stage._residuals(X, stage.first.encode(X))

        stage.second = self.second.recentered(residuals)
        stage._forget()
        return stage

    def arrays(self) -> dict[str, NDArray[Any]]:
        both = {"first": self.first, "second": self.second}
        nested = {f"{which}.{name}": array for which, one in both.items() for name, array in one.arrays().items()}
        return super().arrays() | nested

    def restore(self, arrays: Mapping[str, NDArray[Any]], dimensions: int) -> None:
        super().restore(arrays, dimensions)
        for which, one in (("first.", self.first), ("second.", self.second)):
            own = {name.removeprefix(which): array for name, array in arrays.items() if name.startswith(which)}
            one.restore(own, dimensions)

    @property
    def bytes_per_vector(self) -> int:
        return self.first.bytes_per_vector + self.second.bytes_per_vector

    def encode(self, X: Floats) -> Codes:
        codes = self.first.encode(X)
        return np.hstack([codes, self.second.encode(self._residuals(X, codes))])

    def _residuals(self, X: Floats, codes: Codes) -> Floats:
        """Return the directions (n, d) of the residuals of vectors (n, d) after the first quantizer."""
        return normalize(X - self.lengths_[0] * self.first.decode(codes))

    def decode(self, codes: Codes) -> Floats:
        first, second = self._split(codes)
        return normalize(self.lengths_[0] * self.first.decode(first) + self.lengths_[1] * self.second.decode(second))

    def _split(self, codes: Codes) -> tuple[Codes, Codes]:
        size = self.first.bytes_per_vector
        return codes[:, :size], codes[:, size:]

    def coordinates(self, codes: Codes) -> Floats:
        first, second = self._split(codes)
        a, b = self.lengths_[0] * self.first.coordinates(first), self.lengths_[1] * self.second.coordinates(second)
        squares = inner(a, a) + inner(b, b) + 2 * inner(transform(self._cosines).apply(a), b)
        result = np.hstack([a, b])
        result /= np.sqrt(np.maximum(squares, np.finfo(np.float32).tiny))[:, None]
        return result

    def project(self, Q: Floats) -> Floats:
        return np.hstack([self.first.project(Q), self.second.project(Q)])

    @cached_property
    def _cosines(self) -> Floats:
        """Inner products (k₂, k₁) of the two quantizers' coordinate axes."""
        every = np.eye(self.input_dimensions_, dtype=np.float32)
        return self.second.project(every).T @ self.first.project(every)


def _least_squares(X: Floats, Y: Floats) -> np.float32:
    """Return the factor a that minimizes ‖X − aY‖², for X and Y (n, d)."""
    return np.float32(np.vdot(X, Y) / max(np.vdot(Y, Y), np.finfo(np.float32).tiny))


def _quantizer(part: str) -> Quantizer:
    stage = stage_named(part)
    if not isinstance(stage, Quantizer) or isinstance(stage, Residual):
        raise VecsmithError(f"{part!r} is not a quantizer that + can combine; write two, such as hybrid24B+trellis24B.")
    return stage
