"""Codes of any FAISS index, for comparison."""

import time
from functools import cached_property
from typing import Any, ClassVar

import faiss
import numpy as np
from numpy.typing import NDArray

from vecsmith.array_types import Codes, Floats
from vecsmith.codecs.stages import Quantizer
from vecsmith.errors import VecsmithError
from vecsmith.progress import announce

TIMED_VECTORS, TIMED_ITERATIONS = 1000, 2
"""Vectors and iterations of the trial from which the training time of a rotation is extrapolated."""


class Faiss(Quantizer):
    """A quantizer that uses the training, codes and inner-product search of a FAISS index.

    Parameters
    ----------
    factory : str
        A string of FAISS's index factory, such as ``"OPQ48_384,PQ48"`` or ``"RaBitQ"``: the rest of the spec.

    Attributes
    ----------
    index_ : ndarray of shape (bytes,), uint8
        The trained, empty index as FAISS serializes it.

    References
    ----------
    https://github.com/facebookresearch/faiss/wiki/The-index-factory
    """

    usage = "faiss:FACTORY"
    pattern = r"faiss:(?P<factory>.+)"
    example = "faiss:PQ8x4"
    summary = "any FAISS index by its factory string, such as faiss:OPQ48,PQ48 or faiss:RaBitQ, for comparison"
    state: ClassVar = {"index_": ("*",)}

    index_: NDArray[np.uint8]

    def __init__(self, factory: str) -> None:
        self.factory = factory

    def _fit(self, X: Floats, seed: int) -> None:
        try:
            index = faiss.index_factory(X.shape[1], self.factory, faiss.METRIC_INNER_PRODUCT)
            codes = faiss.downcast_index(index.index) if isinstance(index, faiss.IndexPreTransform) else index
            if hasattr(codes, "do_polysemous_training"):
                # it reorders centroids for a Hamming filter that is not used here, and takes most of the training time
                codes.do_polysemous_training = False
            owned = _allow_few_points(index, len(X))
            announce(f"Fitting faiss:{self.factory} to {len(X):,} vectors", _rotation_seconds(index, X))
            index.train(np.ascontiguousarray(X))
            del owned
            index.sa_code_size()
        except RuntimeError as error:
            raise VecsmithError(
                f"FAISS cannot make codes with faiss:{self.factory} from {len(X)} vectors of {X.shape[1]} dimensions "
                f"({str(error).rsplit('Error: ')[-1].strip()}); see its page on the index factory."
            ) from error
        self.index_ = faiss.serialize_index(index)

    @cached_property
    def _trained(self) -> Any:
        try:
            return faiss.deserialize_index(self.index_)
        except RuntimeError as error:
            raise VecsmithError(f"FAISS cannot read the index of faiss:{self.factory}; fit it again.") from error

    @property
    def bytes_per_vector(self) -> int:
        return int(self._trained.sa_code_size())

    def encode(self, X: Floats) -> Codes:
        return np.asarray(self._trained.sa_encode(np.ascontiguousarray(X)))

    def decode(self, codes: Codes) -> Floats:
        return np.asarray(self._trained.sa_decode(np.ascontiguousarray(codes)))

    def index(self, codes: Codes) -> Any:
        try:
            # a copy by serialization: faiss.clone_index copies RaBitQ only from FAISS 1.15.1
            index = faiss.deserialize_index(faiss.serialize_index(self._trained))
            _add_codes(index, np.ascontiguousarray(codes))
        except RuntimeError as error:
            raise VecsmithError(
                f"FAISS cannot add existing codes to an index of faiss:{self.factory}; "
                "name the index without fast scan, such as PQ48, PQ96x4 or RaBitQ."
            ) from error
        return index


def _allow_few_points(index: Any, n_vectors: int) -> list[Any]:
    """Allow every k-means of an untrained index to use few vectors; otherwise FAISS prints a warning per codebook.

    Returns
    -------
    list
        Product quantizers that the index references but does not own; keep them until it is trained.

    Raises
    ------
    RuntimeError
        If an OPQ rotation would be trained on fewer vectors than dimensions.
    """
    index = faiss.downcast_index(index)
    owned = []
    if isinstance(index, faiss.IndexPreTransform):
        chain: Any = index.chain
        for position in range(chain.size()):
            rotation = faiss.downcast_VectorTransform(chain.at(position))
            if isinstance(rotation, faiss.OPQMatrix):
                if n_vectors < rotation.d_in:
                    # FAISS 1.15 writes beyond its buffers and crashes
                    raise RuntimeError(f"OPQ needs as many vectors as dimensions, at least {rotation.d_in}")
                rotation.pq = quantizer = _product_quantizer(rotation)
                owned.append(quantizer)
        return owned + _allow_few_points(index.index, n_vectors)
    inside = [getattr(index, name) for name in ("pq", "rq") if hasattr(index, name)]
    if hasattr(index, "prq"):
        splits = map(index.prq.subquantizer, range(index.prq.nsplits))
        inside += [faiss.downcast_AdditiveQuantizer(split) for split in splits]  # type: ignore[attr-defined]
    for quantizer in (index, *inside):
        if hasattr(quantizer, "cp"):
            quantizer.cp.min_points_per_centroid = 1
    return owned


def _product_quantizer(rotation: Any) -> Any:
    """Return the product quantizer of an OPQ rotation's training, which accepts any number of vectors."""
    quantizer = faiss.ProductQuantizer(rotation.d_out, rotation.M, 8)
    quantizer.cp.min_points_per_centroid = 1
    return quantizer


def _rotation_seconds(index: Any, X: Floats) -> float:
    """Return the estimated training time of an OPQ rotation, extrapolated from a few iterations on a sample.

    The rotation takes most of the training of an index such as OPQ48,PQ48: minutes for thousands of vectors. Returns 0
    for an index without one, or for few vectors.
    """
    if not isinstance(index, faiss.IndexPreTransform) or len(X) < TIMED_VECTORS:
        return 0.0
    chain: Any = index.chain
    first = faiss.downcast_VectorTransform(chain.at(0))
    if not isinstance(first, faiss.OPQMatrix):
        return 0.0
    trial = faiss.OPQMatrix(first.d_in, first.M, first.d_out)
    iterations = trial.niter_pq_0 + (trial.niter - 1) * trial.niter_pq
    trial.niter, trial.niter_pq_0 = TIMED_ITERATIONS, trial.niter_pq
    trial.pq = owned = _product_quantizer(trial)
    start = time.perf_counter()
    trial.train(np.ascontiguousarray(X[:TIMED_VECTORS]))
    seconds = (time.perf_counter() - start) * iterations / (trial.niter * trial.niter_pq)
    del owned
    return seconds * min(len(X), trial.max_train_points) / TIMED_VECTORS


def _add_codes(index: Any, codes: Codes) -> None:
    """Add existing codes to an index; they already include its transform."""
    if isinstance(index, faiss.IndexPreTransform):
        _add_codes(faiss.downcast_index(index.index), codes)
        index.ntotal = len(codes)
    else:
        index.add_sa_codes(codes)
