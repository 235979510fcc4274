"""USearch: codes of bits under Hamming distance, or decoded vectors in half precision."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vecsmith.codecs.stages import Floats
from vecsmith.errors import VecsmithError, require
from vecsmith.index import CodeSet
from vecsmith.stores.base import Collection, FileStore
from vecsmith.stores.blocks import BATCH_ROWS, row_blocks


class USearch(FileStore):
    """A USearch index whose keys are row numbers.

    Queries for an index of codes are encoded by ``codec.encode(Q)``; ``search(…, exact=True)`` scans all codes, and
    other searches walk a graph.
    """

    name = "usearch"
    packages = ("usearch",)
    bit_codes_only = True
    scoring = "symmetric"

    def write(self, codes: CodeSet, path: Path, decoded: bool) -> None:
        engine = require("usearch.index", "stores")
        if decoded:
            index = engine.Index(ndim=codes.codec.input_dimensions, metric="ip", dtype="f16")
        else:
            index = engine.Index(ndim=8 * codes.codes.shape[1], metric="hamming", dtype="b1")
        start = 0
        for _, _, block in row_blocks(codes, "rows to usearch"):
            keys = np.arange(start, start + len(block))
            index.add(keys, codes.codec.decode(block) if decoded else np.array(block))
            start += len(block)
        index.save(str(path))

    def read(self, where: str, table: str) -> Collection:
        """Read an index of one float vector per key, in the order of the keys."""
        engine = require("usearch.index", "stores")
        try:
            index = engine.Index.restore(where, view=True)
        except ValueError as error:
            raise VecsmithError(f"{where} is no USearch index ({error}); give a file that USearch saved.") from error
        if index is None:
            raise VecsmithError(f"There is no USearch index {where}.")
        if index.dtype == engine.ScalarKind.B1 or index.multi:
            content = "bits" if index.dtype == engine.ScalarKind.B1 else "several vectors a key"
            raise VecsmithError(f"{where} keeps {content}; give an index with one float vector a key.")
        keys = np.sort(np.fromiter(index.keys, np.uint64, len(index)))

        def blocks() -> Iterator[Floats]:
            for start in range(0, len(keys), BATCH_ROWS):
                yield np.stack(index.get(keys[start : start + BATCH_ROWS], dtype="f32"))

        return Collection([str(key) for key in keys], None, blocks())
