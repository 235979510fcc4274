"""The stages of a codec as one chain: its sizes, and checks of its input."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from vecsmith.array_types import Codes
from vecsmith.codecs.quantizers.trained import TrainedQuantizer
from vecsmith.codecs.reducers.fuse import Fuse
from vecsmith.codecs.reducers.trained import Trained
from vecsmith.codecs.stages import Quantizer, Reducer
from vecsmith.embeddings import (
    MultiModelVectors,
    UnitVectors,
    VectorsLike,
    as_unit,
    check_blocks,
    fuse_models,
    is_multi_model,
)
from vecsmith.errors import VecsmithError

if TYPE_CHECKING:
    from vecsmith.training import JudgedPairs


class Chain:
    """Reducers and one quantizer, applied in order.

    The sizes and `weights` raise `VecsmithError` until all stages are fitted.
    """

    spec: str
    seed: int
    reducers: list[Reducer]
    quantizer: Quantizer
    blocks: Mapping[str, int]

    def __repr__(self) -> str:
        return f"Codec({self.spec!r}, seed={self.seed})"

    @property
    def stages(self) -> list[Reducer | Quantizer]:
        """The reducers and the quantizer, in the order of the spec."""
        return [*self.reducers, self.quantizer]

    @property
    def requires_fit(self) -> bool:
        """Whether fitting reads the vectors; if not, one codec serves all corpora of the same dimensions."""
        return any(stage.requires_fit for stage in self.stages)

    @property
    def keeps_mean(self) -> bool:
        """Whether a stage stores the mean of its training vectors, which `Codec.recentered` replaces."""
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
        """Number of input dimensions, d."""
        return self._fitted[0].input_dimensions_

    @property
    def dimensions(self) -> int:
        """Number of dimensions after the reducers, k."""
        return self._fitted[-1].input_dimensions_

    @property
    def bytes_per_vector(self) -> int:
        """Bytes stored per vector."""
        return self.quantizer.bytes_per_vector if self._fitted else 0

    @property
    def memory_bytes_per_vector(self) -> int:
        """Bytes per vector that `Index` holds in memory during search."""
        return self.quantizer.memory_bytes_per_vector if self._fitted else 0

    @property
    def codec_bytes(self) -> int:
        """Bytes of the fitted attributes, which are stored once."""
        return sum(array.nbytes for array in self.weights().values())

    def weights(self) -> dict[str, NDArray[Any]]:
        """Return the fitted attributes of all stages, as ``POSITION.NAME``."""
        return {
            f"{position}.{name}": array
            for position, stage in enumerate(self._fitted)
            for name, array in stage.arrays().items()
        }

    def unit(self, X: VectorsLike | MultiModelVectors, name: str = "the vectors") -> UnitVectors:
        """Return vectors (n, d) normalized, to be read block by block; vectors of several models are fused.

        Raises
        ------
        VecsmithError
            If they are not floats of shape (n, d), or come from several models although the codec fuses nothing.
        """
        if not is_multi_model(X):
            return as_unit(cast("VectorsLike", X), name)
        several = cast("MultiModelVectors", X)
        self.check_several(len(several))
        return fuse_models(several).unit

    def check_several(self, count: int) -> None:
        """Check that the codec can take the vectors of `count` models.

        Raises
        ------
        VecsmithError
            If there are two or more models, and the codec fuses nothing.
        """
        if count > 1 and not isinstance(self.stages[0], Fuse):
            raise VecsmithError(
                f"{self.spec} takes the vectors of one model, but got {count} sets: for {count} models, begin the "
                "codec with fuse(…), one name a model; for the shards of one set, give their folder or a pattern "
                "such as 'shards/*.npy', or an EmbeddingSet of them."
            )

    def check_dimensions(self, X: UnitVectors) -> None:
        """Check that vectors have the dimensions and models of the training vectors.

        Raises
        ------
        VecsmithError
            If they have not.
        """
        if X.shape[1] != self.input_dimensions:
            raise VecsmithError(
                f"{self!r} takes vectors of {self.input_dimensions} dimensions, (n, {self.input_dimensions}), but got "
                f"an array of shape {X.shape}; use vectors of the model it was fitted on."
            )
        check_blocks(self.blocks, X.blocks, self)

    def check_codes(self, codes: Codes) -> None:
        """Check that codes are uint8 of shape (n, bytes_per_vector).

        Raises
        ------
        VecsmithError
            If they are not.
        """
        if codes.dtype != np.uint8 or codes.ndim != 2 or codes.shape[1] != self.bytes_per_vector:
            raise VecsmithError(
                f"{self!r} has codes of {self.bytes_per_vector} bytes, but got {codes.dtype} of shape {codes.shape}; "
                "use codes that this codec encoded."
            )

    def check_keeps_mean(self) -> None:
        """Check that the codec can be re-centered.

        Raises
        ------
        VecsmithError
            If no stage stores a mean.
        """
        if not self.keeps_mean:
            raise VecsmithError(f"{self!r} keeps no mean that could be replaced; use it without --recenter.")

    @property
    def uses_pairs(self) -> bool:
        """Whether `Codec.fit` can use judged query–document pairs."""
        return isinstance(self.quantizer, TrainedQuantizer) and self.quantizer.uses_pairs

    def check_pairs(self, pairs: "JudgedPairs", X: UnitVectors) -> None:
        """Check judged pairs for training vectors X (n, d).

        Raises
        ------
        VecsmithError
            If no loss uses the pairs, or their vectors have other dimensions.
        """
        if not self.uses_pairs:
            raise VecsmithError(
                f"{self!r} does not end in a quantizer with a contrastive loss, such as thresholds(loss=contrastive), "
                "that would use judged pairs; leave them out."
            )
        for name, vectors in (("queries", pairs.queries), ("documents", pairs.documents)):
            if vectors.shape[1] != X.shape[1]:
                raise VecsmithError(
                    f"The {name} of the judged pairs have shape {vectors.shape}, but the training vectors have shape "
                    f"{X.shape}; embed them with the same model."
                )

    def check_validation(self, V: UnitVectors, X: UnitVectors) -> None:
        """Check validation vectors V (m, d) for training vectors X (n, d).

        Raises
        ------
        VecsmithError
            If no reducer is trained, there are no validation vectors, or they have other dimensions or models.
        """
        if not any(isinstance(reducer, Trained) for reducer in self.reducers):
            raise VecsmithError(
                f"{self!r} has no trained reducer, such as autoencoderK:linear, that would use validation vectors; "
                "leave them out."
            )
        if V.shape[1] != X.shape[1] or not len(V):
            raise VecsmithError(
                f"The validation vectors have shape {V.shape}, but the training vectors have shape {X.shape}; "
                "embed some texts with the same model."
            )
        check_blocks(self.blocks, V.blocks, self)
