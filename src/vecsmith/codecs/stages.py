"""The contracts of a codec's stages: reducers (floats to fewer floats) and quantizers (floats to bytes).

A stage is a class in a file of this package; importing the package finds it (see `vecsmith.codecs.spec`). What it
declares is all that parsing, saving, loading, searching and the contract tests need:

- `pattern`, `usage`, `summary`, `example`: how it is written in a spec, and what it does;
- `requires_fit`: whether `fit` looks at the vectors, beyond their dimensions;
- `state`: its fitted attributes, which are saved, with their shapes in terms of d (the dimensions that come in),
  k (those that go out) and ``*`` (any);
- `takes`: the training options that a spec may give it.

Parsing a spec sets `spec`, the canonical text of the stage, and `options`, the training options that were given.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from vecsmith.cached import DropsCache
from vecsmith.errors import VecsmithError

Floats = NDArray[np.float32]
Codes = NDArray[np.uint8]
Bits = NDArray[np.bool_]
Blocks = Callable[[], Iterable[Floats]]
"""Returns vectors block by block, each (rows, d), anew at every call."""

REFINE = 4
"""How many times k documents of a fast scan are scored exactly."""

STAGES: dict[str, type["Stage"]] = {}
"""Every stage that a spec can name, by its usage."""


class Stage(DropsCache, ABC):
    """One step of a codec. Parameters are stored by ``__init__``; attributes learned by `fit` end in ``_``."""

    usage: ClassVar[str]
    pattern: ClassVar[str]
    summary: ClassVar[str]
    example: ClassVar[str]
    requires_fit: ClassVar[bool] = True
    state: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    takes: tuple[str, ...] = ()
    spec: str = ""
    options: Mapping[str, Any] = MappingProxyType({})
    input_dimensions_: int
    mean_: Floats

    def __init_subclass__(cls) -> None:
        if "usage" in vars(cls):
            STAGES[cls.usage] = cls

    def fit(self, X: Floats, seed: int = 0) -> Self:
        """Learn from the vectors `X` (n, d) and return the stage.

        Raises
        ------
        VecsmithError
            If the parameters do not suit n or d.
        """
        self.input_dimensions_ = X.shape[1]
        self._forget()
        self._fit(X, seed)
        return self

    def _forget(self) -> None:
        """Drop what was computed from former attributes."""
        for name in list(vars(self)):
            if isinstance(getattr(type(self), name, None), cached_property):
                delattr(self, name)

    @abstractmethod
    def _fit(self, X: Floats, seed: int) -> None:
        """Set the attributes of `state`."""

    @property
    def keeps_mean(self) -> bool:
        """Whether the stage stores the mean of its training vectors, which `recentered` replaces."""
        return "mean_" in self.state

    def recentered(self, blocks: Blocks) -> Self:
        """Return a copy whose mean is that of the vectors in `blocks`; a stage without a mean is returned unchanged."""
        if not self.keeps_mean:
            return self
        total, count = np.zeros(self.input_dimensions_), 0
        for block in blocks():
            total += block.sum(axis=0, dtype=np.float64)
            count += len(block)
        stage = copy(self)
        stage.mean_ = (total / count).astype(np.float32)
        stage._forget()
        return stage

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the fitted attributes by name, as they are saved."""
        return {name: getattr(self, name) for name in self.state}

    def restore(self, arrays: Mapping[str, NDArray[Any]], dimensions: int) -> None:
        """Take over what `arrays` returned, for vectors of so many `dimensions`.

        Raises
        ------
        KeyError, ValueError
            If an attribute is missing, or of another shape.
        """
        self.input_dimensions_ = dimensions
        for name, shape in self.state.items():
            array, sizes = arrays[name], {"d": dimensions, "k": self.output_dimensions}
            if array.ndim != len(shape) or any(
                sizes.get(axis, size) != size for axis, size in zip(shape, array.shape, strict=True)
            ):
                raise ValueError(f"{self.usage} has weights of shape {array.shape} where {shape} belongs")
            setattr(self, name, array)

    @property
    def output_dimensions(self) -> int:
        """Dimensions k of what goes out."""
        return self.input_dimensions_


class Reducer(Stage):
    """Maps (n, d) floats to (n, k) floats and back."""

    @abstractmethod
    def transform(self, X: Floats) -> Floats:
        """Reduce vectors (n, d) to (n, k)."""

    @abstractmethod
    def inverse_transform(self, Z: Floats) -> Floats:
        """Map (n, k) back to (n, d)."""

    def project_queries(self, Q: Floats) -> tuple[Floats, Floats]:
        """Return reduced queries (n, k) and offsets (n,) whose scores stand for those of the float queries.

        Where the inverse is affine, ⟨q, inverse_transform(z)⟩ = ⟨q', z⟩ + offset holds exactly. A reducer without
        such an inverse keeps this default: queries are reduced as documents are.
        """
        return self.transform(Q), np.zeros(len(Q), np.float32)


class Quantizer(Stage):
    """Maps (n, d) floats to (n, bytes_per_vector) bytes and back."""

    @property
    @abstractmethod
    def bytes_per_vector(self) -> int:
        """Bytes of a code, everything that is stored per vector included."""

    @property
    def scanned(self) -> bool:
        """Whether `index` scans the codes; if not, it holds the decoded vectors."""
        return type(self).index is not Quantizer.index

    @property
    def memory_bytes_per_vector(self) -> int:
        """Bytes per vector that a search holds in memory."""
        return self.bytes_per_vector if self.scanned else 4 * self.input_dimensions_

    @abstractmethod
    def encode(self, X: Floats) -> Codes:
        """Quantize vectors (n, d) to codes (n, bytes_per_vector), uint8."""

    @abstractmethod
    def decode(self, codes: Codes) -> Floats:
        """Return the vectors (n, d), float32, that the codes stand for."""

    def project_queries(self, Q: Floats) -> tuple[Floats, Floats]:
        """Return what `index` is searched with, and offsets (n,) to add to its scores."""
        return Q, np.zeros(len(Q), np.float32)

    def index(self, codes: Codes) -> Any:
        """Return a FAISS index of `codes` whose inner products with the projected queries rank the vectors.

        This default holds the decoded vectors; a quantizer that FAISS can scan as it is returns that instead.
        """
        flat = faiss.IndexFlatIP(self.input_dimensions_)
        flat.add(self.decode(codes))
        return flat

    def scales(self, codes: Codes) -> Floats | None:
        """Return factors (n,) of the scores that `index` gives the vectors; None where they need none."""
        return None

    def coordinates(self, codes: Codes) -> Floats:
        """Return the decoded vectors in a basis of the quantizer's own (n, k), in which they are made faster.

        Their inner products with what `project` returns are those of the queries with the decoded vectors.
        """
        return self.decode(codes)

    def project(self, Q: Floats) -> Floats:
        """Return queries (n, d) in the basis of `coordinates` (n, k)."""
        return Q


class BitQuantizer(Quantizer):
    """A quantizer of m bits whose decoding is affine in them: x̂ = μ + Aᵀb with b ∈ {−1, +1}ᵐ.

    So ⟨q, x̂⟩ = ⟨q, μ⟩ + ⟨Aq, b⟩: the query is projected once, and a scan is a sum of signs. Bits are packed in
    little bit order; the last byte is filled up with zeros.
    """

    @property
    def n_bits(self) -> int:
        """Bits of a code, m."""
        return self.input_dimensions_

    @property
    def bytes_per_vector(self) -> int:
        return -(-self.n_bits // 8)

    @property
    def memory_bytes_per_vector(self) -> int:
        """Bytes of the codes, and of their copy in the order of FAISS's fast scan."""
        return 2 * self.bytes_per_vector

    @abstractmethod
    def bits(self, X: Floats) -> Bits:
        """Return the bits (n, m) of vectors (n, d)."""

    @abstractmethod
    def from_signs(self, signs: Floats) -> Floats:
        """Decode bits given as −1 and +1, (n, m), to vectors (n, d)."""

    @cached_property
    def _affine(self) -> tuple[Floats, Floats]:
        """μ (d,) and A (8 · bytes_per_vector, d), zeros for the filling; or, where A is diagonal, its diagonal (d,)."""
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
        """Return the weight of every bit (n, 8 · bytes_per_vector), zero for the filling, and ⟨q, μ⟩ (n,)."""
        mean, A = self._affine
        return Q * A if A.ndim == 1 else Q @ A.T, Q @ mean

    def index(self, codes: Codes) -> Any:
        """Return FAISS's 4-bit fast scan, whose 8-bit tables round the scores, refined by exact scores.

        `sign_index` has the codebook; the best `REFINE` · k documents of the scan are scored again.
        """
        exact = sign_index(codes)
        index = faiss.IndexRefine(faiss.IndexPQFastScan(exact), exact)
        index.k_factor = REFINE
        return index


def check_range(spec: str, value: int, largest: int, unit: str, vectors: str) -> None:
    """Refuse a parameter of a spec that does not suit the vectors.

    Parameters
    ----------
    spec : str
        The stage as written, such as ``"pca400"``.
    value, largest : int
        The parameter, which must be from 1 to `largest`.
    unit : str
        What it counts, such as ``"bytes"``.
    vectors : str
        What the vectors are, such as ``"vectors of 384 dimensions"``.

    Raises
    ------
    VecsmithError
        If it is not.
    """
    if largest < 1:
        raise VecsmithError(f"{spec} does not suit {vectors}, nor does another number of {unit}; choose another codec.")
    if not 1 <= value <= largest:
        raise VecsmithError(f"{spec} does not suit {vectors}; choose from 1 to {largest} {unit}.")


def inner(A: Floats, B: Floats) -> Floats:
    """Return the inner products (n,) of the rows of A and B (n, d)."""
    return np.asarray(np.einsum("ij,ij->i", A, B), dtype=np.float32)


def signs(codes: Codes) -> Floats:
    """Unpack codes (n, bytes) to −1 and +1, (n, 8 · bytes), float32."""
    return np.unpackbits(codes, axis=1, bitorder="little").astype(np.float32) * 2 - 1


def sign_index(codes: Codes) -> Any:
    """Return the FAISS ``IndexPQ`` that scores packed bits: four a group, with the codebook {−1, +1}⁴."""
    bits = 8 * codes.shape[1]
    index = faiss.IndexPQ(bits, bits // 4, 4, faiss.METRIC_INNER_PRODUCT)
    codebook = signs(np.arange(16, dtype=np.uint8)[:, None])[:, :4]
    faiss.copy_array_to_vector(np.tile(codebook, (bits // 4, 1)).ravel(), index.pq.centroids)
    index.is_trained = True
    return attach_codes(index, codes)


def attach_codes(index: Any, codes: Codes) -> Any:
    """Give codes (n, bytes) to an empty FAISS index that keeps them as they are, and return it.

    Codes that nobody may write to, such as those of a memory-mapped file, are not copied: FAISS looks at them where
    they are, as it does in a file that it maps itself.
    """
    binary = isinstance(index, faiss.IndexBinaryFlat)
    if codes.flags.writeable or not codes.flags.c_contiguous:
        (index.add if binary else index.add_sa_codes)(np.ascontiguousarray(codes))
        return index
    view, start = index.xb if binary else index.codes, faiss.swig_ptr(codes)
    view.is_owned = False
    view.view_data = view.c_ptr = start
    view.view_size = view.c_size = codes.size
    index.ntotal, index.referenced_objects = len(codes), [codes]
    return index
