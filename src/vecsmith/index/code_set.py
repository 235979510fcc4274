"""Codes on disk, with the codec that made them: all that a search needs."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vecsmith.arrays import open_npy, write_npy
from vecsmith.codecs import Codec, load_codec
from vecsmith.codecs.codec import BLOCK
from vecsmith.codecs.stages import Codes, Floats
from vecsmith.embeddings import EmbeddingSet, Provenance, Rows, StoredRows
from vecsmith.errors import VecsmithError
from vecsmith.index.exact import CodedVectors, Originals, Scoring
from vecsmith.index.inverted_lists import ListNumbers, Lists
from vecsmith.index.two_stages import first_stage
from vecsmith.manifests import read_manifest, write_manifest
from vecsmith.outputs import output_folder
from vecsmith.progress import track

FORMAT_VERSION = 1
KIND = "codes"
FILES = ["codes.npy", "rows.parquet", "codec/config.json", "codec/weights.safetensors"]


@dataclass(frozen=True)
class CodeSet:
    """The codes of n vectors, the codec that made them, and what stands beside them.

    Attributes
    ----------
    codec : Codec
        The fitted codec.
    codes : ndarray of shape (n, bytes_per_vector), uint8
        Memory-mapped.
    rows : Rows
        The ids and texts, read when they are asked for.
    provenance : Provenance
        Where the vectors came from.
    scales : ndarray of shape (n,), float32, or None
        What the quantizer's `scales` returns for the codes.
    scoring : {"symmetric", "asymmetric", "rescored"}
        How an index of them scores.
    originals : ndarray of shape (n, d), float16 or float32, or CodedVectors, or None
        What ``rescored`` reorders a shortlist with.
    lists : Lists, or None
        Inverted lists that an index of them may probe.
    zero_rows : ndarray of shape (m,), int64, or None
        Rows of all-zero vectors, which an index never finds.
    """

    codec: Codec
    codes: Codes
    rows: Rows
    provenance: Provenance
    scales: Floats | None = None
    scoring: Scoring = "asymmetric"
    originals: Originals | None = None
    lists: Lists | None = None
    zero_rows: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def ids(self) -> list[str]:
        """All ids."""
        return self.rows.ids

    @property
    def texts(self) -> list[str] | None:
        """All texts; None where there are none."""
        return self.rows.texts

    @classmethod
    def encode(cls, codec: Codec, embedded: EmbeddingSet, path: str | Path, force: bool = False) -> Self:
        """Encode the unit vectors of a set block by block into a folder, which is written whole or not at all.

        An index of them scores ``asymmetric``, but ``rescored`` where the codec has two quantizers.

        Parameters
        ----------
        codec : Codec
            A fitted codec.
        embedded : EmbeddingSet
            The vectors, of which a block at a time is in memory.
        path : str or Path
            The folder; codes that it holds already are replaced.
        force : bool
            Replace whatever the folder holds.

        Raises
        ------
        VecsmithError
            If the codec is not fitted on vectors of these dimensions, or `path` holds something else.
        """
        X = embedded.unit
        starts = range(0, len(X), BLOCK)
        tracked = track(starts, f"{codec.spec}, {len(X)} vectors", len(starts))
        blocks = (codec.encode(X[start : start + BLOCK]) for start in tracked)
        scoring: Scoring = "rescored" if first_stage(codec) else "asymmetric"
        write_codes(
            path,
            codec,
            blocks,
            embedded.rows,
            embedded.provenance,
            scoring,
            zero_rows=embedded.zero_rows,
            force=force,
        )
        return cls.open(path)

    @classmethod
    def open(cls, path: str | Path, trusting: bool = False) -> Self:
        """Open a folder written by `encode` or `Index.save`; the codes, ids and texts stay on disk.

        Parameters
        ----------
        path : str or Path
            The folder.
        trusting : bool
            Leave out the check of every file's hash, which reads them all: it takes seconds for gigabytes.

        Raises
        ------
        VecsmithError
            If the folder holds no codes, is damaged, or is from a newer version of the format.
        """
        folder = Path(path)
        before = _version(folder)
        try:
            opened = cls._open(folder, trusting)
        except VecsmithError:
            if _version(folder) == before:
                raise
        else:
            if _version(folder) == before:
                return opened
        # the folder was replaced while its files were opened one by one
        return cls.open(path, trusting)

    @classmethod
    def _open(cls, folder: Path, trusting: bool) -> Self:
        manifest = read_manifest(folder / "manifest.json", KIND, FORMAT_VERSION, trusting)
        try:
            codec, rows = load_codec(folder / "codec"), StoredRows(folder / "rows.parquet")
            codes = open_npy(folder / "codes.npy")
            refined = "originals.npy" in manifest["files"]
            originals: Any = open_npy(folder / "originals.npy") if refined else None
            scales = open_npy(folder / "scales.npy") if "scales.npy" in manifest["files"] else None
            numbers = open_npy(folder / "lists.npy") if "lists.npy" in manifest["files"] else None
            for array, width in ((codes, codec.bytes_per_vector), (scales, None), (originals, None), (numbers, None)):
                if array is not None and (len(array) != len(rows) or (width and array.shape[1] != width)):
                    raise VecsmithError(f"{folder} has codes that do not fit its codec and rows; write it again.")
            if "finer/config.json" in manifest["files"]:
                originals = CodedVectors(load_codec(folder / "finer"), originals)
            lists = None if numbers is None else Lists(open_npy(folder / "centroids.npy"), numbers)
            scoring = manifest.get("scoring", "asymmetric")
            zero_rows = open_npy(folder / "zero_rows.npy") if "zero_rows.npy" in manifest["files"] else None
            provenance = Provenance(**manifest["provenance"])
            return cls(codec, codes, rows, provenance, scales, scoring, originals, lists, zero_rows)
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise VecsmithError(f"{folder} does not hold valid codes ({error}); write it again.") from error


def write_codes(
    path: str | Path,
    codec: Codec,
    blocks: Iterable[Codes],
    rows: Rows,
    provenance: Provenance,
    scoring: Scoring = "asymmetric",
    originals: Iterable[NDArray[Any]] | None = None,
    finer: Codec | None = None,
    lists: tuple[Floats, Iterable[ListNumbers]] | None = None,
    zero_rows: NDArray[np.int64] | None = None,
    force: bool = False,
) -> None:
    """Write a folder for `CodeSet.open`, whole or not at all.

    Parameters
    ----------
    path : str or Path
        The folder; codes that it holds already are replaced.
    codec : Codec
        The fitted codec.
    blocks : iterable of ndarray of shape (rows, bytes_per_vector), uint8
        The codes, a block at a time.
    rows : Rows
        The ids and texts.
    provenance : Provenance
        Where the vectors came from.
    scoring : {"symmetric", "asymmetric", "rescored"}
        How an index of them scores.
    originals : iterable of ndarray of shape (rows, d), optional
        The vectors to reorder a shortlist with, or their codes by `finer`. Left out, ``rescored`` reorders with the
        codes themselves, of which the first bytes are scanned.
    finer : Codec, optional
        The codec of `originals`, where these are codes.
    lists : tuple of ndarray of shape (n_lists, d) and iterable of ndarray of shape (rows,), int32, optional
        The centroids of inverted lists, and the list of every row.
    zero_rows : ndarray of shape (m,), int64, optional
        Rows of all-zero vectors.
    force : bool
        Replace whatever the folder holds.

    Raises
    ------
    VecsmithError
        If `path` holds something else, or there are more or fewer codes, or other rows, than `rows`.
    """
    names, count = list(FILES), len(rows)
    with output_folder(Path(path), KIND, force) as beside:
        write_npy(beside / "codes.npy", count, blocks)
        codes = open_npy(beside / "codes.npy")
        scanned = (first_stage(codec) if scoring == "rescored" and originals is None else None) or codec
        first, width = scanned.quantizer, scanned.bytes_per_vector
        scales = (first.scales(codes[start : start + BLOCK, :width]) for start in range(0, count, BLOCK))
        known = (some for some in scales if some is not None)
        if (some := next(known, None)) is not None:
            write_npy(beside / "scales.npy", count, chain([some], known))
            names.append("scales.npy")
        if originals is not None:
            write_npy(beside / "originals.npy", count, originals)
            names.append("originals.npy")
        if finer is not None:
            finer.write(beside / "finer")
            names += ["finer/config.json", "finer/weights.safetensors"]
        if lists is not None:
            write_npy(beside / "centroids.npy", len(lists[0]), [lists[0]])
            write_npy(beside / "lists.npy", count, lists[1])
            names += ["centroids.npy", "lists.npy"]
        if zero_rows is not None and len(zero_rows):
            write_npy(beside / "zero_rows.npy", len(zero_rows), [zero_rows])
            names.append("zero_rows.npy")
        rows.write(beside / "rows.parquet")
        codec.write(beside / "codec")
        content = {"rows": count, "provenance": asdict(provenance), "scoring": scoring}
        write_manifest(beside / "manifest.json", KIND, FORMAT_VERSION, content, names)


def _version(folder: Path) -> tuple[int, int] | None:
    """Return what tells a folder from one that took its place, even one of the same content."""
    try:
        found = (folder / "manifest.json").stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
