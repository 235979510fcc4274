"""Sets of embedding vectors: in memory, and as a folder of memory-mapped shards.

A folder holds ``vectors-00000.npy`` … (shards of `SHARD_ROWS` rows), ``rows.parquet`` (id, text, shard, offset) and
``manifest.json`` (provenance and a SHA-256 per file), which is written last: a folder without it is unfinished.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vecsmith.errors import VecsmithError
from vecsmith.files import fingerprint, read_manifest, replacing, replacing_folder, write_manifest, write_text

FORMAT_VERSION = 1
KIND = "embedding set"
MARKER = "unfinished"
SHARD_ROWS = 2048
"""Rows of a shard: what an interrupted embedding loses at most."""

Vectors = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Provenance:
    """Where vectors came from. Two sets are comparable when all but `prompt` and `dataset` agree.

    Attributes
    ----------
    encoder : str
        The model, such as ``"static"`` or ``"st:sentence-transformers/all-MiniLM-L6-v2"``; ``""`` if unknown.
    revision : str
        What pins the model's weights: a commit, or a hash of its files.
    prompt : str
        The text put before every input.
    pooling : str
        How token vectors became one vector; ``""`` if unknown.
    max_length : int or None
        Longest input in tokens; None for the model's own.
    normalised : bool
        Whether every vector has unit length.
    dtype : str
        NumPy name of the dtype, such as ``"float32"``.
    dataset : str
        The task or file that the texts came from.
    content_hash : str
        SHA-256 of the ids and texts.
    """

    encoder: str = ""
    revision: str = ""
    prompt: str = ""
    pooling: str = ""
    max_length: int | None = None
    normalised: bool = False
    dtype: str = "float32"
    dataset: str = ""
    content_hash: str = ""

    @property
    def key(self) -> str:
        """SHA-256 of what determines the vectors: all but `dataset`, since texts may lie in another place."""
        return fingerprint(asdict(replace(self, dataset="")))


def content_hash(ids: Sequence[str], texts: Sequence[str]) -> str:
    """Return the SHA-256 of rows of ids and texts, each ended by a byte that UTF-8 does not use."""
    digest = hashlib.sha256()
    for id_, text in zip(ids, texts, strict=True):
        digest.update(id_.encode() + b"\xff" + text.encode() + b"\xff")
    return digest.hexdigest()


def normalise(vectors: Vectors) -> NDArray[np.float32]:
    """Return `vectors` (n, d) scaled to unit length, as float32; an all-zero row stays zero."""
    vectors = np.asarray(vectors, dtype=np.float32)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
    return unit


def open_npy(path: Path) -> Vectors:
    """Memory-map an ``.npy`` file; unlike `numpy.load`, take no other format, and no pickle, for it."""
    return np.lib.format.open_memmap(path, mode="r")


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
        If there are no rows, a vector is not finite or all zero (which row), shapes or counts disagree, or an id is
        missing or occurs twice.
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
        _check_rows(len(self), self.ids, self.texts, source)
        unit_length = _check_values(shards, source)
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
            raise _occupied(path)
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


class EmbeddingWriter:
    """Writes an `EmbeddingSet` shard by shard; started again on an unfinished folder, it goes on after the last one.

    Nothing is written before the first shard is there.

    Parameters
    ----------
    path : Path
        The folder; new, or left unfinished by a writer with the same rows and provenance.
    ids, texts, provenance
        As of `EmbeddingSet`; the provenance's `content_hash` stands for the rows.

    Raises
    ------
    VecsmithError
        If `path` holds something else.
    """

    def __init__(self, path: Path, ids: Sequence[str], texts: Sequence[str] | None, provenance: Provenance) -> None:
        self.path = path
        self.provenance = provenance
        self._ids, self._texts = ids, texts
        self._marker = path / MARKER
        self._key = fingerprint([provenance.key, len(ids)])
        if self._marker.is_file():
            if self._marker.read_text(encoding="utf-8", errors="replace") != self._key:
                raise _occupied(path)
        elif path.exists() and (not path.is_dir() or any(not _is_partial(file) for file in path.iterdir())):
            raise _occupied(path)
        self._shards_done = 0
        while self._rows_of(self._shards_done) == SHARD_ROWS:
            self._shards_done += 1

    @property
    def remaining(self) -> list[slice]:
        """Rows that are still to be written, one slice a shard."""
        starts = range(self._shards_done * SHARD_ROWS, len(self._ids), SHARD_ROWS)
        return [slice(start, start + SHARD_ROWS) for start in starts]

    def write(self, vectors: Vectors) -> None:
        """Write the next shard: the vectors, (rows, d), of the first slice in `remaining`.

        Raises
        ------
        VecsmithError
            If a vector is not finite or all zero (which row), or has other dimensions than the shards before.
        """
        before = [open_npy(self._shard(0))] if self._shards_done else []
        check_shapes([*before, vectors], str(self.path))
        _check_values([vectors], str(self.path), self._shards_done * SHARD_ROWS)
        if not self._shards_done:
            self._begin()
        with replacing(self._shard(self._shards_done)) as beside, beside.open("wb") as file:
            np.save(file, vectors, allow_pickle=False)
        self._shards_done += 1

    def finish(self) -> None:
        """Write the manifest, which makes the folder a set."""
        for leftover in filter(_is_partial, self.path.iterdir()):
            leftover.unlink()
        names = [self._shard(number).name for number in range(self._shards_done)]
        provenance = asdict(replace(self.provenance, dtype=open_npy(self._shard(0)).dtype.name))
        content = {"rows": len(self._ids), "provenance": provenance}
        write_manifest(self.path / "manifest.json", KIND, FORMAT_VERSION, content, [*names, "rows.parquet"])
        self._marker.unlink()

    def _begin(self) -> None:
        write_text(self._marker, self._key)
        _write_rows(self.path / "rows.parquet", self._ids, self._texts)

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


def _occupied(path: Path) -> VecsmithError:
    return VecsmithError(f"{path} already holds something else; give another folder or remove it.")


def _write_rows(path: Path, ids: Sequence[str], texts: Sequence[str] | None) -> None:
    numbers = np.arange(len(ids))
    columns: dict[str, Any] = {"id": pa.array(ids, pa.string())}
    if texts is not None:
        columns["text"] = pa.array(texts, pa.string())
    columns |= {"shard": (numbers // SHARD_ROWS).astype(np.int32), "offset": (numbers % SHARD_ROWS).astype(np.int32)}
    with replacing(path) as beside:
        pq.write_table(pa.table(columns), beside)


def check_shapes(shards: Sequence[Vectors], source: str) -> None:
    """Refuse shards that are not (n, d) floats, are empty, or differ in d or dtype."""
    for shard in shards:
        if shard.ndim != 2 or shard.dtype.kind != "f":
            raise VecsmithError(
                f"{source} must be a two-dimensional array of floats, not {shard.dtype} of shape {shard.shape}."
            )
    if sum(len(shard) for shard in shards) == 0 or shards[0].shape[1] == 0:
        raise VecsmithError(f"{source} is empty: there is no vector in it.")
    if len({(shard.shape[1], shard.dtype) for shard in shards}) > 1:
        raise VecsmithError(f"{source} has shards of different dimensions or dtypes; write it again.")


def _check_rows(count: int, ids: list[str], texts: list[str] | None, source: str) -> None:
    for name, values in (("id", ids), ("text", texts)):
        if values is not None and len(values) != count:
            raise VecsmithError(f"{source} has {count} vectors but {len(values)} {name}s; there must be one each.")
    seen: set[str] = set()
    for row, id_ in enumerate(ids):
        if not id_:
            raise VecsmithError(f"{source} has no id for row {row}.")
        if id_ in seen:
            raise VecsmithError(f"{source} has the id {id_!r} twice, again at row {row}; ids must be unique.")
        seen.add(id_)


def _check_values(shards: Sequence[Vectors], source: str, start: int = 0) -> bool:
    """Refuse vectors, from row `start`, that are not finite or all zero; return whether all have unit length."""
    unit_length = True
    for shard in shards:
        for begin in range(0, len(shard), SHARD_ROWS):
            with np.errstate(over="ignore", invalid="ignore"):
                block = np.asarray(shard[begin : begin + SHARD_ROWS], dtype=np.float32)
                norms = np.linalg.norm(block, axis=1)
            if not np.isfinite(norms).all():
                row = start + begin + int(np.argmin(np.isfinite(norms)))
                raise VecsmithError(f"{source} has a NaN or infinite value in row {row}; embed that text again.")
            if not norms.all():
                row = start + begin + int(np.argmin(norms))
                raise VecsmithError(f"{source} has an all-zero vector in row {row}, which has no direction.")
            # float16 storage moves a norm by about 1e-4
            unit_length = unit_length and bool((np.abs(norms - 1) < 1e-3).all())
        start += len(shard)
    return unit_length
