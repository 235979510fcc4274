"""Trellis-coded quantization of principal components: the best quality per byte, searched through sketches."""

from collections.abc import Callable
from functools import cached_property
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vecsmith.array_types import Codes, Floats, RowNumbers
from vecsmith.codecs.compiled_modules import compiled_module
from vecsmith.codecs.quantizers import early_termination
from vecsmith.codecs.quantizers.sketch import SketchIndex
from vecsmith.codecs.quantizers.spectrum import principal_components
from vecsmith.codecs.quantizers.trellis_coding import (
    STATES,
    Step,
    all_values,
    allocate,
    distortions,
    pack,
    reproduce,
    reversed_tables,
    table_numbers,
    unpack,
    viterbi,
)
from vecsmith.codecs.quantizers.unit_length import ComponentQuantizer
from vecsmith.codecs.stages import check_range

UNSHRINKING_POWER = 0.75
"""The exponent p of `Trellis`. Retrieval improves up to this value (docs/studies/quantizers.md)."""
GAIN_VECTORS = 3000
"""Maximum number of vectors that the gains are fitted on."""
MIN_SKETCH_BYTES, MAX_SKETCH_BYTES = 16, 18
"""Sketches take half of the bytes of a code, within these bounds."""


class Trellis(ComponentQuantizer):
    """Trellis-coded principal components, with bits allocated by reverse water-filling.

    With z = W(x − μ)/√λ, trellis-coded as ẑ, a code decodes to x̂ = μ + Wᵀ(√λ · a · g⁻ᵖ · ẑ), normalized: a is the
    least-squares gain, and g = 1 − D(rate) is the fraction of a component's variance that its code keeps. Least squares
    alone shrinks coarsely coded components towards the mean, although these distinguish documents; g⁻ᵖ partly undoes
    that.

    Parameters
    ----------
    size : int
        Bytes per code, at most d/2.

    Attributes
    ----------
    mean_ : ndarray of shape (d,)
        μ.
    components_ : ndarray of shape (r, d)
        W: the components that get bits, by increasing variance, so that the bit stream starts where errors have the
        least weight.
    scale_, gain_ : ndarray of shape (r,)
        √λ, and √λ · a · g⁻ᵖ.
    steps_ : ndarray of shape (steps, 2), uint8
        Number of bits and of values of each step.

    References
    ----------
    See `vecsmith.codecs.quantizers.trellis_coding`.
    """

    usage = "trellisNB"
    pattern = r"trellis(?P<size>\d+)B"
    example = "trellis8B"
    summary = "N bytes: trellis-coded principal components; best quality per byte, searched through sketches"
    state: ClassVar = {
        "mean_": ("d",),
        "components_": ("*", "d"),
        "scale_": ("*",),
        "gain_": ("*",),
        "steps_": ("*", "*"),
    }

    mean_: Floats
    components_: Floats
    scale_: Floats
    gain_: Floats
    steps_: NDArray[np.uint8]

    def __init__(self, size: int) -> None:
        self.size = size

    def _fit(self, X: Floats, seed: int) -> None:
        n, d = X.shape
        check_range(f"trellis{self.size}B", self.size, d // 2, "bytes", f"vectors of {d} dimensions")
        self.mean_, variances, components = principal_components(X)
        steps = allocate(variances, 8 * self.size)
        r = sum(v for _, v in steps)
        self.steps_ = np.array(steps[::-1], np.uint8)
        self.components_ = components[:r][::-1].copy()
        self.scale_ = np.sqrt(variances[:r][::-1]).astype(np.float32)
        self.gain_ = self.scale_ * self._gain(X[np.random.default_rng(seed).permutation(n)[:GAIN_VECTORS]])

    def _gain(self, X: Floats) -> Floats:
        """Return the gains a · g⁻ᵖ (r,), fitted on the vectors `X` (n, d)."""
        Z = self._components(X)
        reproduced = reproduce(viterbi(Z, self._steps, self.scale_**2), self._steps)
        least_squares = (Z * reproduced).sum(axis=0) / np.maximum((reproduced**2).sum(axis=0), 1e-9)
        kept_variance = [1 - distortions()[step] for step in self._steps for _ in range(step[1])]
        return np.asarray(least_squares * np.array(kept_variance) ** -UNSHRINKING_POWER, dtype=np.float32)

    @cached_property
    def _steps(self) -> tuple[Step, ...]:
        return tuple((int(k), int(v)) for k, v in self.steps_)

    def _components(self, X: Floats) -> Floats:
        Z = np.asarray((X - self.mean_) @ self.components_.T, dtype=np.float32)
        Z /= self.scale_
        return Z

    @property
    def bytes_per_vector(self) -> int:
        return self.size

    def encode(self, X: Floats) -> Codes:
        return pack(viterbi(self._components(X), self._steps, self.scale_**2), self._steps)

    def values(self, codes: Codes) -> Floats:
        compiled = _kernels()
        if compiled is None:
            return reproduce(unpack(codes, self._steps), self._steps) * self.gain_
        result = np.empty((len(codes), len(self.gain_)), np.float32)
        compiled.reproduce(_writable(codes), *self._compiled_tables, result)
        return result

    @property
    def sketch_bytes(self) -> int:
        """Bytes of the sketch by which `index` ranks a code."""
        return min(MAX_SKETCH_BYTES, max(MIN_SKETCH_BYTES, self.size // 2), self.input_dimensions_ // 2)

    @property
    def memory_bytes_per_vector(self) -> int:
        """Bytes of a code and of its sketch."""
        return self.size + self.sketch_bytes

    @property
    def scanned_by_faiss(self) -> bool:
        return False

    def project_queries(self, Q: Floats) -> tuple[Floats, Floats]:
        """Return queries in the basis of `coordinates`, and offsets of 0."""
        return self.project(Q), np.zeros(len(Q), np.float32)

    def index(self, codes: Codes) -> SketchIndex:
        """Return an index that scans sketches of the codes, and scores its candidates from the codes."""
        return SketchIndex(self, codes, self.sketch_bytes)

    def rescore(
        self, Z: Floats, codes: Codes, candidates: RowNumbers, estimates: Floats, k: int
    ) -> tuple[Floats, RowNumbers]:
        """Return the best k candidates of each query by exact scores, without decoding codes.

        A value follows from the state of its step, so ⟨q, μ + Wᵀv⟩ and ‖μ + Wᵀv‖² are sums over the steps of one table
        entry per state.

        Parameters
        ----------
        Z : ndarray of shape (n, r + 1), float32
            Queries; see `project`.
        codes : ndarray of shape (m, bytes_per_vector), uint8
            All codes.
        candidates, estimates, k
            As for `early_termination.rescore`, which also describes the result.
        """
        compiled = _kernels()
        if compiled is None:
            return early_termination.rescore((self._scorer(z, codes) for z in Z), candidates, estimates, k)
        scores, places = np.empty((len(Z), k), np.float32), np.empty((len(Z), k), np.int64)
        compiled.rescore(codes, *self._compiled_tables, self._basis[1], Z, candidates, estimates, scores, places)
        return scores, places

    def _scorer(self, z: Floats, codes: Codes) -> Callable[[RowNumbers], Floats]:
        """Return the function that scores the codes at positions (m,) exactly for a query (r + 1,)."""
        values, squares, first = self._tables
        products, mean = np.add.reduceat(z[:-1, None] * values, first, axis=0), self._basis[1]

        def score(rows: RowNumbers) -> Floats:
            entries = unpack(codes[rows], self._steps) + STATES * np.arange(len(self._steps), dtype=np.int32)
            norms = mean @ mean + squares.take(entries).sum(axis=1)
            scores = z @ mean + products.take(entries).sum(axis=1)
            return np.asarray(scores / np.sqrt(np.maximum(norms, np.finfo(np.float32).tiny)), dtype=np.float32)

        return score

    @cached_property
    def _tables(self) -> tuple[Floats, Floats, NDArray[np.int64]]:
        """Values (r, `STATES`), squared norms less ‖μ‖² (steps, `STATES`), and the first component of every step."""
        values = all_values(self._steps) * self.gain_[:, None]
        first = np.cumsum([0, *(v for _, v in self._steps[:-1])])
        along = self._basis[1][:-1, None]
        return values, np.add.reduceat((2 * along + values) * values, first, axis=0), first

    @cached_property
    def _compiled_tables(self) -> tuple[NDArray[Any], ...]:
        """Last bit and number of values of each step; table of each value; tables; gains: what `_kernels` reads."""
        bits, counts = np.array(self._steps, np.int64).T
        return np.cumsum(bits), counts.copy(), table_numbers(self._steps), reversed_tables(), self.gain_


def _kernels() -> ModuleType | None:
    """Return the compiled loops of `vecsmith.codecs.quantizers._trellis_kernels`, or None if numba is not installed."""
    return compiled_module(f"{__package__}._trellis_kernels")


def _writable(codes: Codes) -> Codes:
    """Return the codes as a contiguous writable array, the only kind that the compiled loops are compiled for."""
    return np.require(codes, np.uint8, ["C_CONTIGUOUS", "WRITEABLE"])
