"""The files of an embedding set, written shard by shard.

A folder holds ``vectors-00000.npy`` … (shards of as many rows), ``rows.parquet`` (id, text, shard, offset) and
``manifest.json`` (provenance and a SHA-256 per file), which is written last: a folder without it is unfinished.
"""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from vecsmith.arrays import open_npy, write_npy
from vecsmith.embeddings.checks import Vectors, check_shapes, check_values, warn_of_zero_rows
from vecsmith.embeddings.provenance import Provenance
from vecsmith.embeddings.rows import Rows
from vecsmith.files import fingerprint, remove, replacing, write_text
from vecsmith.manifests import write_manifest
from vecsmith.outputs import LOCK, check_folder

FORMAT_VERSION = 1
KIND = "embedding set"
MARKER = "unfinished"
SHARD_ROWS = 2048
"""Rows of a shard: what an interrupted embedding loses at most."""
MOST_SHARDS = 256
"""Shards of larger sets have more rows: every open shard is an open file, of which systems allow 1,024 or fewer."""


class EmbeddingWriter:
    """Writes an `EmbeddingSet` shard by shard; started again on an unfinished folder, it goes on after the last one.

    Nothing is written before the first shard is there.

    Parameters
    ----------
    path : Path
        The folder; new, or left unfinished by a writer with the same rows and provenance.
    ids, texts, provenance
        As of `EmbeddingSet`; the provenance's `content_hash` stands for the rows.
    force : bool
        Remove whatever the folder holds, before the first shard is written.

    Raises
    ------
    VecsmithError
        If `path` holds something else.
    """

    def __init__(
        self,
        path: Path,
        ids: Sequence[str],
        texts: Sequence[str] | None,
        provenance: Provenance,
        force: bool = False,
    ) -> None:
        self.path = path
        self.provenance = provenance
        self._rows = Rows(len(ids), ids, texts)
        self._shard_rows = max(SHARD_ROWS, -(-len(ids) // MOST_SHARDS))
        self._marker = path / MARKER
        self._key = fingerprint([provenance.key, len(ids)])
        self._shards_done = 0
        begun = self._marker.is_file() and self._marker.read_text(encoding="utf-8", errors="replace") == self._key
        self._in_the_way = not begun and _holds_something(path)
        if self._in_the_way:
            check_folder(path, None, force)
        while begun and self._rows_of(self._shards_done) == self._shard_rows:
            self._shards_done += 1

    @property
    def remaining(self) -> list[slice]:
        """Rows that are still to be written, one slice a shard."""
        starts = range(self._shards_done * self._shard_rows, len(self._rows), self._shard_rows)
        return [slice(start, start + self._shard_rows) for start in starts]

    def write(self, vectors: Vectors) -> None:
        """Write the next shard: the vectors, (rows, d), of the first slice in `remaining`.

        Raises
        ------
        VecsmithError
            If a vector is not finite (which row), or has other dimensions than the shards before.
        """
        before = [open_npy(self._shard(0))] if self._shards_done else []
        check_shapes([*before, vectors], str(self.path))
        check_values([vectors], str(self.path), self._shards_done * self._shard_rows)
        if not self._shards_done:
            self._begin()
        with replacing(self._shard(self._shards_done)) as beside:
            write_npy(beside, len(vectors), [vectors])
        self._shards_done += 1

    def finish(self) -> None:
        """Write the manifest, which makes the folder a set.

        Raises
        ------
        VecsmithError
            If all vectors are zero; the folder is removed.
        """
        if not any(open_npy(self._shard(number)).any() for number in range(self._shards_done)):
            shutil.rmtree(self.path)
            warn_of_zero_rows(np.arange(len(self._rows)), len(self._rows), str(self.path))
        for leftover in filter(_is_partial, self.path.iterdir()):
            leftover.unlink()
        names = [self._shard(number).name for number in range(self._shards_done)]
        provenance = asdict(replace(self.provenance, dtype=open_npy(self._shard(0)).dtype.name))
        content = {"rows": len(self._rows), "provenance": provenance}
        write_manifest(self.path / "manifest.json", KIND, FORMAT_VERSION, content, [*names, "rows.parquet"])
        self._marker.unlink()

    def _begin(self) -> None:
        if self._in_the_way:
            for file in [self.path] if self.path.is_file() else self.path.iterdir():
                if file.name != LOCK:
                    remove(file)
        write_text(self._marker, self._key)
        with replacing(self.path / "rows.parquet") as beside:
            self._rows.write(beside, self._shard_rows)

    def _shard(self, number: int) -> Path:
        return self.path / f"vectors-{number:05d}.npy"

    def _rows_of(self, number: int) -> int:
        """Return the rows of a shard on disk; 0 if it is missing or damaged and must be written again."""
        try:
            return len(open_npy(self._shard(number)))
        except Exception:  # see `EmbeddingSet.open`
            return 0


def _is_partial(file: Path) -> bool:
    return file.name.startswith(".") and file.name.endswith(".partial")


def _holds_something(path: Path) -> bool:
    return path.is_file() or (
        path.exists() and any(not _is_partial(file) and file.name != LOCK for file in path.iterdir())
    )
