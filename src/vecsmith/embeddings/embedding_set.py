"""`EmbeddingSet`: vectors, row ids, optional texts and provenance."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import repeat
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from vecsmith.arrays import open_npy
from vecsmith.embeddings.checks import Vectors, as_vectors, check_shapes, check_values, warn_of_zero_rows
from vecsmith.embeddings.provenance import Provenance, content_hash
from vecsmith.embeddings.rows import Rows, StoredRows
from vecsmith.embeddings.unit import UnitVectors
from vecsmith.embeddings.vector_files import SUFFIXES, Columns, read_shards, read_vectors, shard_files
from vecsmith.embeddings.writer import FORMAT_VERSION, KIND, MARKER, EmbeddingWriter
from vecsmith.errors import VecsmithError
from vecsmith.files import fingerprint
from vecsmith.manifests import read_manifest
from vecsmith.outputs import output_folder


class EmbeddingSet:
    """n vectors of d dimensions with row ids, optional texts and provenance.

    Parameters
    ----------
    vectors : array-like of shape (n, d), or sequence of arrays of shape (rows, d)
        Float vectors, or a list of shards, which may be memory-mapped.
    ids : sequence of str, optional
        One unique id per row; the row numbers by default.
    texts : sequence of str, optional
        The texts that were embedded.
    provenance : Provenance, optional
        Origin of the vectors. Its dtype is taken from the vectors, and so is `normalised` unless it is set.
    source : str, optional
        Name of the set in error messages, such as its path.

    Attributes
    ----------
    shards : list of ndarray of shape (rows, d)
        The vectors as given, or as memory-mapped files.
    rows : Rows
        The ids and texts, read in blocks.
    zero_rows : ndarray of shape (m,), int64
        Row numbers of all-zero vectors, which usually come from empty texts. A warning counts them. They are encoded,
        but no search returns them.

    Raises
    ------
    VecsmithError
        If there are no rows, a value is not a finite float (the message names the row), all vectors are zero, shapes
        or counts differ, or an id is missing or occurs twice.
    """

    def __init__(
        self,
        vectors: ArrayLike | Sequence[Vectors],
        ids: Sequence[str] | None = None,
        texts: Sequence[str] | None = None,
        provenance: Provenance | None = None,
        source: str = "the vectors",
    ) -> None:
        sharded = isinstance(vectors, list | tuple) and all(np.ndim(shard) == 2 for shard in vectors)
        shards: list[Vectors] = list(vectors) if sharded else [as_vectors(vectors, source)]  # type: ignore[arg-type]
        check_shapes(shards, source)
        count = sum(map(len, shards))
        for name, values in (("id", ids), ("text", texts)):
            if values is not None and len(values) != count:
                raise VecsmithError(f"{source} has {count} vectors but {len(values)} {name}s; give one per vector.")
        rows = Rows(count, ids, texts)
        if ids is not None:
            rows.check(source)
        self._set_up(shards, rows, provenance or Provenance(), source)

    def _set_up(self, shards: list[Vectors], rows: Rows, provenance: Provenance, source: str) -> None:
        self.shards = shards
        self.rows = rows
        self.source = source
        unit_length, self.zero_rows = check_values(shards, source)
        warn_of_zero_rows(self.zero_rows, len(rows), source)
        texts = rows.each("text") if rows.has_texts else repeat("", len(rows))
        self.provenance = replace(
            provenance,
            normalised=provenance.normalised or unit_length,
            dtype=shards[0].dtype.name,
            content_hash=provenance.content_hash or content_hash(rows.each("id"), texts),
        )

    def __len__(self) -> int:
        return sum(len(shard) for shard in self.shards)

    def __repr__(self) -> str:
        encoder = self.provenance.encoder or "unknown encoder"
        return f"EmbeddingSet({len(self)} × {self.dimensions} {self.provenance.dtype}, {encoder})"

    @property
    def ids(self) -> list[str]:
        """All ids, one per row; those of a set on disk are read on first access."""
        return self.rows.ids

    @property
    def texts(self) -> list[str] | None:
        """All texts, read on first access like the ids; None if the set has no texts."""
        return self.rows.texts

    @property
    def dimensions(self) -> int:
        """Number of dimensions, d."""
        return int(self.shards[0].shape[1])

    @property
    def name(self) -> str:
        """Short name of the model, or the name of the file or folder if the model is unknown."""
        return self.provenance.encoder.rpartition(":")[2].rpartition("/")[2] or Path(self.source).stem

    @property
    def blocks(self) -> Mapping[str, int]:
        """Names and dimensions of the models whose vectors `fuse` concatenated; empty for the vectors of one model."""
        return self.provenance.blocks

    @cached_property
    def vectors(self) -> Vectors:
        """All vectors, (n, d), in the set's dtype; memory-mapped if there is a single shard."""
        is_array = len(self.shards) == 1 and isinstance(self.shards[0], np.ndarray)
        return self.shards[0] if is_array else np.concatenate(self.shards)

    @property
    def unit(self) -> UnitVectors:
        """All vectors scaled to unit length, (n, d) float32, read block by block on access."""
        return UnitVectors(self.shards, self.blocks)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the ids and vectors; equal sets give equal search results."""
        digest = hashlib.sha256(fingerprint(self.ids).encode())
        digest.update(f"{self.dimensions} {self.shards[0].dtype}".encode())
        for shard in self.shards:
            digest.update(np.ascontiguousarray(shard).data)
        return digest.hexdigest()

    def save(self, path: str | Path, force: bool = False) -> None:
        """Write the set to a folder, atomically; `open` memory-maps it.

        Parameters
        ----------
        path : str or Path
            The folder, new or empty.
        force : bool
            Replace the folder, whatever it contains.

        Raises
        ------
        VecsmithError
            If `path` contains anything else.
        """
        with output_folder(Path(path), None, force) as beside:
            writer = EmbeddingWriter(beside, self.ids, self.texts, self.provenance)
            for rows in writer.remaining:
                writer.write(self.stored(rows.start, rows.stop))
            writer.finish()

    def stored(self, start: int, stop: int) -> Vectors:
        """Return the vectors of rows `start` to `stop` − 1, in the dtype of the set, without reading the other rows."""
        parts = []
        for shard in self.shards:
            if start < len(shard) and stop > 0:
                parts.append(shard[max(start, 0) : stop])
            start, stop = start - len(shard), stop - len(shard)
        return np.concatenate(parts)

    @classmethod
    def open(cls, path: str | Path, columns: Columns | None = None) -> Self:
        """Open a folder written by `save` or ``vecsmith embed``, or vector files of other programs.

        Vectors stay on disk if their format can be memory-mapped.

        Parameters
        ----------
        path : str or Path
            A folder of vecsmith; a ``.npy``, ``.npz`` or ``.parquet`` file; or a folder of such files or a pattern
            such as ``shards/*.npy``. Several files are read as the shards of one set, in natural order of their names.
        columns : Columns, optional
            Columns to read from Parquet files, or arrays to read from ``.npz`` files.

        Raises
        ------
        VecsmithError
            If the folder is unfinished, damaged or of a newer format version; for files, see `read_vectors` and
            `shard_files`.
        """
        folder = Path(path)
        own = any((folder / name).exists() for name in ("manifest.json", "rows.parquet", MARKER))
        if not own and (files := shard_files(folder)):
            return cls(*read_shards(files, columns), source=str(folder))
        if folder.suffix in SUFFIXES and not folder.is_dir():
            return cls(*read_vectors(folder, columns), source=str(folder))
        if columns not in (None, Columns()):
            raise VecsmithError(
                f"{folder} has no columns to choose; leave out --column, --id-column and --text-column."
            )
        if (folder / MARKER).is_file() and not (folder / "manifest.json").exists():
            raise VecsmithError(f"{folder} is unfinished; run the command that writes it again to resume it.")
        manifest = read_manifest(folder / "manifest.json", KIND, FORMAT_VERSION)
        try:
            names = sorted(name for name in manifest["files"] if name.startswith("vectors-"))
            shards, rows = [open_npy(folder / name) for name in names], StoredRows(folder / "rows.parquet")
            check_shapes(shards, str(folder))
            if len(rows) != sum(map(len, shards)):
                raise VecsmithError(
                    f"{folder} has {sum(map(len, shards))} vectors but {len(rows)} ids; write it again."
                )
            rows.check(str(folder))
            opened = cls.__new__(cls)
            opened._set_up(shards, rows, Provenance(**manifest["provenance"]), str(folder))
            return opened
        except VecsmithError:
            raise
        except Exception as error:  # NumPy and Arrow raise many exception types on broken files
            raise VecsmithError(f"{folder} is not a valid embedding set ({error}); write it again.") from error
