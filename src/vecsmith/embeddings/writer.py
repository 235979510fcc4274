"""Writing the files of an embedding set, shard by shard.

A folder contains ``vectors-00000.npy`` … (shards of `SHARD_ROWS` rows), ``rows.parquet`` (id, text, shard, offset),
``zero_rows.npy`` if there are all-zero vectors, and ``manifest.json`` (shape, provenance and a SHA-256 per file). The
manifest is written last, so a folder without a manifest is unfinished.
"""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from vecsmith.array_types import RowNumbers, Vectors
from vecsmith.arrays import open_npy, write_npy
from vecsmith.embeddings.checks import check_shapes, check_values, warn_of_zero_rows
from vecsmith.embeddings.provenance import Provenance, content_hash
from vecsmith.embeddings.rows import Rows
from vecsmith.files import fingerprint, remove, replacing, write_text
from vecsmith.manifests import write_manifest
from vecsmith.outputs import LOCK, check_folder

FORMAT_VERSION = 1
KIND = "embedding set"
MARKER = "unfinished"
ZERO_ROWS = "zero_rows.npy"
SHARD_ROWS = 8192
"""Rows per shard but the last; an interrupted run loses at most one shard."""


class EmbeddingWriter:
    """Write an `EmbeddingSet` shard by shard; on an unfinished folder, continue after its last shard.

    No file is written before the first shard is complete.

    Parameters
    ----------
    path : Path
        A new folder, or one left unfinished by a writer with the same rows and provenance.
    ids, texts, provenance
        As in `EmbeddingSet`; the rows are identified by the `content_hash` of the provenance. That ids are unique is
        checked before the first shard is written.
    force : bool
        Delete the content of the folder before the first shard is written.

    Raises
    ------
    VecsmithError
        If `path` contains anything else, an id or a text is not a string, or an id is missing or occurs twice.
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
        self._rows = Rows(len(ids), ids, texts, str(path))
        self._shard_rows = SHARD_ROWS
        self._checked: dict[int, tuple[bool, RowNumbers]] = {}
        self._marker = path / MARKER
        self._key = fingerprint([provenance.key, len(ids)])
        self._shards_done = 0
        begun = self._marker.is_file() and self._marker.read_text(encoding="utf-8", errors="replace") == self._key
        self._must_clear = not begun and _has_content(path)
        if self._must_clear:
            check_folder(path, None, force)
        while begun and self._rows_of(self._shards_done) == self._shard_rows:
            self._shards_done += 1

    @property
    def remaining(self) -> list[slice]:
        """Rows that are not written yet, one slice per shard."""
        starts = range(self._shards_done * self._shard_rows, len(self._rows), self._shard_rows)
        return [slice(start, start + self._shard_rows) for start in starts]

    def write(self, vectors: Vectors) -> None:
        """Write the next shard, the vectors (rows, d) of the first slice in `remaining`.

        Raises
        ------
        VecsmithError
            If a value is not finite (the message names the row), or the dimensions differ from earlier shards.
        """
        before = [open_npy(self._shard(0))] if self._shards_done else []
        check_shapes([*before, vectors], str(self.path))
        checked = check_values([vectors], str(self.path), self._shards_done * self._shard_rows)
        if not self._shards_done:
            self._begin()
        with replacing(self._shard(self._shards_done), remove_abandoned=False) as staging:
            write_npy(staging, len(vectors), [vectors])
        self._checked[self._shards_done] = checked
        self._shards_done += 1

    def finish(self) -> None:
        """Write the manifest, which completes the set.

        Raises
        ------
        VecsmithError
            If all vectors are zero; the folder is deleted.
        """
        numbers = range(self._shards_done)
        checked = [self._checked.get(number) or self._check(number) for number in numbers]
        zero_rows = np.concatenate([rows for _, rows in checked])
        if len(zero_rows) == len(self._rows):
            shutil.rmtree(self.path)
            warn_of_zero_rows(zero_rows, len(self._rows), str(self.path))
        for leftover in filter(_is_partial, self.path.iterdir()):
            leftover.unlink()
        names = [*(self._shard(number).name for number in numbers), "rows.parquet"]
        if len(zero_rows):
            with replacing(self.path / ZERO_ROWS) as staging:
                write_npy(staging, len(zero_rows), [zero_rows])
            names.append(ZERO_ROWS)
        first = open_npy(self._shard(0))
        provenance = replace(
            self.provenance,
            dtype=first.dtype.name,
            normalised=self.provenance.normalised or all(unit_length for unit_length, _ in checked),
            content_hash=self.provenance.content_hash or content_hash(self._rows.ids, self._rows.texts),
        )
        content = {"rows": len(self._rows), "dimensions": first.shape[1], "shard_rows": self._shard_rows}
        content |= {"provenance": asdict(provenance)}
        write_manifest(self.path / "manifest.json", KIND, FORMAT_VERSION, content, names)
        self._marker.unlink()

    def _check(self, number: int) -> tuple[bool, RowNumbers]:
        """Check the values of a shard that an earlier writer wrote."""
        return check_values([open_npy(self._shard(number))], str(self.path), number * self._shard_rows)

    def _begin(self) -> None:
        self._rows.check(str(self.path))
        if self._must_clear:
            for file in [self.path] if self.path.is_file() else self.path.iterdir():
                if file.name != LOCK:
                    remove(file)
        write_text(self._marker, self._key)
        with replacing(self.path / "rows.parquet") as staging:
            self._rows.write(staging, self._shard_rows)

    def _shard(self, number: int) -> Path:
        return self.path / f"vectors-{number:05d}.npy"

    def _rows_of(self, number: int) -> int:
        """Return the number of rows of a shard on disk; 0 if it is missing or damaged."""
        try:
            return len(open_npy(self._shard(number)))
        except Exception:  # see `EmbeddingSet.open`
            return 0


def _is_partial(file: Path) -> bool:
    return file.name.startswith(".") and file.name.endswith(".partial")


def _has_content(path: Path) -> bool:
    return path.is_file() or (
        path.exists() and any(not _is_partial(file) and file.name != LOCK for file in path.iterdir())
    )
