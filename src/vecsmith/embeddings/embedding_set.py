"""`EmbeddingSet`: vectors, their row ids, optional texts, and where they came from."""

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
    """n vectors of d dimensions, their row ids, optional texts, and where they came from.

    Parameters
    ----------
    vectors : array-like of shape (n, d), or sequence of arrays of shape (rows, d)
        Float vectors, or their shards, which may be memory-mapped.
    ids : sequence of str, optional
        One id a row, all different; the row numbers by default.
    texts : sequence of str, optional
        The texts that were embedded.
    provenance : Provenance, optional
        Where the vectors came from; its dtype and, unless it is set, `normalised` are read off the vectors.
    source : str, optional
        What to call the set in errors, such as its path.

    Attributes
    ----------
    shards : list of ndarray of shape (rows, d)
        The vectors, as they came or lie on disk.
    rows : Rows
        The ids and texts, block by block.
    zero_rows : ndarray of shape (m,), int64
        Rows of all-zero vectors, as empty texts have. A warning counts them; they are encoded, but no search finds
        them.

    Raises
    ------
    VecsmithError
        If there are no rows, vectors are not floats or not finite (which row), or all of them are zero, shapes or
        counts disagree, or an id is missing or occurs twice.
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
                raise VecsmithError(f"{source} has {count} vectors but {len(values)} {name}s; there must be one each.")
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
        """All ids, one a row; in a set on disk they are read when they are asked for."""
        return self.rows.ids

    @property
    def texts(self) -> list[str] | None:
        """All texts, read as the ids are; None where there are none."""
        return self.rows.texts

    @property
    def dimensions(self) -> int:
        """Dimensions of a vector, d."""
        return int(self.shards[0].shape[1])

    @property
    def name(self) -> str:
        """A short name of the model, or of where the vectors lie if that is unknown."""
        return self.provenance.encoder.rpartition(":")[2].rpartition("/")[2] or Path(self.source).stem

    @property
    def blocks(self) -> Mapping[str, int]:
        """Names and widths of the blocks that `fuse` put side by side; empty for the vectors of one model."""
        return self.provenance.blocks

    @cached_property
    def vectors(self) -> Vectors:
        """All vectors, (n, d), in the set's dtype; memory-mapped where they lie in one shard."""
        is_array = len(self.shards) == 1 and isinstance(self.shards[0], np.ndarray)
        return self.shards[0] if is_array else np.concatenate(self.shards)

    @property
    def unit(self) -> UnitVectors:
        """All vectors scaled to unit length, (n, d) float32, read block by block as they are asked for."""
        return UnitVectors(self.shards, self.blocks)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the ids and vectors: equal for sets that search alike."""
        digest = hashlib.sha256(fingerprint(self.ids).encode())
        digest.update(f"{self.dimensions} {self.shards[0].dtype}".encode())
        for shard in self.shards:
            digest.update(np.ascontiguousarray(shard).data)
        return digest.hexdigest()

    def save(self, path: str | Path, force: bool = False) -> None:
        """Write the set as a folder, memory-mapped when opened again; whole or not at all.

        Parameters
        ----------
        path : str or Path
            The folder, new or empty.
        force : bool
            Replace whatever the folder holds.

        Raises
        ------
        VecsmithError
            If `path` holds something else.
        """
        with output_folder(Path(path), None, force) as beside:
            writer = EmbeddingWriter(beside, self.ids, self.texts, self.provenance)
            for rows in writer.remaining:
                writer.write(self.stored(rows.start, rows.stop))
            writer.finish()

    def stored(self, start: int, stop: int) -> Vectors:
        """Return the vectors of rows `start` to `stop` − 1, in the dtype of the set; no others are read."""
        parts = []
        for shard in self.shards:
            if start < len(shard) and stop > 0:
                parts.append(shard[max(start, 0) : stop])
            start, stop = start - len(shard), stop - len(shard)
        return np.concatenate(parts)

    @classmethod
    def open(cls, path: str | Path, columns: Columns | None = None) -> Self:
        """Open a folder written by `save` or ``vecsmith embed``, or vectors in files of other programs.

        Vectors stay on disk where they can be memory-mapped.

        Parameters
        ----------
        path : str or Path
            A folder of vecsmith; a ``.npy``, ``.npz`` or ``.parquet`` file; or a folder or a pattern such as
            ``shards/*.npy`` of such files, which are read as the shards of one set, in natural order of their names.
        columns : Columns, optional
            Columns of Parquet files, or arrays of ``.npz`` files.

        Raises
        ------
        VecsmithError
            If the folder is unfinished, damaged, or from a newer version of the format; for files, as `read_vectors`
            and `shard_files`.
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
            raise VecsmithError(f"{folder} is unfinished; run the command that writes it again, and it goes on.")
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
        except Exception as error:  # on broken files NumPy's and Arrow's readers raise almost anything
            raise VecsmithError(f"{folder} is not a valid embedding set ({error}); write it again.") from error
