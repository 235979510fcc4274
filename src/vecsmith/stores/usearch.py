"""USearch: codes of bits under Hamming distance, or decoded vectors in half precision."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vecsmith.codecs.stages import Floats
from vecsmith.errors import VecsmithError, require
from vecsmith.index.code_set import CodeSet
from vecsmith.index.scoring import Scoring, is_bit_code
from vecsmith.stores.base import BLOCK, Collection, check_bits, exported_file, named_blocks

PACKAGES = ("usearch",)
SCORING: Scoring = "symmetric"
"""Codes of queries are compared with those of documents, by their Hamming distance."""
searches = is_bit_code


def export(codes: CodeSet, where: str, table: str, decoded: bool, force: bool) -> int:
    """Write an index whose keys are the rows.

    A query of codes is ``codec.encode(Q)``; ``search(…, exact=True)`` scans, else the index's graph is walked.
    """
    engine = require("usearch.index", "stores")
    if not decoded:
        check_bits(codes, "usearch")
    with exported_file(codes, where, decoded, force) as beside:
        if decoded:
            index = engine.Index(ndim=codes.codec.input_dimensions, metric="ip", dtype="f16")
        else:
            index = engine.Index(ndim=8 * codes.codes.shape[1], metric="hamming", dtype="b1")
        start = 0
        for _, _, block in named_blocks(codes, "rows to usearch"):
            rows = np.arange(start, start + len(block))
            index.add(rows, codes.codec.decode(block) if decoded else np.array(block))
            start += len(block)
        index.save(str(beside))
    return Path(where).stat().st_size


def read(where: str, table: str) -> Collection:
    """Read an index of float vectors, one a key, by rising key."""
    engine = require("usearch.index", "stores")
    try:
        index = engine.Index.restore(where, view=True)
    except ValueError as error:
        raise VecsmithError(f"{where} is no USearch index ({error}); give a file that USearch saved.") from error
    if index is None:
        raise VecsmithError(f"There is no USearch index {where}.")
    if index.dtype == engine.ScalarKind.B1 or index.multi:
        kept = "bits" if index.dtype == engine.ScalarKind.B1 else "several vectors a key"
        raise VecsmithError(f"{where} keeps {kept}; give an index with one float vector a key.")
    keys = np.sort(np.fromiter(index.keys, np.uint64, len(index)))

    def blocks() -> Iterator[Floats]:
        for start in range(0, len(keys), BLOCK):
            yield np.stack(index.get(keys[start : start + BLOCK], dtype="f32"))

    return Collection([str(key) for key in keys], None, blocks())
