"""The codec: reducers and a quantizer, fitted, applied and saved as one."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vecsmith.array_types import Codes, Floats, Vectors
from vecsmith.codecs.chain import Chain
from vecsmith.codecs.checks import as_floats, refuse_infinite, sample, warn_of_few
from vecsmith.codecs.estimator import Estimator
from vecsmith.codecs.quantizers.trained import TrainedQuantizer
from vecsmith.codecs.recentering import recentered_stages
from vecsmith.codecs.reducers.fuse import Fuse
from vecsmith.codecs.reducers.trained import Trained
from vecsmith.codecs.spec import canonical, parse
from vecsmith.codecs.stages import Quantizer, Reducer, for_each_block
from vecsmith.embeddings import MultiModelVectors, UnitVectors, VectorsLike, as_vectors, normalize
from vecsmith.errors import VecsmithError
from vecsmith.fitted_files import write_fitted
from vecsmith.outputs import output_folder

if TYPE_CHECKING:
    from vecsmith.training import JudgedPairs

Array = TypeVar("Array", bound=NDArray[Any])

FORMAT_VERSION = 1
KIND = "codec"
FIT_VECTORS = 100_000
"""Maximum size of the training set, which bounds the time and memory of fitting; larger sets are sampled."""


class Codec(Chain, Estimator):
    """Reducers and a quantizer, which encode vectors as codes of a known number of bytes.

    Vectors are compared by cosine, so all are normalized first. They may be an array of floats, a nested list, a
    tensor, or an `EmbeddingSet`. A codec follows the conventions of scikit-learn.

    Parameters
    ----------
    spec : str
        Reducers, then at most one quantizer, separated by commas, such as ``"pca192,binary"``. Without a quantizer,
        codes are float32.
    seed : int
        Seed of everything random in `fit`; the same seed gives the same codes.

    Attributes
    ----------
    blocks : mapping of str to int
        Names and dimensions of the models whose fused vectors the codec was fitted on; empty for a single model.

    Raises
    ------
    VecsmithError
        If the spec contains an unknown stage, or stages in the wrong order.

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

    def fit(
        self,
        X: VectorsLike | MultiModelVectors,
        y: object = None,
        blocks: Mapping[str, int] | None = None,
        validation: VectorsLike | MultiModelVectors | None = None,
        pairs: "JudgedPairs | None" = None,
    ) -> Self:
        """Fit all stages and return the codec.

        Parameters
        ----------
        X : array-like of shape (n, d), EmbeddingSet, or list of these
            Float vectors; a list has one entry per model, for a codec that fuses them. If there are more than
            `FIT_VECTORS` vectors, only a sample drawn with the seed is read. They may be memory-mapped. All-zero
            vectors are ignored.
        y : ignored
            For scikit-learn's pipelines.
        blocks : mapping of str to int, optional
            Names and dimensions of the models, if `X` is one array with their vectors side by side.
        validation : array-like of shape (m, d), EmbeddingSet, or list of these, optional
            Validation vectors for reducers that are trained, of which 1000 are drawn. By default a part of `X` is held
            out.
        pairs : vecsmith.training.JudgedPairs, optional
            Queries and documents judged relevant to them, for a quantizer with ``loss=contrastive``, which uses
            pseudo-queries by default. They must not be of the queries of a reported result.

        Raises
        ------
        VecsmithError
            If vectors are not floats of shape (n, d), a value is not finite (the error names its row), a stage does not
            suit n or d, vectors come from several models although the codec fuses nothing, or `validation` has other
            dimensions or is given to a codec without a trained reducer, or `pairs` are given to a codec without a
            contrastive loss.
        """
        X = self.unit(X)
        if pairs is not None:
            self.check_pairs(pairs, X)
        self.blocks = dict(blocks or X.blocks)
        if isinstance(self.stages[0], Fuse):
            self.stages[0].set_widths(self.blocks)
        unseen = None
        if validation is not None:
            V = self.unit(validation, "the validation vectors")
            self.check_validation(V, X)
            unseen = sample(V, FIT_VECTORS, self.seed, "validation vectors")
        reduced = sample(X, FIT_VECTORS, self.seed, "vectors")
        for reducer in self.reducers:
            if isinstance(reducer, Trained):
                reducer.fit(reduced, self.seed, unseen)
            else:
                reducer.fit(reduced, self.seed)
            reduced = reducer.transform(reduced)
            unseen = None if unseen is None else reducer.transform(unseen)
        if pairs is not None and isinstance(self.quantizer, TrainedQuantizer):
            self.quantizer.fit(reduced, self.seed, self._reduced_pairs(pairs))
        else:
            self.quantizer.fit(reduced, self.seed)
        if self.requires_fit:
            warn_of_few(len(reduced), self.spec)
        return self

    def _reduced_pairs(self, pairs: "JudgedPairs") -> "JudgedPairs":
        """Return the pairs in the input space of the quantizer, with unit queries."""
        queries, documents = normalize(self.reduce_queries(pairs.queries)[0]), self._reduce(pairs.documents, 0)
        return replace(pairs, queries=queries, documents=documents)

    def recentered(self, X: VectorsLike | MultiModelVectors) -> "Codec":
        """Return a copy whose means are those of the vectors `X` (n, d) of another corpus.

        Nothing else is fitted on them.

        Raises
        ------
        VecsmithError
            If the dimensions differ from those of the training vectors, or no stage stores a mean.
        """
        X = self.unit(X)
        self.check_dimensions(X)
        self.check_keeps_mean()
        codec = Codec(self.spec, self.seed)
        codec.blocks = self.blocks
        *reducers, quantizer = recentered_stages(self.stages, X)
        codec.reducers, codec.quantizer = cast("list[Reducer]", reducers), cast("Quantizer", quantizer)
        return codec

    def transform(self, X: VectorsLike | MultiModelVectors) -> Floats:
        """Return the reduced vectors (n, k), float32, before quantization; `X` as in `fit`.

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
        """Encode vectors (n, d), block by block, to codes (n, bytes_per_vector), uint8; `X` as in `fit`.

        Raises
        ------
        VecsmithError
            If vectors are not floats (codes, for example, are not), have other dimensions than the training vectors, or
            a value is not finite (the error names its row).
        """
        X = self.unit(X)
        self.check_dimensions(X)

        def encode(block: Floats, start: int) -> Codes:
            return self.quantizer.encode(self._reduce(block, start))

        return _in_blocks(encode, X, np.empty((len(X), self.bytes_per_vector), np.uint8))

    def _reduce(self, block: Floats, start: int) -> Floats:
        """Reduce a block of unit vectors whose first row has the number `start`."""
        refuse_infinite(block, np.arange(start, start + len(block)), "vectors")
        for reducer in self.reducers:
            block = reducer.transform(block)
        return block

    def _restore(self, block: Floats) -> Floats:
        for reducer in reversed(self.reducers):
            block = reducer.inverse_transform(block)
        return block

    def decode(self, codes: Codes) -> Floats:
        """Decode codes (n, bytes_per_vector) to vectors (n, d), float32.

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
        """Project queries (n, d), normalized by the caller, to the input space of the quantizer.

        Returns
        -------
        projected : ndarray of shape (n, k), float32
            A linear map of the queries, unless a reducer has no affine inverse.
        offsets : ndarray of shape (n,), float32
            Offsets to add to the scores of the projected queries.
        """
        reduced, offset = as_floats(Q), np.zeros(len(Q), np.float32)
        for reducer in self.reducers:
            reduced, shift = reducer.project_queries(reduced)
            offset = offset + shift
        return reduced, offset

    def save(self, path: str | Path, force: bool = False) -> None:
        """Write ``config.json`` and ``weights.safetensors`` to a folder, atomically.

        Parameters
        ----------
        path : str or Path
            The folder. A codec in it is replaced.
        force : bool
            Replace other contents as well.

        Raises
        ------
        VecsmithError
            If the codec is not fitted, or `path` holds something other than a codec.
        """
        self.weights()  # fails for a codec that is not fitted, before anything is written
        with output_folder(Path(path), KIND, force) as staging:
            self.write(staging)

    def write(self, folder: Path) -> None:
        """Write the files of `save` to a folder that the caller replaces or moves as a whole.

        Raises
        ------
        VecsmithError
            If the codec is not fitted.
        """
        weights = self.weights()
        content = {
            "spec": self.spec,
            "seed": self.seed,
            "input_dimensions": [stage.input_dimensions_ for stage in self.stages],
            **({"blocks": dict(self.blocks)} if self.blocks else {}),
            "versions": {name: version(name) for name in ("vecsmith", "numpy", "faiss-cpu")},
        }
        folder.mkdir(exist_ok=True)
        write_fitted(folder, KIND, FORMAT_VERSION, content, weights)


def _in_blocks(function: Callable[[Any, int], Array], rows: NDArray[Any] | UnitVectors, result: Array) -> Array:
    """Fill `result` with the values of `function` for blocks of `rows` and the number of the block's first row."""

    def fill(block: slice) -> None:
        result[block] = function(rows[block], block.start)

    for_each_block(fill, len(rows))
    return result
