"""USearch: codes of bits under Hamming distance, or decoded vectors in half precision."""

from pathlib import Path

import numpy as np

from vecsmith.errors import require
from vecsmith.files import replacing
from vecsmith.search.codes import CodeSet
from vecsmith.search.stores.base import check_bits, named_blocks


def export(codes: CodeSet, where: str, table: str, decoded: bool) -> None:
    """Write an index whose keys are the rows.

    A query of codes is ``codec.encode(Q)``; ``search(…, exact=True)`` scans, else the index's graph is walked.
    """
    engine = require("usearch.index", "stores")
    if decoded:
        index = engine.Index(ndim=codes.codec.input_dimensions, metric="ip", dtype="f16")
    else:
        check_bits(codes, "usearch")
        index = engine.Index(ndim=8 * codes.codes.shape[1], metric="hamming", dtype="b1")
    start = 0
    for _, _, block in named_blocks(codes, "rows to usearch"):
        index.add(np.arange(start, start + len(block)), codes.codec.decode(block) if decoded else np.array(block))
        start += len(block)
    with replacing(Path(where)) as beside:
        index.save(str(beside))
