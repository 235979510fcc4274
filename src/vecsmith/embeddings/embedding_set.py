"""`EmbeddingSet`: vectors, their row ids, optional texts, and where they came from."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow.parquet as pq

from vecsmith.embeddings.checks import Vectors, check_rows, check_shapes, check_values, open_npy
from vecsmith.embeddings.provenance import Provenance, content_hash
from vecsmith.embeddings.writer import FORMAT_VERSION, KIND, MARKER, EmbeddingWriter, occupied
from vecsmith.errors import VecsmithError
from vecsmith.files import fingerprint, read_manifest, replacing_folder


class EmbeddingSet:
    """n vectors of d dimensions, their row ids, optional texts, and where they came from.

    Parameters
    ----------
    vectors : ndarray of shape (n, d), or sequence of such shards
        Float vectors; shards may be memory-mapped.
    ids : sequence of str, optional
        One id a row, all different; the row numbers by default.
    texts : sequence of str, optional
        The texts that were embedded.
    provenance : Provenance, optional
        Where the vectors came from; its dtype and, unless it is set, `normalised` are read off the vectors.
    source : str, optional
        What to call the set in errors, such as its path.

    Raises
    ------
    VecsmithError
        If there are no rows, a vector is not finite, or is all zero though its text is not empty (which row), shapes
        or counts disagree, or an id is missing or occurs twice.
    """

    def __init__(
        self,
        vectors: Vectors | Sequence[Vectors],
        ids: Sequence[str] | None = None,
        texts: Sequence[str] | None = None,
        provenance: Provenance | None = None,
        source: str = "the vectors",
    ) -> None:
        shards = [vectors] if isinstance(vectors, np.ndarray) else list(vectors)
        check_shapes(shards, source)
        self.shards = shards
        self.source = source
        self.ids = [str(row) for row in range(len(self))] if ids is None else list(ids)
        self.texts = None if texts is None else list(texts)
        check_rows(len(self), self.ids, self.texts, source)
        unit_length = check_values(shards, source, self.texts)
        provenance = provenance or Provenance()
        self.provenance = replace(
            provenance,
            normalised=provenance.normalised or unit_length,
            dtype=shards[0].dtype.name,
            content_hash=provenance.content_hash or content_hash(self.ids, self.texts or [""] * len(self)),
        )

    def __len__(self) -> int:
        return sum(len(shard) for shard in self.shards)

    def __repr__(self) -> str:
        encoder = self.provenance.encoder or "unknown encoder"
        return f"EmbeddingSet({len(self)} × {self.dimensions} {self.provenance.dtype}, {encoder})"

    @property
    def dimensions(self) -> int:
        """Dimensions of a vector, d."""
        return int(self.shards[0].shape[1])

    @cached_property
    def vectors(self) -> Vectors:
        """All vectors, (n, d), in the set's dtype; memory-mapped where they lie in one shard."""
        return self.shards[0] if len(self.shards) == 1 else np.concatenate(self.shards)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the ids and vectors: equal for sets that search alike."""
        digest = hashlib.sha256(fingerprint(self.ids).encode())
        digest.update(f"{self.dimensions} {self.shards[0].dtype}".encode())
        for shard in self.shards:
            digest.update(np.ascontiguousarray(shard).data)
        return digest.hexdigest()

    def save(self, path: str | Path) -> None:
        """Write the set as a folder, memory-mapped when opened again; whole or not at all.

        Raises
        ------
        VecsmithError
            If `path` holds something else.
        """
        path = Path(path)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise occupied(path)
        with replacing_folder(path) as beside:
            writer = EmbeddingWriter(beside, self.ids, self.texts, self.provenance)
            for rows in writer.remaining:
                writer.write(np.concatenate(list(self._rows(rows.start, rows.stop))))
            writer.finish()

    def _rows(self, start: int, stop: int) -> Iterator[Vectors]:
        for shard in self.shards:
            if start < len(shard) and stop > 0:
                yield shard[max(start, 0) : stop]
            start, stop = start - len(shard), stop - len(shard)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a folder written by `save` or ``vecsmith embed``; the vectors stay on disk.

        Raises
        ------
        VecsmithError
            If the folder is unfinished, damaged, or from a newer version of the format.
        """
        folder = Path(path)
        if (folder / MARKER).is_file() and not (folder / "manifest.json").exists():
            raise VecsmithError(f"{folder} is unfinished; run the command that writes it again, and it goes on.")
        manifest = read_manifest(folder / "manifest.json", KIND, FORMAT_VERSION)
        try:
            rows = pq.read_table(folder / "rows.parquet")
            names = sorted(name for name in manifest["files"] if name.startswith("vectors-"))
            shards = [open_npy(folder / name) for name in names]
            texts = rows["text"].to_pylist() if "text" in rows.column_names else None
            return cls(shards, rows["id"].to_pylist(), texts, Provenance(**manifest["provenance"]), str(folder))
        except VecsmithError:
            raise
        except Exception as error:  # on broken files NumPy's and Arrow's readers raise almost anything
            raise VecsmithError(f"{folder} is not a valid embedding set ({error}); write it again.") from error
