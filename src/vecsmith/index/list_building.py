"""Building inverted lists for all documents of a snapshot."""

from dataclasses import replace

import numpy as np

from vecsmith.array_types import Floats
from vecsmith.codecs.stages import CODE_BLOCK_ROWS
from vecsmith.errors import VecsmithError
from vecsmith.index.inverted_lists import InvertedLists, learn_centroids
from vecsmith.index.list_search import check_lists
from vecsmith.index.snapshot import Snapshot

LISTS_PER_ROOT = 1
"""Number of lists, as a multiple of the square root of the number of documents.

With this number, selecting the nearest lists costs about as much as scanning a few of them.
"""
VECTORS_PER_LIST = 48
"""Decoded vectors per list in the training set of the centroids; FAISS warns of fewer than 39."""


def build_lists(snapshot: Snapshot, n_lists: int | None, seed: int) -> Snapshot:
    """Return a snapshot whose documents are all in inverted lists.

    Parameters
    ----------
    snapshot : Snapshot
        The documents.
    n_lists : int or None
        Number of lists; None for `LISTS_PER_ROOT` times the square root of the number of documents.
    seed : int
        Seed of the training sample and of k-means.

    Raises
    ------
    VecsmithError
        If there are fewer documents than lists, or FAISS has no inverted lists for the codes.
    """
    n_lists = round(LISTS_PER_ROOT * snapshot.count**0.5) if n_lists is None else n_lists
    if not 1 <= n_lists <= snapshot.count:
        raise VecsmithError(
            f"n_lists must be from 1 to {snapshot.count}, the number of documents in the index, not {n_lists}."
        )
    for partition in snapshot.partitions:
        check_lists(partition.codec.quantizer.index(partition.codes[:1]))
    centroids = learn_centroids(_sample(snapshot, VECTORS_PER_LIST * n_lists, seed), n_lists, seed)
    segments = []
    for segment in snapshot.segments:
        partitions = [
            partition.with_lists(InvertedLists.assign(centroids, partition.codec, partition.codes))
            for partition in segment.partitions
        ]
        segments.append(replace(segment, partitions=tuple(partitions)))
    return replace(snapshot, segments=tuple(segments))


def _sample(snapshot: Snapshot, size: int, seed: int) -> Floats:
    """Return the decoded vectors (m, d) of about `size` documents, from each partition its share."""
    rng, partitions = np.random.default_rng(seed), list(zip(snapshot.partitions, snapshot.alive_filters, strict=True))
    counts = [len(partition.codes) if alive is None else len(alive.rows) for partition, alive in partitions]
    sizes = [min(count, -(-size * count // snapshot.count)) for count in counts]
    # filled in place, because the sample is the largest array of all
    vectors = np.empty((sum(sizes), snapshot.partitions[0].codec.input_dimensions), np.float32)
    start = 0
    for (partition, alive), count, own in zip(partitions, counts, sizes, strict=True):
        chosen = np.sort(rng.choice(count, own, replace=False))
        rows = chosen if alive is None else alive.rows[chosen]
        for first in range(0, own, CODE_BLOCK_ROWS):
            block = rows[first : first + CODE_BLOCK_ROWS]
            vectors[start : start + len(block)] = partition.codec.decode(partition.codes[block])
            start += len(block)
    return vectors
