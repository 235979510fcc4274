"""What stores have in common.

The module of a store has a function ``export(codes, where, table, decoded, force)``, which writes a `CodeSet` there and
returns the bytes it takes, ``read(where, table)``, which returns a `Collection`, and `PACKAGES`, the Python packages
that raise the store's own errors. That of a store that searches has a function ``searches(codec)``, whether it does so
without decoding the codes of a codec, and ``SCORING``, how.
"""

import importlib
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice, repeat
from pathlib import Path
from typing import Any

import numpy as np

from vecsmith.codecs import Codec
from vecsmith.codecs.stages import Codes, Floats
from vecsmith.embeddings import EmbeddingSet, Provenance, Vectors, write_set
from vecsmith.embeddings.provenance import content_hash
from vecsmith.errors import VecsmithError, is_disk_full, unknown
from vecsmith.index.code_set import CodeSet
from vecsmith.index.scoring import Scoring, is_bit_code
from vecsmith.outputs import follow, occupied, output_file
from vecsmith.progress import track

STORES = ("faiss", "usearch", "npy", "lancedb", "chroma", "pgvector")
SEARCHING_STORES = tuple(store for store in STORES if store != "npy")
"""Stores that search, rather than keep files."""
BLOCK = 4096
"""Rows that are written or read at a time."""


@dataclass(frozen=True)
class Collection:
    """Vectors in a store.

    Attributes
    ----------
    ids : list of str
        Their ids.
    texts : list of str or None
        Their texts, where there are any.
    blocks : iterable of ndarray of shape (rows, d)
        The vectors, in the order of the ids.
    """

    ids: list[str]
    texts: list[str] | None
    blocks: Iterable[Vectors]


@dataclass(frozen=True)
class Exported:
    """What was written to a store.

    Attributes
    ----------
    store, where, table : str
        As of `export_codes`; files have no table.
    codec : str
        Spec of the codec.
    decoded : bool
        Whether decoded vectors were written rather than codes.
    rows : int
        Vectors.
    codec_bytes_per_vector : int
        Bytes of a code.
    bytes : int or None
        Size of the file, or growth of the folder or table: vectors or codes, ids, texts where there are any, and what
        the store adds, such as a graph; None for a folder that is not on this machine.
    """

    store: str
    where: str
    table: str
    codec: str
    decoded: bool
    rows: int
    codec_bytes_per_vector: int
    bytes: int | None

    @property
    def bytes_per_vector(self) -> float | None:
        """Bytes of the store over rows."""
        return None if self.bytes is None else self.bytes / self.rows

    @property
    def size(self) -> str:
        """The size in words."""
        if self.bytes is None:
            return "the size is not known"
        return (
            f"{self.bytes:,} bytes, {self.bytes / self.rows:,.0f} per vector, where a code has "
            f"{self.codec_bytes_per_vector}"
        )


def export_codes(
    codes: CodeSet, store: str, where: str, table: str = "vecsmith", decoded: bool = False, force: bool = False
) -> Exported:
    """Write codes to a store, and measure what they take there.

    Parameters
    ----------
    codes : CodeSet
        The codes.
    store : str
        One of `STORES`.
    where : str
        A file (faiss, usearch, npy), a folder (lancedb, chroma), or how to connect (pgvector).
    table : str
        The table or collection; files have none.
    decoded : bool
        Write decoded vectors rather than codes; for chroma, and codes that are not bits, the only way but for faiss
        and npy.
    force : bool
        Replace a file that vecsmith did not write, or a table or collection that exists.

    Returns
    -------
    Exported
        The number of rows and bytes.

    Raises
    ------
    VecsmithError
        If the store is unknown or not installed, cannot hold such codes, has such a table already, or refuses.
    """
    module = _module(store)
    with _refusing(store, module):
        written = module.export(codes, where, table, decoded, force)
    width = codes.codec.bytes_per_vector
    return Exported(store, where, table, codes.codec.spec, decoded, len(codes), width, written)


def searches(store: str, codec: Codec) -> bool:
    """Whether one of `SEARCHING_STORES` searches codes of a codec, fitted or not, without decoding them."""
    found: bool = importlib.import_module(f"vecsmith.stores.{store}").searches(codec)
    return found


def scoring_of(store: str) -> Scoring:
    """Return how one of `SEARCHING_STORES` scores queries against codes."""
    scoring: Scoring = importlib.import_module(f"vecsmith.stores.{store}").SCORING
    return scoring


def import_set(store: str, where: str, out: str | Path, table: str = "vecsmith", force: bool = False) -> EmbeddingSet:
    """Write the vectors of a store to a folder, block by block; started again, it goes on where it was.

    Raises
    ------
    VecsmithError
        If the store is unknown, not installed, or gives no vectors, or `out` holds something else.
    """
    module = _module(store)
    with _refusing(store, module):
        return _import(module.read(where, table), store, where, out, force)


def _module(store: str) -> Any:
    if store not in STORES:
        raise unknown("store", store, STORES)
    return importlib.import_module(f"vecsmith.stores.{store}")


def _import(found: Collection, store: str, where: str, out: str | Path, force: bool) -> EmbeddingSet:
    if not found.ids:
        raise VecsmithError(f"{where} is empty: there is no vector in it.")
    hashed = content_hash(found.ids, repeat("", len(found.ids)) if found.texts is None else found.texts)
    if not force and (Path(out) / "manifest.json").is_file():
        raise occupied(Path(out))  # the vectors in the store may have changed since
    provenance = Provenance(dataset=store, content_hash=hashed)
    blocks: _pieces | None = None

    def vectors(rows: slice) -> Vectors:
        nonlocal blocks
        blocks = blocks or _pieces(found.blocks, rows.start)
        return blocks(min(rows.stop, len(found.ids)) - rows.start)

    label = f"Importing {len(found.ids)} vectors from {store}"
    return write_set(out, found.ids, found.texts, provenance, vectors, label, force)


@contextmanager
def _refusing(store: str, module: Any) -> Iterator[None]:
    """Say what a store objects to, such as a table's name, in a sentence of ours; errors of ours stay as they are."""
    try:
        yield
    except VecsmithError:
        raise
    except Exception as error:
        if isinstance(error, OSError) or is_disk_full(error) or not _is_raised_by(error, module.PACKAGES):
            raise
        reason = str(error).strip().partition("\n")[0].rsplit("Error: ")[-1].rstrip(".")
        raise VecsmithError(f"{store} refuses: {reason}.") from error


def _is_raised_by(error: Exception, packages: Sequence[str]) -> bool:
    """Whether the innermost frame of an exception, of the store's packages and ours, is the store's."""
    frames = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    roots = [name.partition(".")[0] for name in frames]
    return next((root in packages for root in reversed(roots) if root in (*packages, "vecsmith")), False)


def folder_of(where: str) -> str:
    """Return the folder of a store to read from, and refuse one that is not there, which the store would make."""
    if "://" not in where and not Path(where).is_dir():
        raise VecsmithError(f"There is no folder {where}.")
    return where


def new_folder_of(where: str) -> Path:
    """Return the folder of a store to write to, which a link may lead to, and refuse a file."""
    folder = follow(Path(where))
    if folder.is_file():
        raise VecsmithError(f"{where} is a file; give a folder.")
    return folder


def exists(where: str, kind: str, table: str) -> VecsmithError:
    """Return the error for a table or collection that exists."""
    return VecsmithError(
        f"{where} has a {kind} {table!r} already; give another --table, or --force (force=True) to replace it."
    )


def without_vector(where: str, id_: str) -> VecsmithError:
    """Return the error for a row of a table that has no vector."""
    return VecsmithError(f"{where} has no vector for the id {id_!r}; give it one, or delete that row.")


class _pieces:  # noqa: N801 - a function with a memory
    """Returns the next so many rows of blocks, when called, after the first `skipped`."""

    def __init__(self, blocks: Iterable[Vectors], skipped: int) -> None:
        self._blocks = iter(blocks)
        self._rest: list[Vectors] = []
        while skipped > 0:
            skipped -= len(self(min(skipped, BLOCK)))

    def __call__(self, count: int) -> Vectors:
        have = sum(map(len, self._rest))
        while have < count:
            block = next(self._blocks, None)
            if block is None:
                raise VecsmithError("The store has fewer vectors than ids; it changed meanwhile, start again.")
            self._rest.append(block)
            have += len(block)
        joined = np.concatenate(self._rest)
        self._rest = [joined[count:]]
        return joined[:count]


def folder_bytes(where: str) -> int | None:
    """Return the size of the files in a folder and its folders: 0 where it is missing, None on another machine."""
    if "://" in where:
        return None
    return sum(file.stat().st_size for file in Path(where).rglob("*") if file.is_file())


def growth(where: str, before: int | None) -> int | None:
    """Return by how many bytes a folder grew."""
    after = folder_bytes(where)
    return None if after is None or before is None else after - before


@contextmanager
def exported_file(codes: CodeSet, where: str, decoded: bool, force: bool) -> Iterator[Path]:
    """Write a store's file, with a receipt of what it holds (see `vecsmith.outputs.output_file`)."""
    about = {"codec": codes.codec.spec, "rows": len(codes), "decoded": decoded}
    with output_file(Path(where), about, force) as beside:
        yield beside


def named_blocks(codes: CodeSet, what: str) -> Iterator[tuple[list[str], list[str] | None, Codes]]:
    """Yield ids, texts and codes, a block at a time, with a progress bar."""
    ids, starts = codes.rows.each("id"), range(0, len(codes), BLOCK)
    texts = codes.rows.each("text") if codes.rows.has_texts else None
    for start in track(starts, f"{len(codes)} {what}", len(starts)):
        block = list(islice(ids, BLOCK))
        yield block, None if texts is None else list(islice(texts, BLOCK)), codes.codes[start : start + BLOCK]


def decoded_blocks(codes: CodeSet) -> Iterator[Floats]:
    """Yield the decoded vectors, a block at a time."""
    for start in range(0, len(codes), BLOCK):
        yield codes.codec.decode(codes.codes[start : start + BLOCK])


def check_bits(codes: CodeSet, store: str) -> None:
    """Refuse codes that a Hamming distance says nothing about."""
    if not is_bit_code(codes.codec):
        raise VecsmithError(
            f"{store} compares codes bit by bit, which codes of {codes.codec.spec} are not made for; "
            "give --decoded, or encode with binary or another codec of bits."
        )
