"""`CodeSet`: a folder of codes, with their codec and everything else that a search needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import faiss

from vecsmith.array_types import Codes, Floats, RowNumbers
from vecsmith.arrays import open_npy
from vecsmith.codecs import Codec, load_codec
from vecsmith.codecs.stages import CODE_BLOCK_ROWS
from vecsmith.embeddings import EmbeddingSet, Provenance, Rows, StoredRows, StringColumn
from vecsmith.embeddings.part_files import CODE_PARTS, PARTS_VERSION, PartRows, read_codes, zero_rows_of
from vecsmith.errors import VecsmithError
from vecsmith.files import fingerprint
from vecsmith.index.bm25 import Bm25, LexicalIndex
from vecsmith.index.code_writing import CODE_FILES, FORMAT_VERSION, KIND, LEXICAL, write_codes
from vecsmith.index.coded_vectors import CodedVectors, Originals
from vecsmith.index.inverted_lists import InvertedLists
from vecsmith.index.scoring import Scoring
from vecsmith.index.two_stages import first_stage
from vecsmith.manifests import is_of_kind, manifest_version, read_manifest
from vecsmith.progress import track


@dataclass(frozen=True)
class CodeSet:
    """Codes of n vectors, opened from a folder.

    Attributes
    ----------
    codec : Codec
        The fitted codec.
    codes : ndarray of shape (n, bytes_per_vector), uint8
        Memory-mapped codes.
    rows : Rows
        Ids and texts, which are read on access.
    provenance : Provenance
        Provenance of the vectors.
    score_factors : ndarray of shape (n,), float32, or None
        Score factors of the codes, as the quantizer computes them.
    scoring : {"symmetric", "asymmetric", "rescored"}
        Scoring of an index of these codes.
    originals : ndarray of shape (n, d), float16 or float32, or CodedVectors, or None
        Vectors or finer codes with which ``rescored`` reorders a shortlist.
    lists : InvertedLists or None
        Inverted lists of the documents.
    zero_rows : ndarray of shape (m,), int64, or None
        Row numbers of all-zero vectors, which a search never returns.
    open_lexical : callable or None
        Opens the memory-mapped lexical index of the texts; None if there is none.
    lexical_spec : str
        Parameters of the lexical index, as in `Bm25.spec`; empty if there is none.
    content_hash : str or None
        Hash of the codes and their codec.
    """

    codec: Codec
    codes: Codes
    rows: Rows
    provenance: Provenance
    score_factors: Floats | None = None
    scoring: Scoring = "asymmetric"
    originals: Originals | None = None
    lists: InvertedLists | None = None
    zero_rows: RowNumbers | None = None
    open_lexical: Callable[[], LexicalIndex] | None = None
    lexical_spec: str = ""
    content_hash: str | None = None

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def rescore_bytes_per_vector(self) -> int:
        """Bytes per document of `originals`."""
        # the first axis has a row per document, of a vector or of a code
        stored: Any = self.originals.codes if isinstance(self.originals, CodedVectors) else self.originals
        return 0 if stored is None else int(stored.itemsize * stored.shape[1])

    @property
    def ids(self) -> StringColumn:
        """All ids: a sequence of str, read on access."""
        return self.rows.ids

    @property
    def texts(self) -> StringColumn | None:
        """All texts, a sequence of str like the ids; None if there are no texts."""
        return self.rows.texts

    @classmethod
    def encode(
        cls, codec: Codec, embedded: EmbeddingSet, path: str | Path, force: bool = False, bm25: Bm25 | None = None
    ) -> Self:
        """Encode the unit vectors of an embedding set, block by block, into a folder that is written atomically.

        The scoring is ``rescored`` for a codec of two quantizers, and ``asymmetric`` otherwise.

        Parameters
        ----------
        codec : Codec
            A fitted codec.
        embedded : EmbeddingSet
            The vectors, which are read in blocks.
        path : str or Path
            The folder; codes in it are replaced.
        force : bool
            Replace any other content of the folder too.
        bm25 : Bm25, optional
            Also write a lexical index of the texts, with these parameters.

        Raises
        ------
        VecsmithError
            If the codec is not fitted on vectors of these dimensions, `path` holds something else, or there are no
            texts for a lexical index.
        """
        X = embedded.unit
        size = CODE_BLOCK_ROWS * faiss.omp_get_max_threads()  # one block for each thread of `Codec.encode`
        starts = range(0, len(X), size)
        tracked = track(starts, f"{codec.spec}, {len(X)} vectors", len(starts))
        blocks = (codec.encode(X[start : start + size]) for start in tracked)
        scoring: Scoring = "rescored" if first_stage(codec) else "asymmetric"
        write_codes(
            path,
            codec,
            blocks,
            embedded.rows,
            embedded.provenance,
            scoring,
            zero_rows=embedded.zero_rows,
            bm25=bm25,
            force=force,
        )
        return cls.open(path)

    @classmethod
    def open(cls, path: str | Path, verify: bool = False) -> Self:
        """Open a folder written by `encode` or `Index.save`; codes, ids and texts stay on disk.

        Only the manifest, the codec, and the headers of the other files are read, which takes milliseconds.

        Parameters
        ----------
        path : str or Path
            The folder.
        verify : bool
            Check the hash of every file, which reads them all and takes seconds for gigabytes.

        Raises
        ------
        VecsmithError
            If the folder holds no codes, is damaged, or is from a newer version of the format.
        """
        folder = Path(path)
        before = manifest_version(folder)
        try:
            opened = cls._open(folder, verify)
        except VecsmithError:
            if manifest_version(folder) == before:
                raise
        else:
            if manifest_version(folder) == before:
                return opened
        # another process replaced the folder while its files were being opened
        return cls.open(path, verify)

    @classmethod
    def _open(cls, folder: Path, verify: bool) -> Self:
        if is_of_kind(folder / "manifest.json", CODE_PARTS):
            return cls._open_parts(folder, read_manifest(folder / "manifest.json", CODE_PARTS, PARTS_VERSION, verify))
        manifest = read_manifest(folder / "manifest.json", KIND, FORMAT_VERSION, verify)
        try:
            codec, rows = load_codec(folder / "codec"), StoredRows(folder / "rows.parquet")
            codes = open_npy(folder / "codes.npy")
            refined = "originals.npy" in manifest["files"]
            originals: Any = open_npy(folder / "originals.npy") if refined else None
            factors = open_npy(folder / "scales.npy") if "scales.npy" in manifest["files"] else None
            numbers = open_npy(folder / "lists.npy") if "lists.npy" in manifest["files"] else None
            for array, width in ((codes, codec.bytes_per_vector), (factors, None), (originals, None), (numbers, None)):
                if array is not None and (len(array) != len(rows) or (width and array.shape[1] != width)):
                    raise VecsmithError(f"{folder} has codes that do not fit its codec and rows; write it again.")
            if "finer/config.json" in manifest["files"]:
                originals = CodedVectors(load_codec(folder / "finer"), originals)
            lists = None if numbers is None else InvertedLists(open_npy(folder / "centroids.npy"), numbers)
            scoring = manifest.get("scoring", "asymmetric")
            zero_rows = open_npy(folder / "zero_rows.npy") if "zero_rows.npy" in manifest["files"] else None
            provenance = Provenance(**manifest["provenance"])
            lexical = partial(_open_lexical, folder, manifest_version(folder)) if manifest.get(LEXICAL) else None
            content_hash = fingerprint([manifest["files"][name] for name in CODE_FILES])
            return cls(
                codec,
                codes,
                rows,
                provenance,
                factors,
                scoring,
                originals,
                lists,
                zero_rows,
                lexical,
                manifest.get(LEXICAL, ""),
                content_hash,
            )
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise VecsmithError(f"{folder} does not hold valid codes ({error}); write it again.") from error

    @classmethod
    def _open_parts(cls, folder: Path, manifest: Mapping[str, Any]) -> Self:
        """Open a folder of parts, whose codes are read into memory."""
        try:
            codec, codes = load_codec(folder / "codec"), read_codes(manifest, lambda name: folder / name)
            if codec.bytes_per_vector != codes.shape[1]:
                raise VecsmithError(f"{folder} has codes that do not fit its codec; write it again.")
            return cls(
                codec,
                codes,
                PartRows(folder, manifest),
                Provenance(**manifest["provenance"]),
                scoring=manifest["scoring"],
                zero_rows=zero_rows_of(manifest),
                content_hash=fingerprint(manifest["files"]),
            )
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise VecsmithError(f"{folder} does not hold valid codes ({error}); write it again.") from error


def _open_lexical(folder: Path, version: tuple[int, int] | None) -> LexicalIndex:
    """Open the lexical index of a folder whose manifest had this version when its codes were opened."""
    lexical = LexicalIndex.open(folder / LEXICAL)
    if manifest_version(folder) != version:
        raise VecsmithError(f"{folder} was replaced after its codes were opened; open it again.")
    return lexical
