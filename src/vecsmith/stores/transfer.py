"""Export of codes to stores, and import of vectors from stores."""

from dataclasses import dataclass
from pathlib import Path

from vecsmith.array_types import Vectors
from vecsmith.embeddings import EmbeddingSet, Provenance, write_set
from vecsmith.embeddings.provenance import content_hash
from vecsmith.errors import VecsmithError
from vecsmith.index import CodeSet
from vecsmith.index.scoring import is_bit_code
from vecsmith.outputs import occupied
from vecsmith.stores.base import Collection, store_named
from vecsmith.stores.blocks import BlockReader
from vecsmith.stores.errors import reporting_errors


@dataclass(frozen=True)
class Exported:
    """Summary of an export.

    Attributes
    ----------
    store, where, table : str
        As for `export_codes`; files have no table.
    codec : str
        Spec of the codec.
    decoded : bool
        Whether decoded vectors were written rather than codes.
    rows : int
        Number of vectors.
    codec_bytes_per_vector : int
        Bytes of a code.
    bytes : int or None
        Size of the file, or growth of the folder or table: vectors or codes, ids, texts if there are any, and the
        store's own data, such as a graph; None for a folder on another machine.
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
        """Bytes in the store per vector; None if the size is unknown."""
        return None if self.bytes is None else self.bytes / self.rows

    @property
    def size(self) -> str:
        """The size as text."""
        if self.bytes is None:
            return "the size is not known"
        return (
            f"{self.bytes:,} bytes, {self.bytes / self.rows:,.0f} per vector, where a code has "
            f"{self.codec_bytes_per_vector}"
        )


def export_codes(
    codes: CodeSet, store: str, where: str, table: str = "vecsmith", decoded: bool = False, force: bool = False
) -> Exported:
    """Write codes to a store, and measure their size there.

    Parameters
    ----------
    codes : CodeSet
        The codes.
    store : str
        Name of the store; one of `STORES`.
    where : str
        A file (faiss, usearch, npy), a folder (lancedb, chroma), or a connection string (pgvector).
    table : str
        Name of the table or collection; files have none.
    decoded : bool
        Whether to write decoded vectors rather than codes. Chroma always gets decoded vectors; usearch, lancedb and
        pgvector accept only codes of bits otherwise.
    force : bool
        Replace a file that vecsmith did not write, or a table or collection that exists.

    Returns
    -------
    Exported
        The number of rows and bytes.

    Raises
    ------
    VecsmithError
        If the store is unknown, not installed, cannot hold such codes, has such a table already, or reports an error.
    """
    target = store_named(store)
    if target.bit_codes_only and not decoded and not is_bit_code(codes.codec):
        raise VecsmithError(
            f"{store} compares codes bit by bit, which codes of {codes.codec.spec} are not made for; "
            "give --decoded, or encode with binary or another codec of bits."
        )
    with reporting_errors(store, target.packages):
        size = target.export(codes, where, table, decoded, force)
    return Exported(store, where, table, codes.codec.spec, decoded, len(codes), codes.codec.bytes_per_vector, size)


def import_set(store: str, where: str, out: str | Path, table: str = "vecsmith", force: bool = False) -> EmbeddingSet:
    """Write the vectors of a store to an embedding set, block by block; an interrupted import continues.

    Parameters
    ----------
    store : str
        Name of the store; one of `STORES`.
    where : str
        A file (faiss, usearch, npy), a folder (lancedb, chroma), or a connection string (pgvector).
    out : str or Path
        Folder of the embedding set.
    table : str
        Name of the table or collection; files have none.
    force : bool
        Replace any other content of the folder `out`.

    Raises
    ------
    VecsmithError
        If the store is unknown, not installed, empty, or has no float vectors, or `out` holds something else.
    """
    source = store_named(store)
    with reporting_errors(store, source.packages):
        return _write(source.read(where, table), store, where, out, force)


def _write(collection: Collection, store: str, where: str, out: str | Path, force: bool) -> EmbeddingSet:
    ids, texts = collection.ids, collection.texts
    if not ids:
        raise VecsmithError(f"{where} is empty: there is no vector in it.")
    if not force and (Path(out) / "manifest.json").is_file():
        raise occupied(Path(out))  # the vectors in the store may have changed since
    provenance = Provenance(dataset=store, content_hash=content_hash(ids, texts))
    reader: BlockReader | None = None

    def vectors(rows: slice) -> Vectors:
        nonlocal reader
        reader = reader or BlockReader(collection.blocks, rows.start)
        return reader.read(min(rows.stop, len(ids)) - rows.start)

    return write_set(out, ids, texts, provenance, vectors, f"Importing {len(ids)} vectors from {store}", force)
