"""FAISS files, which float queries search."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from vecsmith.array_types import Floats
from vecsmith.codecs import Codec
from vecsmith.codecs.projection import matrix_of, transform
from vecsmith.codecs.quantizers.sketch import SketchIndex
from vecsmith.codecs.quantizers.unit_length import UnitQuantizer
from vecsmith.codecs.scan import MAX_GROUPS, fast_scan
from vecsmith.embeddings import BLOCK_ROWS
from vecsmith.errors import VecsmithError
from vecsmith.index import CodeSet
from vecsmith.index.list_scan import flat_codes_of
from vecsmith.stores.base import Collection, FileStore
from vecsmith.stores.blocks import decoded_blocks

CANDIDATES_PER_RESULT = 32
"""Candidates per result that are rescored with decoded vectors, where FAISS cannot compute the scores of the codes."""


class Faiss(FileStore):
    """A FAISS index whose ids are row numbers, and which returns what `Index` returns."""

    name = "faiss"
    packages = ("faiss",)
    scoring = "asymmetric"

    def searches(self, codec: Codec) -> bool:
        """Return whether the file of a codec has codes alone, without decoded vectors (see `scanning_index`)."""
        return codec.quantizer.scanned_by_faiss and not isinstance(codec.quantizer, UnitQuantizer)

    def write(self, codes: CodeSet, path: Path, decoded: bool) -> None:
        faiss.write_index(_decoded_index(codes) if decoded else scanning_index(codes), str(path))

    def read(self, where: str, table: str) -> Collection:
        """Read an index that can reconstruct its vectors, such as a flat one."""
        try:
            whole = index = faiss.read_index(where, faiss.IO_FLAG_MMAP_IFC)
            ids = [str(row) for row in range(index.ntotal)]
            if isinstance(index, faiss.IndexIDMap):
                ids = [str(id_) for id_ in faiss.vector_to_array(index.id_map).tolist()]
                index = faiss.downcast_index(index.index)
            index.reconstruct_n(0, min(1, index.ntotal))
        except RuntimeError as error:
            raise VecsmithError(
                f"{where} is no FAISS index that can give its vectors back "
                f"({str(error).rsplit('Error: ')[-1].strip()}); give a flat one."
            ) from error

        def blocks() -> Iterator[Floats]:
            # `whole` owns `index`, so it must stay alive
            for start in range(0, whole.ntotal, BLOCK_ROWS):
                yield index.reconstruct_n(start, min(BLOCK_ROWS, whole.ntotal - start))

        return Collection(ids, None, blocks())


def scanning_index(codes: CodeSet) -> Any:
    """Return a FAISS index of codes for float queries.

    The index projects queries by an ``IndexPreTransform``. Its scores lack the part that is the same for all documents
    of a query. FAISS cannot divide by a norm that depends on the code, as codes of unit length need, and cannot decode
    the codes of some quantizers, such as those of a trellis. For these the index contains the decoded vectors in
    half precision too, 2 d bytes each, and rescores candidates with them. FAISS finds the candidates by scanning the
    codes, or the sketches of trellis codes; it scans the decoded vectors of codes that have neither. Codes of more than
    `MAX_GROUPS` groups of four bits are scanned exactly, which is slower, because sums of the fast scan may overflow.
    """
    quantizer = codes.codec.quantizer
    scanned = quantizer.index(codes.codes)
    if isinstance(scanned, SketchIndex):
        sketches = fast_scan(scanned.product_index())
        return _refined(_transformed(linear_projection(codes.codec, scanned.project), sketches), codes)
    projection = linear_projection(codes.codec)
    if not quantizer.scanned_by_faiss:
        return _decoded_index(codes)
    exact, has_factors = flat_codes_of(scanned), quantizer.score_factors(codes.codes[:1]) is not None
    if isinstance(scanned, faiss.IndexRefine) and exact.pq.M > MAX_GROUPS:
        base = exact
    else:
        base = scanned.base_index if has_factors else scanned
    index = _transformed(projection, base)
    if has_factors:
        index = _refined(index, codes)
    if index is not scanned:  # which owns `base`
        index.referenced_objects = [*getattr(index, "referenced_objects", []), scanned]
    return index


def _refined(base: Any, codes: CodeSet) -> Any:
    """Return an index that rescores the candidates of `base` with decoded vectors."""
    index: Any = faiss.IndexRefine(base, _decoded_index(codes))
    index.k_factor = CANDIDATES_PER_RESULT
    return index


def linear_projection(codec: Codec, then: Callable[[Floats], Floats] = np.asarray) -> Floats:
    """Return the matrix A (m, d) that projects queries (n, d) to their products with Aᵀ.

    Parameters
    ----------
    codec : Codec
        The fitted codec, whose quantizer projects the queries.
    then : callable
        A linear function of the projected queries (n, k).

    Raises
    ------
    VecsmithError
        If the projection is not linear, such as that of a neural network.
    """

    def project(Q: Floats) -> Floats:
        return then(codec.quantizer.project_queries(codec.reduce_queries(Q)[0])[0])

    A = matrix_of(project, codec.input_dimensions)
    if A is None:
        raise VecsmithError(
            f"FAISS cannot project the queries of {codec.spec}, which are not multiplied with a matrix; "
            "export --decoded instead."
        )
    return A


def _transformed(A: Floats, index: Any) -> Any:
    if A.shape[0] == A.shape[1] and np.array_equal(A, np.eye(len(A))):
        return index
    return faiss.IndexPreTransform(transform(A), index)


def _decoded_index(codes: CodeSet) -> Any:
    index = faiss.IndexScalarQuantizer(
        codes.codec.input_dimensions, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    index.is_trained = True
    for block in decoded_blocks(codes):
        index.add(block)
    return index
