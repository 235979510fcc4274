"""NumPy files of codes or decoded vectors."""

from pathlib import Path

from vecsmith.arrays import write_npy
from vecsmith.embeddings import read_vectors
from vecsmith.index import CodeSet
from vecsmith.stores.base import Collection, FileStore
from vecsmith.stores.blocks import BATCH_ROWS, row_blocks


class Npy(FileStore):
    """A NumPy file of codes (n, bytes_per_vector), uint8, or of decoded vectors (n, d), float32."""

    name = "npy"

    def write(self, codes: CodeSet, path: Path, decoded: bool) -> None:
        blocks = (codes.codec.decode(block) if decoded else block for _, _, block in row_blocks(codes, "rows to npy"))
        write_npy(path, len(codes), blocks)

    def read(self, where: str, table: str) -> Collection:
        """Read a file in the format ``.npy``, ``.npz`` or ``.parquet``."""
        vectors, ids, texts = read_vectors(where)
        blocks = (vectors[start : start + BATCH_ROWS] for start in range(0, len(vectors), BATCH_ROWS))
        return Collection(ids or [str(row) for row in range(len(vectors))], texts, blocks)
