"""NumPy files: the codes, or the decoded vectors."""

from pathlib import Path

from vecsmith.arrays import write_npy
from vecsmith.embeddings import read_vectors
from vecsmith.index.code_set import CodeSet
from vecsmith.stores.base import BLOCK, Collection, exported_file, named_blocks

PACKAGES = ()


def export(codes: CodeSet, where: str, table: str, decoded: bool, force: bool) -> int:
    """Write (n, bytes_per_vector) uint8, or (n, d) float32."""
    with exported_file(codes, where, decoded, force) as beside:
        blocks = (codes.codec.decode(block) if decoded else block for _, _, block in named_blocks(codes, "rows to npy"))
        write_npy(beside, len(codes), blocks)
    return Path(where).stat().st_size


def read(where: str, table: str) -> Collection:
    """Read ``.npy``, ``.npz`` or ``.parquet``."""
    vectors, ids, texts = read_vectors(where)
    blocks = (vectors[start : start + BLOCK] for start in range(0, len(vectors), BLOCK))
    return Collection(ids or [str(row) for row in range(len(vectors))], texts, blocks)
