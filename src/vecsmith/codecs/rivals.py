"""Any FAISS index as a rival in the same table."""

import time
from collections.abc import Iterator
from functools import cached_property
from typing import Any, ClassVar

import faiss
import numpy as np
from numpy.typing import NDArray

from vecsmith.codecs.base import Codes, Floats, Quantiser
from vecsmith.errors import VecsmithError
from vecsmith.progress import announce

TIMED_VECTORS, TIMED_ITERATIONS = 1000, 2
"""Vectors and iterations from which the duration of training a rotation is extrapolated."""


class Faiss(Quantiser):
    """An index of FAISS's factory: its own training, its own codes, its own inner-product search.

    Parameters
    ----------
    factory : str
        A string of FAISS's index factory, such as ``"OPQ48_384,PQ48"`` or ``"RaBitQ"``. It takes the rest of the spec.

    Attributes
    ----------
    index_ : ndarray of shape (bytes,), uint8
        The trained, empty index as FAISS serialises it.

    References
    ----------
    https://github.com/facebookresearch/faiss/wiki/The-index-factory
    """

    usage = "faiss:FACTORY"
    pattern = r"faiss:(?P<factory>.+)"
    example = "faiss:PQ8x4"
    summary = "any FAISS index by its factory string, as a rival, such as faiss:OPQ48,PQ48 or faiss:RaBitQ"
    state: ClassVar = {"index_": ("*",)}

    index_: NDArray[np.uint8]

    def __init__(self, factory: str) -> None:
        self.factory = factory

    def _fit(self, X: Floats, seed: int) -> None:
        try:
            index = faiss.index_factory(X.shape[1], self.factory, faiss.METRIC_INNER_PRODUCT)
            codes = faiss.downcast_index(index.index) if isinstance(index, faiss.IndexPreTransform) else index
            if hasattr(codes, "do_polysemous_training"):
                # renumbers the centroids for a Hamming filter that is not used here, and takes most of the time
                codes.do_polysemous_training = False
            for clustering in _clusterings(index):
                clustering.min_points_per_centroid = 1  # else FAISS prints a warning for every codebook
            announce(f"Fitting faiss:{self.factory} to {len(X):,} vectors", _rotation_seconds(index, X))
            index.train(np.ascontiguousarray(X))
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
            index = faiss.clone_index(self._trained)
            _add_codes(index, np.ascontiguousarray(codes))
        except RuntimeError as error:
            raise VecsmithError(
                f"FAISS cannot search codes of faiss:{self.factory} that were made beforehand; "
                "name the index without fast scan, such as PQ48, PQ96x4 or RaBitQ."
            ) from error
        return index


def _clusterings(index: Any) -> Iterator[Any]:
    """Yield the clustering parameters of an untrained index and of all the quantizers inside it."""
    index = faiss.downcast_index(index)
    if isinstance(index, faiss.IndexPreTransform):
        chain: Any = index.chain
        for position in range(chain.size()):
            rotation = faiss.downcast_VectorTransform(chain.at(position))
            if isinstance(rotation, faiss.OPQMatrix):
                # the product quantizer that OPQ would make for its training; FAISS does not own it
                rotation.pq = training = faiss.ProductQuantizer(rotation.d_out, rotation.M, 8)
                vars(rotation)["training"] = training
                yield rotation.pq.cp
        yield from _clusterings(index.index)
        return
    inside = [getattr(index, name) for name in ("pq", "rq") if hasattr(index, name)]
    if hasattr(index, "prq"):
        splits = map(index.prq.subquantizer, range(index.prq.nsplits))
        inside += [faiss.downcast_AdditiveQuantizer(split) for split in splits]  # type: ignore[attr-defined]
    yield from (quantizer.cp for quantizer in (index, *inside) if hasattr(quantizer, "cp"))


def _rotation_seconds(index: Any, X: Floats) -> float:
    """Return about how long the rotation of an index such as OPQ48,PQ48 is trained, from a few iterations on a sample.

    It takes most of the training of such an index, minutes for thousands of vectors. Others have none: 0.
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
    trial.pq = quantizer = faiss.ProductQuantizer(trial.d_out, trial.M, 8)
    quantizer.cp.min_points_per_centroid = 1
    start = time.perf_counter()
    trial.train(np.ascontiguousarray(X[:TIMED_VECTORS]))
    seconds = (time.perf_counter() - start) * iterations / (trial.niter * trial.niter_pq)
    return seconds * min(len(X), trial.max_train_points) / TIMED_VECTORS


def _add_codes(index: Any, codes: Codes) -> None:
    """Add codes to an index as they are; a transform before it has already been applied to them."""
    if isinstance(index, faiss.IndexPreTransform):
        _add_codes(faiss.downcast_index(index.index), codes)
        index.ntotal = len(codes)
    else:
        index.add_sa_codes(codes)
