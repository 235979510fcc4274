"""Blocks of codes, ids and texts for stores, and of vectors from stores."""

from collections.abc import Iterable, Iterator

import numpy as np

from vecsmith.array_types import Codes, Floats, Vectors
from vecsmith.embeddings import BLOCK_ROWS
from vecsmith.errors import VecsmithError
from vecsmith.index import CodeSet
from vecsmith.progress import track


def row_blocks(codes: CodeSet, label: str) -> Iterator[tuple[list[str], list[str] | None, Codes]]:
    """Yield blocks of ids, texts (None if there are none) and codes (rows, bytes_per_vector), with a progress bar."""
    starts = range(0, len(codes), BLOCK_ROWS)
    for start in track(starts, f"{len(codes)} {label}", len(starts)):
        rows = slice(start, start + BLOCK_ROWS)
        yield codes.ids[rows], None if codes.texts is None else codes.texts[rows], codes.codes[rows]


def decoded_blocks(codes: CodeSet) -> Iterator[Floats]:
    """Yield blocks of decoded vectors (rows, d), float32."""
    for start in range(0, len(codes), BLOCK_ROWS):
        yield codes.codec.decode(codes.codes[start : start + BLOCK_ROWS])


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
            skipped -= len(self.read(min(skipped, BLOCK_ROWS)))

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
