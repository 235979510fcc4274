"""The contract of a translator, which every method in this package keeps.

A translator is a class in a file of this package; importing the package finds it (see `vecsmith.translators.spec`).
What it declares is all that parsing, saving, loading and the contract tests need:

- `pattern`, `usage`, `summary`, `example`: how it is written in a spec, and what it does;
- `state`: its fitted arrays, which are saved, with their shapes in terms of a (dimensions of the source), b (those of
  the target) and ``*`` (any).
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

from vecsmith.arrays import write_weights
from vecsmith.embeddings import UnitVectors, Vectors, as_vectors
from vecsmith.errors import VecsmithError
from vecsmith.manifests import write_manifest
from vecsmith.outputs import output_folder

Floats = NDArray[np.float32]

FORMAT_VERSION = 1
KIND = "translator"
FEWEST = 4
"""Pairs that a translator needs at least."""
BLOCK = 8192
"""Vectors that are translated at a time, which bounds the memory that takes."""
TINY = np.finfo(np.float32).tiny
"""Less than any length but 0."""

TRANSLATORS: dict[str, type["Translator"]] = {}
"""Every translator that a spec can name, by its usage."""


class Translator(ABC):
    """Vectors of space A → vectors of space B, learned from texts that both models embedded.

    Parameters are stored by ``__init__``; attributes learned by `fit` end in ``_``.

    Attributes
    ----------
    spec : str
        How it was asked for.
    seed : int
        Seeds everything random in `fit`; the same seed gives the same map.
    source, target : str
        The models, where they are known.
    input_dimensions_, output_dimensions_ : int
        Dimensions of the two spaces, a and b.
    normalised_ : bool
        Whether the target's vectors had unit length, so that translated ones get it.
    pairs_ : int
        How many pairs it was fitted on.

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
        """Learn from the vectors X (n, a) and Y (n, b) of the same n texts, row by row, and return the translator.

        Raises
        ------
        VecsmithError
            If the arrays are not floats of shapes (n, a) and (n, b), there are fewer than `FEWEST` pairs, a value is
            not finite (which row), or a parameter does not suit the dimensions.
        """
        pair = [
            _as_floats(as_vectors(vectors, f"the {name} vectors"), name)
            for vectors, name in ((X, "source"), (Y, "target"))
        ]
        if len(pair[0]) != len(pair[1]):
            raise VecsmithError(
                f"A translator is fitted on pairs, but got {len(pair[0])} source and {len(pair[1])} target vectors; "
                "give one of each for every text."
            )
        if len(pair[0]) < FEWEST:
            raise VecsmithError(f"{len(pair[0])} pairs are too few to fit a translator; give {FEWEST} or more.")
        self.input_dimensions_, self.output_dimensions_ = pair[0].shape[1], pair[1].shape[1]
        self.normalised_ = bool((np.abs(np.linalg.norm(pair[1], axis=1) - 1) < 1e-3).all())
        self._fit(*pair)
        self.pairs_ = len(pair[0])
        return self

    @abstractmethod
    def _fit(self, X: Floats, Y: Floats) -> None:
        """Set the attributes of `state`."""

    @abstractmethod
    def _map(self, X: Floats) -> Floats:
        """Translate vectors (n, a) to (n, b), of any length."""

    def transform(self, X: Vectors | UnitVectors) -> Floats:
        """Translate vectors (n, a), read block by block, to (n, b), float32: of unit length where the target's were.

        Raises
        ------
        VecsmithError
            If the translator is not fitted, the vectors are not floats, such as codes, the dimensions differ from those
            fitted, or a value is not finite.
        """
        self._check_fitted()
        if not isinstance(X, UnitVectors):
            X = as_vectors(X, "the source vectors")
        if X.shape[1] != self.input_dimensions_:
            raise VecsmithError(
                f"{self!r} takes vectors of {self.input_dimensions_} dimensions, but got an array of shape {X.shape}; "
                "use vectors of the model it translates from."
            )
        if len(X) <= BLOCK:
            return self._translate(X[:], 0)
        result = np.empty((len(X), self.output_dimensions_), np.float32)
        for start in range(0, len(X), BLOCK):
            result[start : start + BLOCK] = self._translate(X[start : start + BLOCK], start)
        return result

    def _translate(self, X: Vectors, start: int) -> Floats:
        """Translate a block, of which the first vector has the row `start`."""
        translated = self._map(_as_floats(X, "source", start))
        if self.normalised_:
            lengths = np.sqrt(np.einsum("ij,ij->i", translated, translated))
            translated /= np.maximum(lengths, TINY)[:, None]
        return translated

    @property
    def translator_bytes(self) -> int:
        """Bytes of what was learned."""
        self._check_fitted()
        return sum(getattr(self, name).nbytes for name in self.state)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of spec, seed and weights: equal for translators that translate alike."""
        self._check_fitted()
        digest = hashlib.sha256(f"{self.spec} {self.seed} {self.normalised_}".encode())
        for name in self.state:
            digest.update(np.ascontiguousarray(getattr(self, name)).data)
        return digest.hexdigest()

    def _check_fitted(self) -> None:
        if not hasattr(self, "pairs_"):
            raise VecsmithError(f"{self!r} is not fitted; call fit with vectors of the same texts in both spaces.")

    def save(self, path: str | Path, force: bool = False) -> None:
        """Write ``config.json`` and ``weights.safetensors`` to the folder `path`, in one step.

        Parameters
        ----------
        path : str or Path
            The folder; a translator that it holds is replaced.
        force : bool
            Replace whatever it holds.

        Raises
        ------
        VecsmithError
            If the translator is not fitted, or `path` holds something else.
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
        with output_folder(Path(path), KIND, force) as beside:
            write_weights(beside / "weights.safetensors", {name: getattr(self, name) for name in self.state})
            write_manifest(beside / "config.json", KIND, FORMAT_VERSION, content, ["weights.safetensors"])

    def restore(self, config: Mapping[str, Any], weights: Mapping[str, NDArray[Any]]) -> Self:
        """Set what `save` wrote.

        Raises
        ------
        KeyError, ValueError
            If something is missing, or of another shape.
        """
        self.source, self.target = config["source"], config["target"]
        self.input_dimensions_, self.output_dimensions_ = config["input_dimensions"], config["output_dimensions"]
        self.normalised_, self.pairs_ = config["normalised"], config["pairs"]
        sizes = {"a": self.input_dimensions_, "b": self.output_dimensions_}
        if weights.keys() != self.state.keys():
            raise ValueError(f"{self.usage} has the weights {', '.join(weights)} where {', '.join(self.state)} belong")
        for name, shape in self.state.items():
            array = weights[name]
            if array.ndim != len(shape) or any(
                sizes.get(axis, size) != size for axis, size in zip(shape, array.shape, strict=True)
            ):
                raise ValueError(f"{self.usage} has weights of shape {array.shape} where {shape} belongs")
            setattr(self, name, array)
        return self


def _as_floats(X: NDArray[Any], side: str, start: int = 0) -> Floats:
    X = np.ascontiguousarray(X, dtype=np.float32)
    # what is not finite shows in the sum of squares, which takes one pass; so does what is merely huge
    if not isfinite(np.vdot(X, X)):
        finite = np.isfinite(X).all(axis=-1)
        if not finite.all():
            row = start + int(np.argmin(finite))
            raise VecsmithError(f"The {side} vectors have a NaN or infinite value in row {row}; embed that text again.")
    return X
