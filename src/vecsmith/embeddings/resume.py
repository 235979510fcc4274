"""Writing an embedding set shard by shard: one writer at a time, and an interrupted one is resumed."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from vecsmith.embeddings.checks import Vectors
from vecsmith.embeddings.embedding_set import EmbeddingSet
from vecsmith.embeddings.provenance import Provenance
from vecsmith.embeddings.writer import EmbeddingWriter
from vecsmith.errors import VecsmithError
from vecsmith.files import remove
from vecsmith.outputs import check_folder, follow, only_writer
from vecsmith.progress import announce, steps

FIRST, TIMED, BLOCK = 1, 16, 256
"""Rows of the blocks of a shard: of the first, for which a model is loaded; of the second, from which the duration is
extrapolated; and of all others, between which the progress is shown."""


def write_set(
    path: str | Path,
    ids: Sequence[str],
    texts: Sequence[str] | None,
    provenance: Provenance,
    vectors: Callable[[slice], Vectors],
    description: str,
    force: bool = False,
) -> EmbeddingSet:
    """Write an embedding set block by block; killed and called again, it resumes and ends with the same bytes.

    Parameters
    ----------
    path : str or Path
        The folder: new, or with the same set, finished or not.
    ids, texts, provenance
        As of `EmbeddingWriter`.
    vectors : callable
        Returns the vectors (rows, d) of a slice of rows; called in the order of the rows.
    description : str
        The work, such as ``"Translating 500 vectors"``, for the progress bar and the estimate.
    force : bool
        Write a new set, whatever the folder holds.

    Returns
    -------
    EmbeddingSet
        The finished set, memory-mapped.

    Raises
    ------
    VecsmithError
        If `path` holds something else, or another process writes to it at this moment.
    """
    folder = follow(Path(path))
    if folder.is_file():
        check_folder(folder, None, force)
        remove(folder)
    with only_writer(folder):
        if (folder / "manifest.json").is_file() and not force:
            finished = EmbeddingSet.open(folder)
            if finished.provenance.key != provenance.key:
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
                    if number == 0 and rows.start == shard.start + FIRST:
                        announce(description, (time.perf_counter() - start) / len(rows) * count)
                    advance(len(rows))
                writer.write(np.concatenate(blocks))
        writer.finish()
    return EmbeddingSet.open(folder)


def _blocks(shard: range) -> Iterator[range]:
    """Yield the rows of a shard block by block.

    The blocks are the same for every shard, so that a writer that was interrupted ends with the same bytes.
    """
    ends = [0, FIRST, FIRST + TIMED, *range(FIRST + TIMED + BLOCK, len(shard), BLOCK), len(shard)]
    yield from (rows for start, stop in pairwise(ends) if (rows := shard[start : min(stop, len(shard))]))
