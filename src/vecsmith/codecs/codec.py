"""A codec: reducers, then one quantizer, fitted, applied and saved as one."""

from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vecsmith.arrays import write_weights
from vecsmith.codecs.checks import as_floats, refuse_infinite, sample, warn_of_few
from vecsmith.codecs.estimator import Estimator
from vecsmith.codecs.reducers.fuse import Fuse
from vecsmith.codecs.reducers.trained import Trained
from vecsmith.codecs.spec import canonical, parse
from vecsmith.codecs.stages import Codes, Floats, Quantizer, Reducer
from vecsmith.embeddings import (
    MultiModelVectors,
    UnitVectors,
    Vectors,
    VectorsLike,
    as_unit,
    as_vectors,
    check_blocks,
    fuse_several,
    is_several,
)
from vecsmith.errors import VecsmithError
from vecsmith.manifests import write_manifest
from vecsmith.outputs import output_folder

Array = TypeVar("Array", bound=NDArray[Any])

FORMAT_VERSION = 1
KIND = "codec"
FIT_VECTORS = 100_000
"""Vectors that a codec learns from at most, which bounds the time and memory that fitting takes."""
BLOCK = 16_384
"""Vectors that are encoded or decoded at a time, which bounds the memory that takes."""


class Codec(Estimator):
    """Vectors → codes of a known number of bytes → scores.

    Vectors are compared by cosine: whatever length they have, they are scaled to unit length first. They may be an
    array of floats, a nested list, a tensor, or an `EmbeddingSet`. A codec follows the conventions of scikit-learn.

    Parameters
    ----------
    spec : str
        Reducers, then at most one quantizer, joined by commas, such as ``"pca192,binary"``; ``float32`` where no
        quantizer is named.
    seed : int
        Seeds everything random in `fit`; the same seed gives the same codes.

    Attributes
    ----------
    blocks : mapping of str to int
        Names and dimensions of the models whose fused vectors it was fitted on; empty for those of one model.

    Raises
    ------
    VecsmithError
        If the spec names something unknown or in the wrong order.

    Examples
    --------
    >>> import numpy as np, vecsmith
    >>> X = np.random.default_rng(0).standard_normal((1000, 64)).astype("float32")
    >>> codec = vecsmith.codec("pca32,int8").fit(X)
    >>> codec.encode(X).shape
    (1000, 32)
    """

    def __init__(self, spec: str, seed: int = 0) -> None:
        super().__init__(canonical(spec), seed)
        self.reducers, self.quantizer = parse(spec)
        self.blocks: Mapping[str, int] = {}

    def __repr__(self) -> str:
        return f"Codec({self.spec!r}, seed={self.seed})"

    @property
    def stages(self) -> list[Reducer | Quantizer]:
        """The reducers and the quantizer, in the order of the spec."""
        return [*self.reducers, self.quantizer]

    @property
    def requires_fit(self) -> bool:
        """Whether fitting looks at the vectors; if not, one codec serves every corpus of its dimensions."""
        return any(stage.requires_fit for stage in self.stages)

    @property
    def keeps_mean(self) -> bool:
        """Whether a stage keeps the mean of what it was fitted on, which `recentered` replaces."""
        return any(stage.keeps_mean for stage in self.stages)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self.quantizer, "input_dimensions_")

    @property
    def _fitted(self) -> list[Reducer | Quantizer]:
        if not self.__sklearn_is_fitted__():
            raise VecsmithError(f"{self!r} is not fitted; call fit with the vectors it should learn from.")
        return self.stages

    @property
    def input_dimensions(self) -> int:
        """Dimensions d of the vectors that it takes.

        This and the other sizes raise `VecsmithError` as long as the codec is not fitted.
        """
        return self._fitted[0].input_dimensions_

    @property
    def dimensions(self) -> int:
        """Dimensions k that the reducers leave."""
        return self._fitted[-1].input_dimensions_

    @property
    def bytes_per_vector(self) -> int:
        """Bytes stored per vector."""
        return self.quantizer.bytes_per_vector if self._fitted else 0

    @property
    def memory_bytes_per_vector(self) -> int:
        """Bytes per vector that `Index` holds in memory during a search: float32 where the codes are not scanned."""
        return self.quantizer.memory_bytes_per_vector if self._fitted else 0

    @property
    def codec_bytes(self) -> int:
        """Bytes of what was learned, which are stored once."""
        return sum(array.nbytes for array in self._weights().values())

    def unit(self, X: VectorsLike | MultiModelVectors, name: str = "the vectors") -> UnitVectors:
        """Return vectors (n, d) at unit length, read block by block; those of several models are fused.

        Raises
        ------
        VecsmithError
            If they are not floats of shape (n, d), or of several models although the codec fuses nothing.
        """
        if not is_several(X):
            return as_unit(cast("VectorsLike", X), name)
        several = cast("MultiModelVectors", X)
        self.check_several(len(several))
        return fuse_several(several).unit

    def check_several(self, count: int) -> None:
        """Refuse the vectors of several models, `count` of them, for a codec that fuses nothing."""
        if count > 1 and not isinstance(self.stages[0], Fuse):
            raise VecsmithError(
                f"{self.spec} takes the vectors of one model, but got {count} sets: for {count} models, begin the "
                "codec with fuse(…), one name a model; for the shards of one set, give their folder or a pattern "
                "such as 'shards/*.npy', or an EmbeddingSet of them."
            )

    def fit(
        self,
        X: VectorsLike | MultiModelVectors,
        y: object = None,
        blocks: Mapping[str, int] | None = None,
        validation: VectorsLike | MultiModelVectors | None = None,
    ) -> Self:
        """Learn from vectors (n, d) and return the codec.

        Parameters
        ----------
        X : array-like of shape (n, d), EmbeddingSet, or list of these
            Float vectors. A list has one entry a model, for a codec that fuses them. Of more than `FIT_VECTORS`
            vectors, a sample drawn with the seed is read, and no others; they may lie in memory-mapped files. All-zero
            vectors teach nothing and are left out.
        y : ignored
            For scikit-learn's pipelines.
        blocks : mapping of str to int, optional
            Names and dimensions of the models, where their vectors already lie side by side in one array.
        validation : array-like of shape (m, d), EmbeddingSet, or list of these, optional
            Vectors, of which 1000 are drawn, that say when the training of a reducer ends, in the place of a held-out
            part of `X`.

        Raises
        ------
        VecsmithError
            If vectors are not floats of shape (n, d), a value is not finite (which row), a stage does not suit n or d,
            there are several models and nothing fuses them, or there is `validation` of other dimensions, or for a
            codec whose reducers are never trained.
        """
        X = self.unit(X)
        self.blocks = dict(blocks or X.blocks)
        if isinstance(self.stages[0], Fuse):
            self.stages[0].take(self.blocks)
        unseen = None if validation is None else self._validation(self.unit(validation, "the validation vectors"), X)
        reduced = sample(X, FIT_VECTORS, self.seed, "vectors")
        for reducer in self.reducers:
            if isinstance(reducer, Trained):
                reducer.fit(reduced, self.seed, unseen)
            else:
                reducer.fit(reduced, self.seed)
            reduced = reducer.transform(reduced)
            unseen = None if unseen is None else reducer.transform(unseen)
        self.quantizer.fit(reduced, self.seed)
        if self.requires_fit:
            warn_of_few(len(reduced), self.spec)
        return self

    def _validation(self, V: UnitVectors, X: UnitVectors) -> Floats:
        if not any(isinstance(reducer, Trained) for reducer in self.reducers):
            raise VecsmithError(
                f"{self!r} has no reducer that is trained, such as autoencoderK:linear, and so no use for validation "
                "vectors; leave them out."
            )
        if V.shape[1] != X.shape[1] or not len(V):
            raise VecsmithError(
                f"The validation vectors have shape {V.shape}, but those to learn from have {X.shape}; "
                "embed some texts with the same model."
            )
        check_blocks(self.blocks, V.blocks, repr(self))
        return sample(V, FIT_VECTORS, self.seed, "validation vectors")

    def recentered(self, X: VectorsLike | MultiModelVectors) -> "Codec":
        """Return a copy for a corpus unlike the one fitted on, whose means are those of its vectors `X` (n, d).

        Nothing else is learned from them.

        Raises
        ------
        VecsmithError
            If the dimensions differ from those fitted, or no stage keeps a mean.
        """
        X = self.unit(X)
        self.check_dimensions(X)
        self.check_keeps_mean()
        codec = Codec(self.spec, self.seed)
        codec.blocks = self.blocks
        reducers: list[Reducer] = []

        def blocks() -> Iterator[Floats]:
            for start in range(0, len(X), BLOCK):
                block = X[start : start + BLOCK]
                reduced = block[block.any(axis=1)]
                for reducer in reducers:
                    reduced = reducer.transform(reduced)
                yield reduced

        for position, stage in enumerate(self.stages):
            stage = stage.recentered(blocks)
            if isinstance(stage, Reducer):
                reducers.append(stage)
                codec.reducers[position] = stage
            else:
                codec.quantizer = stage
        return codec

    def check_keeps_mean(self) -> None:
        """Refuse to recenter a codec of which no stage keeps a mean."""
        if not self.keeps_mean:
            raise VecsmithError(f"{self!r} keeps no mean that could be replaced; use it as it is, without --recenter.")

    def transform(self, X: VectorsLike | MultiModelVectors) -> Floats:
        """Return the reduced vectors (n, k), float32, which the quantizer would encode; `X` as of `fit`.

        Raises
        ------
        VecsmithError
            As `encode`.
        """
        X = self.unit(X)
        self.check_dimensions(X)
        return _in_blocks(self._reduce, X, np.empty((len(X), self.dimensions), np.float32))

    def inverse_transform(self, Z: ArrayLike) -> Floats:
        """Map reduced vectors (n, k) back to (n, d), float32.

        Raises
        ------
        VecsmithError
            If they are not floats of shape (n, k).
        """
        Z = as_vectors(Z, "the reduced vectors")
        if Z.shape[1] != self.dimensions:
            raise VecsmithError(f"{self!r} reduces vectors to {self.dimensions} dimensions, but got {Z.shape[1]}.")
        return _in_blocks(
            lambda block, _: self._restore(as_floats(block)), Z, np.empty((len(Z), self.input_dimensions), np.float32)
        )

    def encode(self, X: VectorsLike | MultiModelVectors) -> Codes:
        """Turn vectors (n, d), read block by block, into codes (n, bytes_per_vector), uint8; `X` as of `fit`.

        Raises
        ------
        VecsmithError
            If vectors are not floats, such as codes, have other dimensions than those fitted, or a value is not finite
            (which row).
        """
        X = self.unit(X)
        self.check_dimensions(X)

        def encode(block: Floats, start: int) -> Codes:
            return self.quantizer.encode(self._reduce(block, start))

        return _in_blocks(encode, X, np.empty((len(X), self.bytes_per_vector), np.uint8))

    def _reduce(self, block: Floats, start: int) -> Floats:
        """Reduce a block of unit vectors, of which the first has the row `start`."""
        refuse_infinite(block, np.arange(start, start + len(block)), "vectors")
        for reducer in self.reducers:
            block = reducer.transform(block)
        return block

    def _restore(self, block: Floats) -> Floats:
        for reducer in reversed(self.reducers):
            block = reducer.inverse_transform(block)
        return block

    def decode(self, codes: Codes) -> Floats:
        """Return the vectors (n, d), float32, that codes (n, bytes_per_vector) stand for.

        Raises
        ------
        VecsmithError
            If the codes have another number of bytes.
        """
        self.check_codes(codes)

        def decode(block: Codes, start: int) -> Floats:
            return self._restore(self.quantizer.decode(block))

        return _in_blocks(decode, codes, np.empty((len(codes), self.input_dimensions), np.float32))

    def reduce_queries(self, Q: Vectors) -> tuple[Floats, Floats]:
        """Return queries (n, k) in the space of the quantizer, and offsets (n,) to add to their scores there.

        It is linear in queries (n, d), which should have unit length.
        """
        reduced, offset = as_floats(Q), np.zeros(len(Q), np.float32)
        for reducer in self.reducers:
            reduced, shift = reducer.project_queries(reduced)
            offset = offset + shift
        return reduced, offset

    def check_dimensions(self, X: UnitVectors) -> None:
        """Refuse vectors of other dimensions or other models than those it was fitted on."""
        if X.shape[1] != self.input_dimensions:
            raise VecsmithError(
                f"{self!r} takes vectors of {self.input_dimensions} dimensions, (n, {self.input_dimensions}), but got "
                f"an array of shape {X.shape}; use vectors of the model it was fitted on."
            )
        check_blocks(self.blocks, X.blocks, repr(self))

    def check_codes(self, codes: Codes) -> None:
        """Refuse codes that are not (n, bytes_per_vector), uint8."""
        if codes.dtype != np.uint8 or codes.ndim != 2 or codes.shape[1] != self.bytes_per_vector:
            raise VecsmithError(
                f"{self!r} has codes of {self.bytes_per_vector} bytes, but got {codes.dtype} of shape {codes.shape}; "
                "use codes that it made."
            )

    def _weights(self) -> dict[str, NDArray[Any]]:
        return {
            f"{position}.{name}": array
            for position, stage in enumerate(self._fitted)
            for name, array in stage.arrays().items()
        }

    def save(self, path: str | Path, force: bool = False) -> None:
        """Write ``config.json`` and ``weights.safetensors`` to the folder `path`, in one step.

        Parameters
        ----------
        path : str or Path
            The folder; a codec that it holds is replaced.
        force : bool
            Replace whatever it holds.

        Raises
        ------
        VecsmithError
            If the codec is not fitted, or `path` is something else than a codec.
        """
        self._weights()  # refuses a codec that is not fitted before anything is written
        with output_folder(Path(path), KIND, force) as beside:
            self.write(beside)

    def write(self, folder: Path) -> None:
        """Write the files of `save` into a folder that the caller replaces or moves as a whole.

        Raises
        ------
        VecsmithError
            If the codec is not fitted.
        """
        weights = self._weights()
        content = {
            "spec": self.spec,
            "seed": self.seed,
            "input_dimensions": [stage.input_dimensions_ for stage in self.stages],
            **({"blocks": dict(self.blocks)} if self.blocks else {}),
            "versions": {name: version(name) for name in ("vecsmith", "numpy", "faiss-cpu")},
        }
        folder.mkdir(exist_ok=True)
        write_weights(folder / "weights.safetensors", weights)
        write_manifest(folder / "config.json", KIND, FORMAT_VERSION, content, ["weights.safetensors"])


def _in_blocks(function: Callable[[Any, int], Array], rows: NDArray[Any] | UnitVectors, result: Array) -> Array:
    """Fill `result` with what `function` makes of blocks of `rows`, each given with the number of its first row."""
    for start in range(0, len(rows), BLOCK):
        result[start : start + BLOCK] = function(rows[start : start + BLOCK], start)
    return result
