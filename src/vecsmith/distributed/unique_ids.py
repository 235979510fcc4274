"""Check that ids are unique over many files, in bounded memory."""

from collections import Counter
from dataclasses import replace

import numpy as np

from vecsmith.distributed.engines import Engine
from vecsmith.distributed.sources import Source
from vecsmith.distributed.work import FindIds, HashIds
from vecsmith.embeddings import Columns
from vecsmith.errors import VecsmithError

HASHES_IN_MEMORY = 1 << 25
"""Hashes of ids that are compared at a time, of 8 bytes each; more ids are read in several passes."""


def check_unique(source: Source, engine: Engine, hashes_in_memory: int = HASHES_IN_MEMORY) -> None:
    """Check that no id occurs twice; ids that are row numbers are not read.

    Parameters
    ----------
    source : Source
        The rows.
    engine : Engine
        The engine that reads the ids.
    hashes_in_memory : int
        About the number of hashes that are held at a time.

    Raises
    ------
    VecsmithError
        If an id occurs twice; the message has both places.
    """
    name = source.shards[0].columns.ids
    if name is None:
        return
    shards = [replace(shard, columns=Columns(ids=name), title=None) for shard in source.shards]
    passes = -(-source.count() // hashes_in_memory)
    for remainder in range(passes):
        label = f"Checking ids of {len(shards):,} shards"
        hashes = np.concatenate(list(engine.run(HashIds(shards, passes, remainder), len(shards), label)))
        hashes.sort()
        repeated = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
        if len(repeated):
            found = engine.run(FindIds(shards, set(repeated.tolist())), len(shards), "Finding duplicate ids")
            _refuse(source, [place for places in found for place in places])


def _refuse(source: Source, places: list[tuple[str, int, int]]) -> None:
    """Raise an error for the first id that has two places; different ids may share a hash."""
    times = Counter(id_ for id_, _, _ in places)
    repeated = next((id_ for id_ in times if times[id_] > 1), None)
    if repeated is not None:
        first, second, *_ = sorted((number, row) for id_, number, row in places if id_ == repeated)
        where = [f"row {row} of {source.shards[number].name}" for number, row in (first, second)]
        raise VecsmithError(f"The id {repeated!r} occurs twice, in {where[0]} and in {where[1]}; ids must be unique.")
