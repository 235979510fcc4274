"""What stores have in common.

The module of a store has a function ``export(codes, where, table, decoded)``, which writes a `CodeSet` there, and
``read(where, table)``, which returns a `Collection`.
"""

import importlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice, repeat
from pathlib import Path

import numpy as np

from vecsmith.codecs.base import Codes, Floats
from vecsmith.embeddings import EmbeddingSet, Provenance, Vectors
from vecsmith.embeddings.provenance import content_hash
from vecsmith.embeddings.writer import EmbeddingWriter
from vecsmith.errors import VecsmithError, unknown
from vecsmith.progress import track
from vecsmith.search.codes import CodeSet
from vecsmith.search.exact import is_bit_code

STORES = ("faiss", "usearch", "npy", "lancedb", "chroma", "pgvector")
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


def export_codes(codes: CodeSet, store: str, where: str, table: str = "vecsmith", decoded: bool = False) -> None:
    """Write codes to a store.

    Parameters
    ----------
    codes : CodeSet
        The codes.
    store : str
        One of `STORES`.
    where : str
        A file (faiss, usearch, npy), a folder (lancedb, chroma), or how to connect (pgvector).
    table : str
        The table or collection, which must be new; files have none.
    decoded : bool
        Write decoded vectors rather than codes; for chroma, and codes that are not bits, the only way but for faiss
        and npy.

    Raises
    ------
    VecsmithError
        If the store is unknown or not installed, cannot hold such codes, has such a table already, or refuses.
    """
    if store not in STORES:
        raise unknown("store", store, STORES)
    with _refusing(store):
        importlib.import_module(f"vecsmith.search.stores.{store}").export(codes, where, table, decoded)


def import_set(store: str, where: str, out: str | Path, table: str = "vecsmith") -> EmbeddingSet:
    """Write the vectors of a store to a folder, block by block; started again, it goes on where it was.

    Raises
    ------
    VecsmithError
        If the store is unknown, not installed, or gives no vectors, or `out` holds something else.
    """
    if store not in STORES:
        raise unknown("store", store, STORES)
    with _refusing(store):
        return _import(store, where, out, table)


def _import(store: str, where: str, out: str | Path, table: str) -> EmbeddingSet:
    found: Collection = importlib.import_module(f"vecsmith.search.stores.{store}").read(where, table)
    if not found.ids:
        raise VecsmithError(f"{where} is empty: there is no vector in it.")
    hashed = content_hash(found.ids, repeat("", len(found.ids)) if found.texts is None else found.texts)
    writer = EmbeddingWriter(Path(out), found.ids, found.texts, Provenance(dataset=store, content_hash=hashed))
    remaining = writer.remaining
    pieces = _pieces(found.blocks, remaining[0].start if remaining else 0)
    for rows in track(remaining, f"{len(found.ids)} vectors from {store}", len(remaining)):
        writer.write(pieces(min(rows.stop, len(found.ids)) - rows.start))
    writer.finish()
    return EmbeddingSet.open(out)


@contextmanager
def _refusing(store: str) -> Iterator[None]:
    """Say what a store objects to, such as a table's name, in a sentence of ours."""
    try:
        yield
    except Exception as error:
        package = type(error).__module__.partition(".")[0]
        if isinstance(error, OSError) or not (
            isinstance(error, ValueError | RuntimeError) or package in ("chromadb", "psycopg")
        ):
            raise
        reason = str(error).strip().partition("\n")[0].rsplit("Error: ")[-1].rstrip(".")
        raise VecsmithError(f"{store} refuses: {reason}.") from error


def folder_of(where: str) -> str:
    """Return the folder of a store to read from, and refuse one that is not there, which the store would make."""
    if "://" not in where and not Path(where).is_dir():
        raise VecsmithError(f"There is no folder {where}.")
    return where


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
