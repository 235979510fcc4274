"""Any FAISS index as a rival in the same table."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import faiss
import numpy as np
from numpy.typing import NDArray

from vecsmith.codecs.base import Codes, Floats, Quantiser
from vecsmith.errors import VecsmithError


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
            with _silenced():
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


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep FAISS's C++ from printing a warning per codebook where there are few vectors to train on."""
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _add_codes(index: Any, codes: Codes) -> None:
    """Add codes to an index as they are; a transform before it has already been applied to them."""
    if isinstance(index, faiss.IndexPreTransform):
        _add_codes(faiss.downcast_index(index.index), codes)
        index.ntotal = len(codes)
    else:
        index.add_sa_codes(codes)
