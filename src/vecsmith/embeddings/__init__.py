"""Sets of embedding vectors: in memory, on disk, and read from other people's files."""

from vecsmith.embeddings.checks import Vectors, as_vectors, normalize, warn_of_zero_rows
from vecsmith.embeddings.embedding_set import EmbeddingSet
from vecsmith.embeddings.fusion import (
    MultiModelVectors,
    VectorsLike,
    as_unit,
    check_blocks,
    fuse,
    fuse_several,
    is_several,
)
from vecsmith.embeddings.provenance import Provenance, content_hash, joined_prompt
from vecsmith.embeddings.resume import write_set
from vecsmith.embeddings.rows import Rows, StoredRows
from vecsmith.embeddings.unit import UnitVectors
from vecsmith.embeddings.vector_files import SUFFIXES, Columns, chosen_columns, read_vectors
from vecsmith.embeddings.writer import FORMAT_VERSION, MARKER, EmbeddingWriter

__all__ = [
    "FORMAT_VERSION",
    "MARKER",
    "SUFFIXES",
    "Columns",
    "EmbeddingSet",
    "EmbeddingWriter",
    "MultiModelVectors",
    "Provenance",
    "Rows",
    "StoredRows",
    "UnitVectors",
    "Vectors",
    "VectorsLike",
    "as_unit",
    "as_vectors",
    "check_blocks",
    "chosen_columns",
    "content_hash",
    "fuse",
    "fuse_several",
    "is_several",
    "joined_prompt",
    "normalize",
    "read_vectors",
    "warn_of_zero_rows",
    "write_set",
]
