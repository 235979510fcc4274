"""Writing folders of codes."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from vecsmith.array_types import Codes, Floats, RowNumbers
from vecsmith.arrays import write_npy
from vecsmith.codecs import Codec
from vecsmith.embeddings import Provenance, Rows
from vecsmith.errors import VecsmithError
from vecsmith.index.bm25 import Bm25, LexicalIndex
from vecsmith.index.coded_vectors import CodedVectors
from vecsmith.index.inverted_lists import ListNumbers
from vecsmith.index.scoring import Scoring
from vecsmith.index.snapshot import Snapshot
from vecsmith.index.two_stages import first_stage, is_first_stage_of
from vecsmith.manifests import write_manifest
from vecsmith.outputs import output_folder

FORMAT_VERSION = 1
KIND = "codes"
LEXICAL = "lexical"
"""Folder of the lexical index, and the manifest's entry with its parameters."""
CODE_FILES = ["codes.npy", "codec/config.json", "codec/weights.safetensors"]
"""Files of the codes and their codec."""


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
    zero_rows: RowNumbers | None = None,
    bm25: Bm25 | None = None,
    force: bool = False,
) -> None:
    """Write a folder for `CodeSet.open` atomically.

    Parameters
    ----------
    path : str or Path
        The folder; codes in it are replaced.
    codec : Codec
        The fitted codec.
    blocks : iterable of ndarray of shape (rows, bytes_per_vector), uint8
        Blocks of codes.
    rows : Rows
        Ids and texts.
    provenance : Provenance
        Provenance of the vectors.
    scoring : {"symmetric", "asymmetric", "rescored"}
        Scoring of an index of these codes.
    originals : iterable of ndarray of shape (rows, d), optional
        Blocks of vectors that reorder a shortlist, or of their codes by `finer`. By default ``rescored`` reorders with
        the codes themselves, whose first bytes are scanned.
    finer : Codec, optional
        The codec of `originals`, if these are codes.
    lists : tuple of ndarray of shape (n_lists, d) and iterable of ndarray of shape (rows,), int32, optional
        Centroids of the inverted lists, and blocks of list numbers.
    zero_rows : ndarray of shape (m,), int64, optional
        Row numbers of all-zero vectors.
    bm25 : Bm25, optional
        Also write a lexical index of the texts, with these parameters.
    force : bool
        Replace any other content of the folder too.

    Raises
    ------
    VecsmithError
        If `path` holds something else, an id is missing or occurs twice, the number of codes, originals or list numbers
        is not that of `rows`, or there are no texts for a lexical index.
    """
    if bm25 is not None and not rows.has_texts:
        raise VecsmithError("The vectors have no texts for a lexical index; embed a file of texts, or omit --lexical.")
    names, count = [*CODE_FILES, "rows.parquet"], len(rows)
    rows.check(str(path))
    with output_folder(Path(path), KIND, force) as staging:
        scanned = (first_stage(codec) if scoring == "rescored" and originals is None else None) or codec
        factors: list[Floats] = []
        write_npy(staging / "codes.npy", count, _with_score_factors(blocks, scanned, factors))
        if factors:
            write_npy(staging / "scales.npy", count, factors)
            names.append("scales.npy")
        if originals is not None:
            write_npy(staging / "originals.npy", count, originals)
            names.append("originals.npy")
        if finer is not None:
            finer.write(staging / "finer")
            names += ["finer/config.json", "finer/weights.safetensors"]
        if lists is not None:
            write_npy(staging / "centroids.npy", len(lists[0]), [lists[0]])
            write_npy(staging / "lists.npy", count, lists[1])
            names += ["centroids.npy", "lists.npy"]
        if zero_rows is not None and len(zero_rows):
            write_npy(staging / "zero_rows.npy", len(zero_rows), [zero_rows])
            names.append("zero_rows.npy")
        if bm25 is not None:
            written = LexicalIndex.build(rows.texts or [], bm25).write(staging / LEXICAL)
            names += [f"{LEXICAL}/{name}" for name in written]
        rows.write(staging / "rows.parquet")
        codec.write(staging / "codec")
        content: dict[str, Any] = {"rows": count, "provenance": asdict(provenance), "scoring": scoring}
        if bm25 is not None:
            content[LEXICAL] = bm25.spec
        write_manifest(staging / "manifest.json", KIND, FORMAT_VERSION, content, names)


def _with_score_factors(blocks: Iterable[Codes], scanned: Codec, factors: list[Floats]) -> Iterator[Codes]:
    """Yield blocks of codes, and append the score factors of their scanned bytes, if they have any, to a list."""
    for block in blocks:
        computed = scanned.quantizer.score_factors(block[:, : scanned.bytes_per_vector])
        if computed is not None:
            factors.append(computed)
        yield block


def save_snapshot(
    path: str | Path,
    codec: Codec,
    snapshot: Snapshot,
    scoring: Scoring,
    provenance: Provenance,
    bm25: Bm25 | None = None,
    force: bool = False,
) -> None:
    """Write the documents of a snapshot that are not deleted to a folder for `CodeSet.open`, atomically.

    Parameters
    ----------
    path : str or Path
        The folder; codes in it are replaced.
    codec : Codec
        The only codec of the snapshot.
    snapshot : Snapshot
        The documents.
    scoring : {"symmetric", "asymmetric", "rescored"}
        Scoring of the index; originals are written for ``rescored`` alone.
    provenance : Provenance
        Provenance of the vectors.
    bm25 : Bm25, optional
        Also write a lexical index of the texts, with these parameters.
    force : bool
        Replace any other content of the folder too.

    Raises
    ------
    VecsmithError
        If `path` holds something else, or all rows are deleted.
    """
    if not snapshot.count:
        raise VecsmithError("There is nothing in the index to save; remove its folder instead.")
    originals = snapshot.segments[0].originals if scoring == "rescored" else None
    codes, blocks = snapshot.code_blocks(), None if originals is None else snapshot.original_blocks()
    finer = originals.codec if isinstance(originals, CodedVectors) else None
    if finer and blocks and is_first_stage_of(codec, finer):
        # the whole codes contain the scanned ones
        codec, codes, finer, blocks = finer, blocks, None, None
    lists = None if snapshot.centroids is None else (snapshot.centroids, snapshot.list_blocks())
    write_codes(
        path, codec, codes, snapshot.live_rows, provenance, scoring, blocks, finer, lists, bm25=bm25, force=force
    )
