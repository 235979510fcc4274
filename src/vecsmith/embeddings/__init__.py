"""Sets of embedding vectors with ids and provenance, their files, and statistics over their rows."""

from vecsmith.array_types import Vectors
from vecsmith.embeddings.arrow_columns import Columns
from vecsmith.embeddings.checks import BLOCK_ROWS, as_vectors, normalize, warn_of_zero_rows
from vecsmith.embeddings.embedding_set import EmbeddingSet
from vecsmith.embeddings.fusion import (
    MultiModelVectors,
    VectorsLike,
    as_unit,
    check_blocks,
    fuse,
    fuse_models,
    is_multi_model,
)
from vecsmith.embeddings.join import Pairs, join, rows_of
from vecsmith.embeddings.moments import Moments, PairMoments, cross_products
from vecsmith.embeddings.provenance import Provenance, content_hash, joined_prompt
from vecsmith.embeddings.rows import ConcatenatedRows, Rows, StoredRows
from vecsmith.embeddings.sampling import sample_rows
from vecsmith.embeddings.set_writing import write_set
from vecsmith.embeddings.shards import Shards
from vecsmith.embeddings.spectrum import principal_axes, shrunk, with_fixed_signs, with_ridge
from vecsmith.embeddings.strings import StringColumn
from vecsmith.embeddings.unit import UnitVectors
from vecsmith.embeddings.vector_files import SUFFIXES, chosen_columns, read_vectors
from vecsmith.embeddings.writer import FORMAT_VERSION, MARKER, EmbeddingWriter

__all__ = [
    "BLOCK_ROWS",
    "FORMAT_VERSION",
    "MARKER",
    "SUFFIXES",
    "Columns",
    "ConcatenatedRows",
    "EmbeddingSet",
    "EmbeddingWriter",
    "Moments",
    "MultiModelVectors",
    "PairMoments",
    "Pairs",
    "Provenance",
    "Rows",
    "Shards",
    "StoredRows",
    "StringColumn",
    "UnitVectors",
    "Vectors",
    "VectorsLike",
    "as_unit",
    "as_vectors",
    "check_blocks",
    "chosen_columns",
    "content_hash",
    "cross_products",
    "fuse",
    "fuse_models",
    "is_multi_model",
    "join",
    "joined_prompt",
    "normalize",
    "principal_axes",
    "read_vectors",
    "rows_of",
    "sample_rows",
    "shrunk",
    "warn_of_zero_rows",
    "with_fixed_signs",
    "with_ridge",
    "write_set",
]
