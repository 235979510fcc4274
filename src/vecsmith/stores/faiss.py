"""FAISS: a file that takes plain float queries."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from vecsmith.codecs import Codec
from vecsmith.codecs.projection import matrix_of, transform
from vecsmith.codecs.quantizers.unit_length import UnitQuantizer
from vecsmith.codecs.stages import Floats
from vecsmith.errors import VecsmithError
from vecsmith.index.code_set import CodeSet
from vecsmith.index.scoring import Scoring
from vecsmith.stores.base import BLOCK, Collection, decoded_blocks, exported_file

PACKAGES = ("faiss",)
SCORING: Scoring = "asymmetric"

REFINE = 32
"""How many times k documents are scored by their decoded vectors, where the scan knows no norms."""


def searches(codec: Codec) -> bool:
    """Whether a FAISS file has the codes alone, without the decoded vectors (see `scan`)."""
    return codec.quantizer.scanned and not isinstance(codec.quantizer, UnitQuantizer)


def export(codes: CodeSet, where: str, table: str, decoded: bool, force: bool) -> int:
    """Write an index whose ids are the rows, and which finds what `Index` finds."""
    with exported_file(codes, where, decoded, force) as beside:
        faiss.write_index(_decoded(codes) if decoded else scan(codes), str(beside))
    return Path(where).stat().st_size


def scan(codes: CodeSet) -> Any:
    """Return an index of the codes for float queries; scores lack what is the same for all documents of a query.

    The query's projection is an ``IndexPreTransform``. FAISS cannot divide by a norm that follows from the code, as
    codes of unit length need; nor can it scan codes that are searched decoded, such as those of a trellis: the file
    has their decoded vectors in half precision too, 2 d bytes each.
    """
    quantizer = codes.codec.quantizer
    projection = linear_projection(codes.codec)
    if not quantizer.scanned:
        return _decoded(codes)
    scanned = quantizer.index(codes.codes)
    if quantizer.score_factors(codes.codes[:1]) is None:
        return _transformed(projection, scanned)
    index = faiss.IndexRefine(_transformed(projection, scanned.base_index), _decoded(codes))
    index.k_factor = REFINE
    index.referenced_objects.append(scanned)  # type: ignore[attr-defined]  # FAISS sets it; this owns `base_index`
    return index


def linear_projection(codec: Codec) -> Floats:
    """Return the A (m, d) that queries are multiplied with.

    Raises
    ------
    VecsmithError
        If queries take another way, such as through a network.
    """

    def project(Q: Floats) -> Floats:
        return codec.quantizer.project_queries(codec.reduce_queries(Q)[0])[0]

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


def _decoded(codes: CodeSet) -> Any:
    index = faiss.IndexScalarQuantizer(
        codes.codec.input_dimensions, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    index.is_trained = True
    for block in decoded_blocks(codes):
        index.add(block)
    return index


def read(where: str, table: str) -> Collection:
    """Read an index that keeps its vectors or can reconstruct them, such as a flat one."""
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
        # `whole` owns `index`
        for start in range(0, whole.ntotal, BLOCK):
            yield index.reconstruct_n(start, min(BLOCK, whole.ntotal - start))

    return Collection(ids, None, blocks())
