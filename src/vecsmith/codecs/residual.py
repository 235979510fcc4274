"""Two quantisers, of which the second codes what the first left: a short code to scan, and the rest to reorder by."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vecsmith.codecs.base import Codes, Floats, Quantiser, stage_named
from vecsmith.embeddings import normalise
from vecsmith.errors import VecsmithError

REFIT_VECTORS = 10_000


class Residual(Quantiser):
    """x̂ = x̂₁ + ρ r̂, normalised, where r̂ is the second quantiser's code of the direction of r = x − x̂₁.

    The second quantiser is fitted on such directions, and ρ, the length that they get, by least squares: the lengths of
    r themselves hardly differ. A code is that of the first quantiser, followed by that of the second.

    Parameters
    ----------
    first, second : str
        The quantisers, as in a spec.

    Attributes
    ----------
    length_ : ndarray of shape (1,)
        ρ.

    Raises
    ------
    VecsmithError
        If one of them is unknown, or is no quantiser of one code.

    References
    ----------
    Jégou, Tavenard, Douze and Amsaleg 2011, Searching in one billion vectors: re-rank with source coding, ICASSP.
    """

    usage = "A+B"
    pattern = r"(?P<first>(?!faiss:)[^+]+)\+(?P<second>.+)"
    example = "hybrid4B+trellis4B"
    summary = "two quantisers, the second for what the first left: a scan of the first, rescored by both"
    state: ClassVar = {"length_": ("*",)}

    length_: NDArray[np.float32]

    def __init__(self, first: str, second: str) -> None:
        self.second_spec = second
        self.first, self.second = _quantiser(first), _quantiser(second)

    def _fit(self, X: Floats, seed: int) -> None:
        self.first.fit(X, seed)
        left = X - self.first.decode(self.first.encode(X))
        self.second.fit(normalise(left), seed)
        left = left[np.random.default_rng(seed).permutation(len(X))[:REFIT_VECTORS]]
        coded = self.second.decode(self.second.encode(normalise(left)))
        length = (left * coded).sum() / np.maximum((coded**2).sum(), np.finfo(np.float32).tiny)
        self.length_ = np.array([length], np.float32)

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
        return np.hstack([codes, self.second.encode(normalise(X - self.first.decode(codes)))])

    def decode(self, codes: Codes) -> Floats:
        first, second = self._split(codes)
        return normalise(self.first.decode(first) + self.length_ * self.second.decode(second))

    def _split(self, codes: Codes) -> tuple[Codes, Codes]:
        size = self.first.bytes_per_vector
        return codes[:, :size], codes[:, size:]

    def coordinates(self, codes: Codes) -> Floats:
        first, second = self._split(codes)
        a, b = self.first.coordinates(first), self.length_ * self.second.coordinates(second)
        squares = (a**2).sum(axis=1) + (b**2).sum(axis=1) + 2 * (a @ self._cosines * b).sum(axis=1)
        norms = np.sqrt(np.maximum(squares, np.finfo(np.float32).tiny))
        return np.asarray(np.hstack([a, b]) / norms[:, None])

    def project(self, Q: Floats) -> Floats:
        return np.hstack([self.first.project(Q), self.second.project(Q)])

    @cached_property
    def _cosines(self) -> Floats:
        """Inner products (k₁, k₂) of the directions of the first quantiser's coordinates with those of the second's."""
        every = np.eye(self.input_dimensions_, dtype=np.float32)
        return self.first.project(every).T @ self.second.project(every)


def _quantiser(part: str) -> Quantiser:
    stage = stage_named(part)
    if not isinstance(stage, Quantiser) or isinstance(stage, Residual):
        raise VecsmithError(f"{part!r} is no quantiser that + can join; write two, such as hybrid24B+trellis24B.")
    return stage
