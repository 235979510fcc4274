"""Resumable writing of an embedding set, with one writer at a time."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from vecsmith.array_types import Vectors
from vecsmith.embeddings.embedding_set import EmbeddingSet
from vecsmith.embeddings.provenance import Provenance
from vecsmith.embeddings.writer import EmbeddingWriter
from vecsmith.errors import VecsmithError
from vecsmith.files import remove
from vecsmith.outputs import check_folder, follow, only_writer
from vecsmith.progress import announce, steps

FIRST_BLOCK_ROWS, TIMED_BLOCK_ROWS, OTHER_BLOCK_ROWS = 1, 16, 256
"""Rows per block of a shard. The model is loaded with the first block, the second is timed to estimate the duration,
and progress is shown after each."""


def write_set(
    path: str | Path,
    ids: Sequence[str],
    texts: Sequence[str] | None,
    provenance: Provenance,
    vectors: Callable[[slice], Vectors],
    description: str,
    force: bool = False,
    sources: Sequence[EmbeddingSet] = (),
) -> EmbeddingSet:
    """Write an embedding set block by block. An interrupted call is resumed by the next one and gives the same bytes.

    Parameters
    ----------
    path : str or Path
        A new folder, or one with the same set, finished or not.
    ids, texts, provenance
        As in `EmbeddingWriter`.
    vectors : callable
        Returns the vectors (rows, d) of a slice of rows; called in row order.
    description : str
        Text of the progress bar, such as ``"Translating 500 vectors"``.
    force : bool
        Replace the folder, whatever it contains.
    sources : sequence of EmbeddingSet
        Sets from which `vectors` reads, whose folders cannot be replaced.

    Returns
    -------
    EmbeddingSet
        The finished set, memory-mapped.

    Raises
    ------
    VecsmithError
        If `path` contains anything else, another process is writing to it, or it is the folder of a source and would
        be replaced.
    """
    folder = follow(Path(path))
    if force and any(folder.resolve() in source.shards.folders for source in sources):
        raise VecsmithError(f"{path} holds the vectors that are read, so it cannot be replaced; give another folder.")
    if folder.is_file():
        check_folder(folder, None, force)
        remove(folder)
    with only_writer(folder):
        if (folder / "manifest.json").is_file() and not force:
            finished = EmbeddingSet.open(folder)
            # the manifest says of the vectors whether they have unit length
            if finished.provenance.key != replace(provenance, normalised=finished.provenance.normalised).key:
                raise VecsmithError(
                    f"{path} already holds other vectors; give another folder, or --force (force=True) to replace them."
                )
            return finished
        writer = EmbeddingWriter(folder, ids, texts, provenance, force)
        shards = [range(len(ids))[rows] for rows in writer.remaining]
        count = sum(map(len, shards))
        with steps(description, count) as advance:
            for number, shard in enumerate(shards):
                blocks = []
                for rows in _blocks(shard):
                    start = time.perf_counter()
                    blocks.append(vectors(slice(rows.start, rows.stop)))
                    if number == 0 and rows.start == shard.start + FIRST_BLOCK_ROWS:
                        announce(description, (time.perf_counter() - start) / len(rows) * count)
                    advance(len(rows))
                writer.write(np.concatenate(blocks))
        writer.finish()
    return EmbeddingSet.open(folder)


def _blocks(shard: range) -> Iterator[range]:
    """Yield the rows of a shard block by block.

    All shards are split in the same way, so that a resumed writer writes the same bytes.
    """
    timed = FIRST_BLOCK_ROWS + TIMED_BLOCK_ROWS
    ends = [0, FIRST_BLOCK_ROWS, timed, *range(timed + OTHER_BLOCK_ROWS, len(shard), OTHER_BLOCK_ROWS), len(shard)]
    yield from (rows for start, stop in pairwise(ends) if (rows := shard[start : min(stop, len(shard))]))
