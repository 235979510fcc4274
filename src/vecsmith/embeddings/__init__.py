"""Sets of embedding vectors: in memory, on disk, and read from other people's files."""

from vecsmith.embeddings.checks import Vectors, normalise
from vecsmith.embeddings.embedding_set import EmbeddingSet
from vecsmith.embeddings.fusion import Several, as_one, check_blocks, fuse
from vecsmith.embeddings.provenance import Provenance, content_hash, joined_prompt
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
    "Provenance",
    "Rows",
    "Several",
    "StoredRows",
    "UnitVectors",
    "Vectors",
    "as_one",
    "check_blocks",
    "chosen_columns",
    "content_hash",
    "fuse",
    "joined_prompt",
    "normalise",
    "read_vectors",
]
