"""The contracts of a codec's stages: reducers (floats to fewer floats) and quantizers (floats to bytes).

A stage is a class in a module of `reducers` or `quantizers`; `vecsmith.codecs.spec` imports all of them. Its class
attributes describe it to parsing, saving, loading, searching and the contract tests:

- `pattern`, `usage`, `summary`, `example`: its syntax in a spec, and a description;
- `requires_fit`: whether `fit` reads more of the vectors than their number of dimensions;
- `state`: the names of its fitted attributes, which are saved, with their shapes: d is the number of input
  dimensions, k the number of output dimensions, and ``*`` any number;
- `takes`: the names of the training options that it accepts in a spec.

Parsing a spec sets `spec`, the canonical text of the stage, and `options`, its training options.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from copy import copy
from functools import cached_property
from threading import Lock
from types import MappingProxyType
from typing import Any, ClassVar, Self

import faiss
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from vecsmith.array_types import Codes, Floats
from vecsmith.cached import DropsCache
from vecsmith.codecs.scan import DecodedIndex
from vecsmith.errors import VecsmithError
from vecsmith.plugins import Registry
from vecsmith.progress import track

Blocks = Callable[[], Iterable[Floats]]
"""Function that returns a new iterator over all vectors in blocks (rows, d), at every call."""

CODE_BLOCK_ROWS = 16_384
"""Maximum vectors encoded, decoded or scored at a time, which bounds the memory."""
CACHE_BLOCK_ROWS = 1024
"""Vectors that a quantizer processes at a time so that intermediate results fit in the CPU cache."""

ONE_POOL = Lock()
"""Lock of the pool of threads that process blocks."""

STAGES: Registry[type["Stage"]] = Registry("vecsmith.codecs")
"""All stage classes that a spec can name, by their `usage`."""


def for_each_block(function: Callable[[slice], None], count: int, description: str = "") -> None:
    """Call a function for every block of `CODE_BLOCK_ROWS` rows, in threads.

    Parameters
    ----------
    function : callable
        Function of a slice of rows.
    count : int
        Number of rows.
    description : str
        Description of the task, if progress is to be shown.

    Notes
    -----
    There are as many threads as ``faiss.omp_set_num_threads`` sets. With several, matrix products of NumPy run on one
    thread each meanwhile, and a concurrent call waits for its turn: both would compete for the same cores.
    """
    blocks = [slice(start, start + CODE_BLOCK_ROWS) for start in range(0, count, CODE_BLOCK_ROWS)]
    n_threads = min(faiss.omp_get_max_threads(), len(blocks))
    with single_threaded_pool(n_threads) if n_threads > 1 else nullcontext() as pool:
        done = pool.map(function, blocks) if pool else map(function, blocks)
        for _ in track(done, description, len(blocks)) if description else done:
            pass


@contextmanager
def single_threaded_pool(count: int) -> Iterator[ThreadPoolExecutor]:
    """Open a pool of threads in which NumPy's BLAS and FAISS use one thread each."""
    # the limit holds for the whole process, so two pools that overlap might restore each other's limit
    with (
        ONE_POOL,
        threadpool_limits(1, user_api="blas"),
        ThreadPoolExecutor(count, initializer=faiss.omp_set_num_threads, initargs=(1,)) as pool,
    ):
        yield pool


class Stage(DropsCache, ABC):
    """One step of a codec. ``__init__`` stores parameters; attributes learned by `fit` end in ``_``."""

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
        """Delete cached properties, which depend on the fitted attributes."""
        for name in list(vars(self)):
            if isinstance(getattr(type(self), name, None), cached_property):
                delattr(self, name)

    @abstractmethod
    def _fit(self, X: Floats, seed: int) -> None:
        """Set the attributes named in `state`."""

    @property
    def keeps_mean(self) -> bool:
        """Whether the stage stores the mean of its training vectors, which `recentered` replaces."""
        return "mean_" in self.state

    def recentered(self, blocks: Blocks) -> Self:
        """Return a copy with the mean of the vectors in `blocks`; a stage without a mean is returned unchanged."""
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
        """Return the fitted attributes by the names under which they are saved."""
        return {name: getattr(self, name) for name in self.state}

    def restore(self, arrays: Mapping[str, NDArray[Any]], dimensions: int) -> None:
        """Set the fitted attributes to the result of `arrays`, for vectors of `dimensions` dimensions.

        Raises
        ------
        KeyError, ValueError
            If an attribute is missing or has the wrong shape.
        """
        self.input_dimensions_ = dimensions
        for name, shape in self.state.items():
            array, sizes = arrays[name], {"d": dimensions, "k": self.output_dimensions}
            if array.ndim != len(shape) or any(
                sizes.get(axis, size) != size for axis, size in zip(shape, array.shape, strict=True)
            ):
                raise ValueError(f"{self.usage} has weights of shape {array.shape} instead of {shape}")
            setattr(self, name, array)

    @property
    def output_dimensions(self) -> int:
        """Number of output dimensions, k."""
        return self.input_dimensions_


class Reducer(Stage):
    """Maps (n, d) floats to (n, k) floats and back."""

    @abstractmethod
    def transform(self, X: Floats) -> Floats:
        """Reduce vectors (n, d) to (n, k)."""

    @abstractmethod
    def inverse_transform(self, Z: Floats) -> Floats:
        """Map reduced vectors (n, k) back to (n, d)."""

    def project_queries(self, Q: Floats) -> tuple[Floats, Floats]:
        """Project float queries for scoring against reduced vectors.

        Parameters
        ----------
        Q : ndarray of shape (n, d)
            Queries.

        Returns
        -------
        projected : ndarray of shape (n, k)
            q' such that ⟨q, inverse_transform(z)⟩ = ⟨q', z⟩ + offset, where the inverse is affine. Without an affine
            inverse this default reduces queries like documents.
        offsets : ndarray of shape (n,)
            The offsets.
        """
        return self.transform(Q), np.zeros(len(Q), np.float32)


class Quantizer(Stage):
    """Maps (n, d) floats to (n, bytes_per_vector) bytes and back."""

    @property
    @abstractmethod
    def bytes_per_vector(self) -> int:
        """Bytes per code, including everything that is stored per vector."""

    @property
    def scanned(self) -> bool:
        """Whether `index` searches the codes without decoding all of them."""
        return type(self).index is not Quantizer.index

    @property
    def scanned_by_faiss(self) -> bool:
        """Whether `index` is a FAISS index of the codes, which a FAISS file can contain."""
        return self.scanned

    @property
    def memory_bytes_per_vector(self) -> int:
        """Bytes per vector in memory during search."""
        return self.bytes_per_vector

    @abstractmethod
    def encode(self, X: Floats) -> Codes:
        """Quantize vectors (n, d) to codes (n, bytes_per_vector), uint8."""

    @abstractmethod
    def decode(self, codes: Codes) -> Floats:
        """Reconstruct vectors (n, d), float32, from codes."""

    def project_queries(self, Q: Floats) -> tuple[Floats, Floats]:
        """Return the query vectors for `index`, and offsets (n,) to add to its scores."""
        return Q, np.zeros(len(Q), np.float32)

    def index(self, codes: Codes) -> Any:
        """Return an inner-product index of `codes`, to be searched with projected queries.

        This default is a `DecodedIndex`, whose searches decode all codes. Quantizers whose codes FAISS can scan return
        a FAISS index.
        """
        return DecodedIndex(self.decode, codes, self.input_dimensions_)

    def score_factors(self, codes: Codes) -> Floats | None:
        """Return the factors (n,) by which the scores of `index` must be multiplied, or None if all are 1."""
        return None

    def coordinates(self, codes: Codes) -> Floats:
        """Reconstruct vectors in an internal basis (n, k) that is faster to compute.

        Their inner products with projected queries, see `project`, equal those of queries and decoded vectors.
        """
        return self.decode(codes)

    def project(self, Q: Floats) -> Floats:
        """Return queries (n, d) in the basis of `coordinates` (n, k)."""
        return Q


def check_range(spec: str, value: int, largest: int, unit: str, vectors: str) -> None:
    """Check that a parameter of a spec suits the vectors.

    Parameters
    ----------
    spec : str
        The stage, such as ``"pca400"``.
    value, largest : int
        The parameter, and its maximum. The minimum is 1.
    unit : str
        The unit of the parameter, such as ``"bytes"``.
    vectors : str
        A description of the vectors, such as ``"vectors of 384 dimensions"``.

    Raises
    ------
    VecsmithError
        If the parameter is out of range.
    """
    if largest < 1:
        raise VecsmithError(f"{spec} does not suit {vectors}, nor does another number of {unit}; choose another codec.")
    if not 1 <= value <= largest:
        raise VecsmithError(f"{spec} does not suit {vectors}; choose from 1 to {largest} {unit}.")


def inner(A: Floats, B: Floats) -> Floats:
    """Return the inner products (n,) of the rows of `A` and `B` (n, d)."""
    return np.asarray(np.einsum("ij,ij->i", A, B), dtype=np.float32)
