"""The work on one shard: read it in blocks, apply a stage, and write a part."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vecsmith.array_types import Vectors
from vecsmith.distributed.hashing import string_hashes
from vecsmith.distributed.parts import Part, PartsFolder
from vecsmith.distributed.shards import Block, Shard
from vecsmith.distributed.stages import Batch, Stage
from vecsmith.embeddings.checks import check_values
from vecsmith.errors import VecsmithError

HALVES_SEED = 1 << 32
"""Seed of the hash that splits rows into halves, which no seed of a sample equals."""


@dataclass
class WriteParts:
    """Apply a stage to shards, and write the parts that are missing.

    Parameters
    ----------
    stage : Stage
        Its output column becomes a column of the part.
    shards : sequence of Shard
        The input.
    folder : PartsFolder
        The output.
    dimensions : int or None
        Number of dimensions that vectors must have; None if texts are read.
    """

    stage: Stage
    shards: list[Shard]
    folder: PartsFolder
    dimensions: int | None = None

    def __call__(self, number: int) -> Part:
        """Write a part, unless an earlier run wrote it."""
        return self.folder.written(number) or self._write(number)

    def _write(self, number: int) -> Part:
        zero_rows: list[int] = []
        unit_length = True
        shard = self.shards[number]

        def blocks() -> Iterator[pa.Table]:
            nonlocal unit_length
            for block in shard.blocks():
                if block.vectors is not None:
                    check_dimensions(shard, block, self.dimensions)
                    is_unit, zeros = check_values([block.vectors], shard.name, block.start)
                    unit_length = unit_length and is_unit
                    zero_rows.extend(zeros.tolist())
                yield self._table(block)

        return self.folder.write(number, blocks(), lambda: {"zero_rows": zero_rows, "normalised": unit_length})

    def _table(self, block: Block) -> pa.Table:
        texts = {} if block.texts is None else {"text": block.texts}
        batch: Batch = {"id": block.ids, "vector": block.vectors, "text": block.texts}
        result = self.stage(batch)[self.stage.output]
        return pa.table({"id": block.ids, **texts, self.stage.output: as_arrow(result)})


def check_dimensions(shard: Shard, block: Block, dimensions: int | None) -> None:
    """Check that the vectors of a block have as many dimensions as expected.

    Raises
    ------
    VecsmithError
        If they have not; the message names the file and the row.
    """
    if block.vectors is not None and dimensions not in (None, block.vectors.shape[1]):
        raise VecsmithError(
            f"{shard.name} has vectors of {block.vectors.shape[1]} dimensions from row {block.start}, but {dimensions} "
            "are expected; give the vectors of one model."
        )


def as_arrow(rows: Any) -> pa.Array:
    """Return codes (n, bytes), uint8, as fixed-size binary values, and vectors (n, d) as fixed-size lists."""
    rows = np.ascontiguousarray(rows)
    if rows.dtype == np.uint8:
        type_ = pa.binary(rows.shape[1])
        return pa.Array.from_buffers(type_, len(rows), [None, pa.py_buffer(rows)])
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])


def halves(ids: pa.Array) -> NDArray[np.uint64]:
    """Return the half, 0 or 1, of each id (n,), for cross-fitting."""
    return string_hashes(ids, HALVES_SEED) % np.uint64(2)


@dataclass
class Sample:
    """Draw the rows whose hashed ids are below a threshold, which depends neither on files nor on their order.

    Parameters
    ----------
    shards : sequence of Shard
        The input.
    threshold : int
        Largest hash that is drawn.
    seed : int
        Seed of the hashes.
    dimensions : int
        Number of dimensions of the vectors.
    half : {0, 1}, optional
        Draw only from this half of the rows, which another hash of the ids chooses.
    """

    shards: list[Shard]
    threshold: int
    seed: int
    dimensions: int
    half: int | None = None

    def __call__(self, number: int) -> tuple[Any, list[str], Vectors]:
        """Return the hashes (m,), ids and vectors (m, d) of the drawn rows of a shard."""
        shard = self.shards[number]
        hashes, ids, vectors = [np.empty(0, np.uint64)], list[str](), list[Vectors]()
        for block in shard.blocks():
            check_dimensions(shard, block, self.dimensions)
            own = string_hashes(block.ids, self.seed)
            drawn = own <= np.uint64(self.threshold)
            if self.half is not None:
                drawn &= halves(block.ids) == self.half
            rows = np.flatnonzero(drawn)
            assert block.vectors is not None
            vectors.append(block.vectors[rows])
            if not np.isfinite(vectors[-1]).all():
                check_values([block.vectors], shard.name, block.start)  # names the row
            hashes.append(own[rows])
            ids += block.ids.take(pa.array(rows)).to_pylist()
        sampled = np.concatenate(vectors) if vectors else np.empty((0, self.dimensions), np.float32)
        return np.concatenate(hashes), ids, sampled


@dataclass
class HashIds:
    """Hash the ids of shards, of which only those with a given remainder are returned.

    Parameters
    ----------
    shards : sequence of Shard
        The input, of which only the ids are read.
    modulus, remainder : int
        Hashes h with h mod `modulus` = `remainder` are returned, which bounds the memory of the caller.
    """

    shards: list[Shard]
    modulus: int = 1
    remainder: int = 0

    def __call__(self, number: int) -> Any:
        """Return the hashes (m,), uint64, of a shard."""
        found = [np.empty(0, np.uint64)]
        for block in self.shards[number].blocks():
            hashes = string_hashes(block.ids)
            found.append(hashes[hashes % np.uint64(self.modulus) == self.remainder])
        return np.concatenate(found)


@dataclass
class FindIds:
    """Find the rows whose ids have given hashes.

    Parameters
    ----------
    shards : sequence of Shard
        The input, of which only the ids are read.
    hashes : set of int
        The hashes.
    """

    shards: list[Shard]
    hashes: set[int]

    def __call__(self, number: int) -> list[tuple[str, int, int]]:
        """Return the id, the number of the shard, and the row in it of each row that is found."""
        wanted = np.array(sorted(self.hashes), np.uint64)
        return [
            (block.ids[int(row)].as_py(), number, block.start + int(row))
            for block in self.shards[number].blocks()
            for row in np.flatnonzero(np.isin(string_hashes(block.ids), wanted))
        ]


@dataclass
class VectorsOf:
    """Read the vectors of given ids.

    Parameters
    ----------
    shards : sequence of Shard
        The vectors.
    ids : pyarrow.Array of strings
        The ids.
    """

    shards: list[Shard]
    ids: pa.Array

    def __call__(self, number: int) -> tuple[list[str], list[Vectors]]:
        """Return the ids and blocks of vectors (m, d) of the rows of a shard that have one of the ids, in order."""
        ids, vectors = list[str](), list[Vectors]()
        for block in self.shards[number].blocks():
            rows = np.flatnonzero(pc.is_in(block.ids, self.ids))
            assert block.vectors is not None
            ids += block.ids.take(pa.array(rows)).to_pylist()
            vectors.append(block.vectors[rows])
        return ids, vectors
