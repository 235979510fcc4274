"""`EmbeddingSet`: vectors, row ids, optional texts and provenance."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from vecsmith.array_types import RowNumbers, Vectors
from vecsmith.arrays import open_npy
from vecsmith.embeddings.checks import BLOCK_ROWS, as_vectors, check_shapes, check_values, warn_of_zero_rows
from vecsmith.embeddings.part_files import PARTS_VERSION, VECTOR_PARTS, PartRows, PartShards, zero_rows_of
from vecsmith.embeddings.provenance import Provenance, content_hash
from vecsmith.embeddings.rows import Rows, StoredRows
from vecsmith.embeddings.shards import Shards, StoredShards, as_shards
from vecsmith.embeddings.strings import StringColumn
from vecsmith.embeddings.unit import UnitVectors
from vecsmith.embeddings.vector_files import SUFFIXES, Columns, read_shards, read_vectors, shard_files
from vecsmith.embeddings.writer import FORMAT_VERSION, KIND, MARKER, ZERO_ROWS, EmbeddingWriter
from vecsmith.errors import VecsmithError
from vecsmith.manifests import is_of_kind, read_manifest
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
    shards : Shards
        The vectors as given, or as files that are memory-mapped when they are read.
    rows : Rows
        The ids and texts, read in blocks.

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
        arrays: Sequence[Vectors] = vectors if sharded or isinstance(vectors, Shards) else [as_vectors(vectors, source)]  # type: ignore[assignment]
        check_shapes(arrays, source)
        shards = as_shards(arrays)
        count = shards.rows
        for name, values in (("id", ids), ("text", texts)):
            if values is not None and len(values) != count:
                raise VecsmithError(f"{source} has {count} vectors but {len(values)} {name}s; give one per vector.")
        rows = Rows(count, ids, texts, source)
        rows.check(source)
        unit_length, zero_rows = check_values(shards, source)
        provenance = provenance or Provenance()
        provenance = replace(
            provenance,
            normalised=provenance.normalised or unit_length,
            content_hash=provenance.content_hash or content_hash(rows.ids, rows.texts),
        )
        self._set_up(shards, rows, provenance, source, zero_rows)

    @classmethod
    def from_parts(
        cls, shards: Shards, rows: Rows, provenance: Provenance, source: str, zero_rows: RowNumbers | None
    ) -> Self:
        """Make a set of parts that are known to be valid, of which nothing is read.

        Parameters
        ----------
        shards : Shards
            Finite vectors (n, d).
        rows : Rows
            Their unique ids, and texts.
        provenance : Provenance
            Origin of the vectors; its dtype is taken from them.
        source : str
            Name of the set in error messages.
        zero_rows : ndarray of shape (m,), int64, or None
            Row numbers of all-zero vectors; None if they are unknown.
        """
        made = cls.__new__(cls)
        made._set_up(shards, rows, provenance, source, zero_rows)
        return made

    def _set_up(
        self, shards: Shards, rows: Rows, provenance: Provenance, source: str, zero_rows: RowNumbers | None
    ) -> None:
        self.shards, self.rows, self.source = shards, rows, source
        self.provenance = replace(provenance, dtype=shards.dtype.name)
        if zero_rows is not None:
            self.zero_rows = zero_rows
            warn_of_zero_rows(zero_rows, len(rows), source)

    @cached_property
    def zero_rows(self) -> RowNumbers:
        """Row numbers of all-zero vectors, (m,), which usually come from empty texts.

        They are encoded, but no search returns them. A warning counts them. If the files do not say which rows these
        are (those of early versions), all vectors are read on first access.
        """
        zero_rows = check_values(self.shards, self.source)[1]
        warn_of_zero_rows(zero_rows, len(self), self.source)
        return zero_rows

    def __len__(self) -> int:
        return self.shards.rows

    def __repr__(self) -> str:
        encoder = self.provenance.encoder or "unknown encoder"
        return f"EmbeddingSet({len(self)} × {self.dimensions} {self.provenance.dtype}, {encoder})"

    @property
    def ids(self) -> StringColumn:
        """All ids, one per row: a sequence of str, read on access."""
        return self.rows.ids

    @property
    def texts(self) -> StringColumn | None:
        """All texts, a sequence of str like the ids; None if the set has no texts."""
        return self.rows.texts

    @property
    def dimensions(self) -> int:
        """Number of dimensions, d."""
        return self.shards.dimensions

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
        return self.shards.read(slice(None))

    @property
    def unit(self) -> UnitVectors:
        """All vectors scaled to unit length, (n, d) float32, read block by block on access."""
        return UnitVectors(self.shards, self.blocks)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the ids and vectors; equal sets give equal search results."""
        digest = hashlib.sha256(self._ids_fingerprint().encode())
        digest.update(f"{self.dimensions} {self.shards.dtype}".encode())
        for start in range(0, len(self), BLOCK_ROWS):
            digest.update(np.ascontiguousarray(self.shards.read(slice(start, start + BLOCK_ROWS))).data)
        return digest.hexdigest()

    def _ids_fingerprint(self) -> str:
        """Return the `fingerprint` of the list of ids, computed block by block."""
        digest, separator = hashlib.sha256(b"["), ""
        for start, stop in self.ids.ranges():
            digest.update((separator + json.dumps(self.ids[start:stop])[1:-1]).encode())
            separator = ", "
        digest.update(b"]")
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
        with output_folder(Path(path), None, force) as staging:
            writer = EmbeddingWriter(staging, self.ids, self.texts, self.provenance)
            for rows in writer.remaining:
                writer.write(self.stored(rows.start, rows.stop))
            writer.finish()

    def stored(self, start: int, stop: int) -> Vectors:
        """Return the vectors of rows `start` to `stop` − 1, in the dtype of the set, without reading the other rows."""
        return self.shards.read(slice(start, stop))

    @classmethod
    def open(cls, path: str | Path, columns: Columns | None = None, verify: bool = False) -> Self:
        """Open a folder written by `save` or ``vecsmith embed``, or vector files of other programs.

        Of a folder of vecsmith, only the manifest and the footer of the file of ids are read, which takes milliseconds.
        Vectors are read, and memory-mapped, on access. The files of other programs are read once, because nothing is
        known of their values and ids; vectors stay on disk if their format can be memory-mapped.

        Parameters
        ----------
        path : str or Path
            A folder of vecsmith; a ``.npy``, ``.npz`` or ``.parquet`` file; or a folder of such files or a pattern
            such as ``shards/*.npy``. Several files are read as the shards of one set, in natural order of their names.
        columns : Columns, optional
            Columns to read from Parquet files, or arrays to read from ``.npz`` files.
        verify : bool
            Check the hash of every file of a folder of vecsmith, which reads them all, and that its ids are unique.

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
        if is_of_kind(folder / "manifest.json", VECTOR_PARTS):
            return cls._open_parts(folder, read_manifest(folder / "manifest.json", VECTOR_PARTS, PARTS_VERSION, verify))
        manifest = read_manifest(folder / "manifest.json", KIND, FORMAT_VERSION, verify)
        try:
            rows, provenance = StoredRows(folder / "rows.parquet"), Provenance(**manifest["provenance"])
            shards = _stored_shards(folder, manifest, len(rows), provenance.dtype)
            if verify:
                rows.check(str(folder))
            zero_rows = None
            if "dimensions" in manifest:
                has_zeros = ZERO_ROWS in manifest["files"]
                zero_rows = np.array(open_npy(folder / ZERO_ROWS)) if has_zeros else np.empty(0, np.int64)
            return cls.from_parts(shards, rows, provenance, str(folder), zero_rows)
        except VecsmithError:
            raise
        except Exception as error:  # NumPy and Arrow raise many exception types on broken files
            raise VecsmithError(f"{folder} is not a valid embedding set ({error}); write it again.") from error

    @classmethod
    def _open_parts(cls, folder: Path, manifest: Mapping[str, Any]) -> Self:
        """Open a folder of parts."""
        try:
            shards, rows = PartShards(folder, manifest), PartRows(folder, manifest)
            provenance, zero_rows = Provenance(**manifest["provenance"]), zero_rows_of(manifest)
            return cls.from_parts(shards, rows, provenance, str(folder), zero_rows)
        except (KeyError, TypeError, ValueError) as error:
            raise VecsmithError(f"{folder} is not a valid embedding set ({error}); write it again.") from error


def _stored_shards(folder: Path, manifest: Mapping[str, Any], rows: int, dtype: str) -> StoredShards:
    """Return the shards of a folder, whose manifest of early versions does not give their shape."""
    names = [name for name in manifest["files"] if name.startswith("vectors-")]
    names.sort(key=lambda name: (len(name), name))
    if "dimensions" in manifest:
        count, shard_rows, dimensions = manifest["rows"], manifest["shard_rows"], manifest["dimensions"]
    else:
        shapes = [open_npy(folder / names[place]) for place in (0, -1)]
        check_shapes(shapes, str(folder))
        shard_rows, dimensions = shapes[0].shape
        count, dtype = (len(names) - 1) * shard_rows + len(shapes[1]), shapes[0].dtype.name
    if count != rows:
        raise VecsmithError(f"{folder} has {count} vectors but {rows} ids; write it again.")
    if not 0 < count <= shard_rows * len(names) < count + shard_rows:
        raise VecsmithError(f"{folder} has {len(names)} shards for {count} vectors; write it again.")
    return StoredShards(folder, names, count, shard_rows, dimensions, dtype)
