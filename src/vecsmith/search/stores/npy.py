"""NumPy files: the codes, or the decoded vectors."""

from pathlib import Path

import numpy as np

from vecsmith.embeddings import read_vectors
from vecsmith.files import replacing
from vecsmith.search.codes import CodeSet
from vecsmith.search.stores.base import BLOCK, Collection, named_blocks


def export(codes: CodeSet, where: str, table: str, decoded: bool) -> None:
    """Write (n, bytes_per_vector) uint8, or (n, d) float32."""
    codec = codes.codec
    width, dtype = (codec.input_dimensions, np.float32) if decoded else (codec.bytes_per_vector, np.uint8)
    with replacing(Path(where)) as beside:
        array = np.lib.format.open_memmap(beside, mode="w+", dtype=dtype, shape=(len(codes), width))
        start = 0
        for _, _, block in named_blocks(codes, "rows to npy"):
            array[start : start + len(block)] = codec.decode(block) if decoded else block
            start += len(block)
        array.flush()


def read(where: str, table: str) -> Collection:
    """Read ``.npy``, ``.npz`` or ``.parquet``."""
    vectors, ids, texts = read_vectors(where)
    blocks = (vectors[start : start + BLOCK] for start in range(0, len(vectors), BLOCK))
    return Collection(ids or [str(row) for row in range(len(vectors))], texts, blocks)
