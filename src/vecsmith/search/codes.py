"""Codes on disk, with the codec that made them: all that a search needs."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np

from vecsmith.codecs import Codec, load_codec
from vecsmith.codecs.base import Codes
from vecsmith.codecs.codec import BLOCK
from vecsmith.embeddings import EmbeddingSet, Provenance, Rows, StoredRows
from vecsmith.errors import VecsmithError
from vecsmith.files import read_manifest, replacing_folder, write_manifest
from vecsmith.progress import track
from vecsmith.search.index import Index

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
    """

    codec: Codec
    codes: Codes
    rows: Rows
    provenance: Provenance

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

    def index(self) -> Index:
        """Return an index for float queries; ties break by row."""
        return Index(self.codec, self.codes)

    @classmethod
    def encode(cls, codec: Codec, embedded: EmbeddingSet, path: str | Path) -> Self:
        """Encode the unit vectors of a set block by block into a folder, which is written whole or not at all.

        Parameters
        ----------
        codec : Codec
            A fitted codec.
        embedded : EmbeddingSet
            The vectors, of which a block at a time is in memory.
        path : str or Path
            The folder; codes that it holds already are replaced.

        Raises
        ------
        VecsmithError
            If the codec is not fitted on vectors of these dimensions, or `path` holds something else.
        """
        folder, X = Path(path), embedded.unit
        if folder.exists() and not (folder / "codes.npy").is_file():
            raise VecsmithError(f"{folder} already holds something else; give another folder or remove it.")
        blocks = range(0, len(X), BLOCK)
        with replacing_folder(folder) as beside:
            codes = np.lib.format.open_memmap(
                beside / "codes.npy", mode="w+", dtype=np.uint8, shape=(len(X), codec.bytes_per_vector)
            )
            for start in track(blocks, f"{codec.spec}, {len(X)} vectors", len(blocks)):
                codes[start : start + BLOCK] = codec.encode(X[start : start + BLOCK])
            codes.flush()
            embedded.rows.write(beside / "rows.parquet")
            codec.save(beside / "codec")
            content = {"rows": len(X), "provenance": asdict(embedded.provenance)}
            write_manifest(beside / "manifest.json", KIND, FORMAT_VERSION, content, FILES)
        return cls.open(folder)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a folder written by `encode`; the codes, ids and texts stay on disk.

        Raises
        ------
        VecsmithError
            If the folder holds no codes, is damaged, or is from a newer version of the format.
        """
        folder = Path(path)
        manifest = read_manifest(folder / "manifest.json", KIND, FORMAT_VERSION)
        try:
            codec, rows = load_codec(folder / "codec"), StoredRows(folder / "rows.parquet")
            codes = np.lib.format.open_memmap(folder / "codes.npy", mode="r")
            if codes.dtype != np.uint8 or codes.shape != (len(rows), codec.bytes_per_vector):
                raise VecsmithError(f"{folder} has codes that do not fit its codec and rows; write it again.")
            return cls(codec, codes, rows, Provenance(**manifest["provenance"]))
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise VecsmithError(f"{folder} does not hold valid codes ({error}); write it again.") from error
