"""Blocks of codes, ids and texts for stores, and of vectors from stores."""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

from vecsmith.codecs.stages import Codes, Floats
from vecsmith.embeddings import Vectors
from vecsmith.errors import VecsmithError
from vecsmith.index import CodeSet
from vecsmith.progress import track

BATCH_ROWS = 4096
"""Rows that are written or read at a time."""


def row_blocks(codes: CodeSet, label: str) -> Iterator[tuple[list[str], list[str] | None, Codes]]:
    """Yield blocks of ids, texts (None if there are none) and codes (rows, bytes_per_vector), with a progress bar."""
    ids, starts = codes.rows.each("id"), range(0, len(codes), BATCH_ROWS)
    texts = codes.rows.each("text") if codes.rows.has_texts else None
    for start in track(starts, f"{len(codes)} {label}", len(starts)):
        block = list(islice(ids, BATCH_ROWS))
        yield block, None if texts is None else list(islice(texts, BATCH_ROWS)), codes.codes[start : start + BATCH_ROWS]


def decoded_blocks(codes: CodeSet) -> Iterator[Floats]:
    """Yield blocks of decoded vectors (rows, d), float32."""
    for start in range(0, len(codes), BATCH_ROWS):
        yield codes.codec.decode(codes.codes[start : start + BATCH_ROWS])


class BlockReader:
    """Reads any number of rows at a time from an iterable of blocks.

    Parameters
    ----------
    blocks : iterable of ndarray of shape (rows, d)
        The blocks.
    skipped : int
        Rows to skip first.
    """

    def __init__(self, blocks: Iterable[Vectors], skipped: int) -> None:
        self._blocks = iter(blocks)
        self._pending: list[Vectors] = []
        while skipped > 0:
            skipped -= len(self.read(min(skipped, BATCH_ROWS)))

    def read(self, count: int) -> Vectors:
        """Return the next rows (count, d).

        Raises
        ------
        VecsmithError
            If there are fewer rows.
        """
        pending_rows = sum(map(len, self._pending))
        while pending_rows < count:
            block = next(self._blocks, None)
            if block is None:
                raise VecsmithError("The store has fewer vectors than ids; it changed meanwhile, start again.")
            self._pending.append(block)
            pending_rows += len(block)
        joined = np.concatenate(self._pending)
        self._pending = [joined[count:]]
        return joined[:count]
