"""The base class of translators.

Each translator is a class in a file of this package and is registered on import (see `vecsmith.translators.spec`). Its
class attributes are used to parse, save, load and test it:

- `pattern`, `usage`, `summary`, `example`: its syntax in a spec, and a description;
- `state`: its fitted arrays, which are saved, with shapes given by a (dimensions of the source), b (dimensions of the
  target) and ``*`` (any size).
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from vecsmith.array_types import Floats, Vectors
from vecsmith.embeddings import UnitVectors, as_vectors
from vecsmith.errors import VecsmithError
from vecsmith.fitted_files import write_fitted
from vecsmith.outputs import output_folder
from vecsmith.plugins import Registry

FORMAT_VERSION = 1
KIND = "translator"
MIN_PAIRS = 4
"""Minimum number of pairs to fit a translator."""
TRANSLATION_BLOCK_ROWS = 8192
"""Maximum vectors translated at a time, which bounds the memory."""
TINY = np.finfo(np.float32).tiny
"""Lower bound of norms in divisions."""

TRANSLATORS: Registry[type["Translator"]] = Registry("vecsmith.translators")
"""Registered translators by usage."""


class Translator(ABC):
    """A map from the vectors of one model to those of another, fitted on texts embedded by both.

    ``__init__`` stores parameters; attributes set by `fit` end in ``_``.

    Attributes
    ----------
    spec : str
        The spec of the translator.
    seed : int
        Seed of `fit`; the same seed gives the same map.
    source, target : str
        Names of the models; ``""`` if unknown.
    input_dimensions_, output_dimensions_ : int
        Dimensions of the two spaces, a and b.
    normalised_ : bool
        Whether the target vectors have unit length; translated vectors are then normalized.
    pairs_ : int
        Number of pairs in the training set.

    Examples
    --------
    >>> import numpy as np, vecsmith
    >>> X = np.random.default_rng(0).standard_normal((1000, 16)).astype("float32")
    >>> Y = X @ np.linalg.qr(np.random.default_rng(1).standard_normal((16, 16)))[0].astype("float32")
    >>> bool(np.allclose(vecsmith.translator("procrustes").fit(X, Y).transform(X), Y, atol=1e-4))
    True
    """

    usage: ClassVar[str]
    pattern: ClassVar[str]
    summary: ClassVar[str]
    example: ClassVar[str]
    state: ClassVar[Mapping[str, tuple[str, ...]]]

    spec: str = ""
    seed: int = 0
    source: str = ""
    target: str = ""
    input_dimensions_: int
    output_dimensions_: int
    normalised_: bool
    pairs_: int

    def __init_subclass__(cls) -> None:
        if "usage" in vars(cls):
            TRANSLATORS[cls.usage] = cls

    def __repr__(self) -> str:
        return f"Translator({self.spec!r}, seed={self.seed})"

    def fit(self, X: Vectors, Y: Vectors) -> Self:
        """Fit the translator to the vectors X (n, a) and Y (n, b) of the same n texts, paired by row, and return it.

        Raises
        ------
        VecsmithError
            If the arrays are not floats of shapes (n, a) and (n, b), there are fewer than `MIN_PAIRS` pairs, a value is
            not finite (the message names the row), or a parameter is out of range for the dimensions.
        """
        pair = [
            _as_floats(as_vectors(vectors, f"the {name} vectors"), name)
            for vectors, name in ((X, "source"), (Y, "target"))
        ]
        if len(pair[0]) != len(pair[1]):
            raise VecsmithError(
                f"A translator is fitted on pairs, but got {len(pair[0])} source and {len(pair[1])} target vectors; "
                "give one of each per text."
            )
        if len(pair[0]) < MIN_PAIRS:
            raise VecsmithError(f"{len(pair[0])} pairs are too few to fit a translator; give {MIN_PAIRS} or more.")
        self.input_dimensions_, self.output_dimensions_ = pair[0].shape[1], pair[1].shape[1]
        self.normalised_ = bool((np.abs(np.linalg.norm(pair[1], axis=1) - 1) < 1e-3).all())
        self._fit(*pair)
        self.pairs_ = len(pair[0])
        return self

    @abstractmethod
    def _fit(self, X: Floats, Y: Floats) -> None:
        """Set the attributes named in `state`."""

    @abstractmethod
    def _map(self, X: Floats) -> Floats:
        """Translate vectors (n, a) to (n, b), without normalization."""

    def transform(self, X: Vectors | UnitVectors) -> Floats:
        """Translate vectors (n, a) block by block to (n, b), float32; of unit length if the target vectors were.

        Raises
        ------
        VecsmithError
            If the translator is not fitted, the vectors are not floats, their dimensions differ from those of the
            source, or a value is not finite.
        """
        self._check_fitted()
        if not isinstance(X, UnitVectors):
            X = as_vectors(X, "the source vectors")
        if X.shape[1] != self.input_dimensions_:
            raise VecsmithError(
                f"{self!r} takes vectors of {self.input_dimensions_} dimensions, but got an array of shape {X.shape}; "
                "use vectors of the source model."
            )
        if len(X) <= TRANSLATION_BLOCK_ROWS:
            return self._translate(X[:], 0)
        result = np.empty((len(X), self.output_dimensions_), np.float32)
        for start in range(0, len(X), TRANSLATION_BLOCK_ROWS):
            result[start : start + TRANSLATION_BLOCK_ROWS] = self._translate(
                X[start : start + TRANSLATION_BLOCK_ROWS], start
            )
        return result

    def _translate(self, X: Vectors, start: int) -> Floats:
        """Translate a block; `start` is the row number of its first vector, for errors."""
        translated = self._map(_as_floats(X, "source", start))
        if self.normalised_:
            lengths = np.sqrt(np.einsum("ij,ij->i", translated, translated))
            translated /= np.maximum(lengths, TINY)[:, None]
        return translated

    @property
    def translator_bytes(self) -> int:
        """Size of the fitted arrays in bytes."""
        self._check_fitted()
        return sum(getattr(self, name).nbytes for name in self.state)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of spec, seed and fitted arrays; equal for equal translators."""
        self._check_fitted()
        digest = hashlib.sha256(f"{self.spec} {self.seed} {self.normalised_}".encode())
        for name in self.state:
            digest.update(np.ascontiguousarray(getattr(self, name)).data)
        return digest.hexdigest()

    def _check_fitted(self) -> None:
        if not hasattr(self, "pairs_"):
            raise VecsmithError(f"{self!r} is not fitted; call fit with vectors of the same texts in both spaces.")

    def save(self, path: str | Path, force: bool = False) -> None:
        """Write ``config.json`` and ``weights.safetensors`` to the folder `path`, atomically.

        Parameters
        ----------
        path : str or Path
            The folder; a translator in it is replaced.
        force : bool
            Replace the folder, whatever it contains.

        Raises
        ------
        VecsmithError
            If the translator is not fitted, or `path` contains anything else.
        """
        self._check_fitted()
        content = {
            **{name: getattr(self, name) for name in ("spec", "seed", "source", "target")},
            "input_dimensions": self.input_dimensions_,
            "output_dimensions": self.output_dimensions_,
            "normalised": self.normalised_,
            "pairs": self.pairs_,
            "versions": {name: version(name) for name in ("vecsmith", "numpy")},
        }
        with output_folder(Path(path), KIND, force) as staging:
            write_fitted(staging, KIND, FORMAT_VERSION, content, {name: getattr(self, name) for name in self.state})

    def restore(self, config: Mapping[str, Any], weights: Mapping[str, NDArray[Any]]) -> Self:
        """Set the attributes that `save` wrote.

        Raises
        ------
        KeyError, ValueError
            If an entry is missing or an array has another shape.
        """
        self.source, self.target = config["source"], config["target"]
        self.input_dimensions_, self.output_dimensions_ = config["input_dimensions"], config["output_dimensions"]
        self.normalised_, self.pairs_ = config["normalised"], config["pairs"]
        sizes = {"a": self.input_dimensions_, "b": self.output_dimensions_}
        if weights.keys() != self.state.keys():
            raise ValueError(f"{self.usage} has the arrays {', '.join(weights)}, but needs {', '.join(self.state)}")
        for name, shape in self.state.items():
            array = weights[name]
            if array.ndim != len(shape) or any(
                sizes.get(axis, size) != size for axis, size in zip(shape, array.shape, strict=True)
            ):
                raise ValueError(f"{self.usage} has {name} of shape {array.shape}, but needs {shape}")
            setattr(self, name, array)
        return self


def _as_floats(X: NDArray[Any], side: str, start: int = 0) -> Floats:
    X = np.ascontiguousarray(X, dtype=np.float32)
    # the sum of squares takes one pass and is finite unless a value is not finite or is huge
    if not isfinite(np.vdot(X, X)):
        finite = np.isfinite(X).all(axis=-1)
        if not finite.all():
            row = start + int(np.argmin(finite))
            raise VecsmithError(f"The {side} vectors have a NaN or infinite value in row {row}; embed that text again.")
    return X
