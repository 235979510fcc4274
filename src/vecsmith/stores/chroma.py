"""Chroma: decoded vectors, since Chroma has no codes."""

from collections.abc import Iterator

import numpy as np

from vecsmith.codecs import Codec
from vecsmith.codecs.quantizers.floats import Float32
from vecsmith.embeddings import Vectors
from vecsmith.errors import VecsmithError
from vecsmith.index import CodeSet
from vecsmith.outputs import only_writer
from vecsmith.stores.base import Collection, Store
from vecsmith.stores.blocks import BATCH_ROWS, row_blocks
from vecsmith.stores.chroma_client import create_collection, open_collection, open_folder
from vecsmith.stores.errors import table_exists
from vecsmith.stores.locations import existing_folder, folder_bytes, folder_growth, new_folder

UNFINISHED_SUFFIX = "-unfinished"
"""Suffix of a collection's name until all its rows are written."""
METADATA = {"written_by": "vecsmith"}
"""Metadata by which an export recognizes the unfinished collection of an interrupted export."""


class Chroma(Store):
    """A collection of decoded vectors under cosine distance; texts are its documents."""

    name = "chroma"
    location = "folder"
    packages = ("chromadb",)
    scoring = "asymmetric"

    def searches(self, codec: Codec) -> bool:
        """Return whether the codes are float vectors, the only ones that Chroma searches."""
        return isinstance(codec.quantizer, Float32)

    def export(self, codes: CodeSet, where: str, table: str, decoded: bool, force: bool) -> int | None:
        with only_writer(new_folder(where)):
            return self._export(codes, where, table, force)

    def _export(self, codes: CodeSet, where: str, table: str, force: bool) -> int | None:
        before = folder_bytes(where)  # the client creates a database, which counts
        client = open_folder(where)
        collections = {collection.name: collection for collection in client.list_collections()}
        unfinished = f"{table}{UNFINISHED_SUFFIX}"
        if table in collections and not force:
            raise table_exists(where, "collection", table)
        if unfinished in collections:
            if collections[unfinished].metadata != METADATA and not force:
                raise table_exists(where, "collection", unfinished)
            client.delete_collection(unfinished)
        collection = create_collection(client, unfinished, "cosine", METADATA)
        batch_rows = client.get_max_batch_size()
        try:
            for ids, texts, block in row_blocks(codes, "rows to chroma"):
                vectors = codes.codec.decode(block)
                for start in range(0, len(ids), batch_rows):
                    batch = slice(start, start + batch_rows)
                    collection.add(ids=ids[batch], embeddings=vectors[batch], documents=texts and texts[batch])
            size = folder_growth(where, before)
            if table in collections:
                client.delete_collection(table)
            collection.modify(name=table)
        except BaseException:
            client.delete_collection(unfinished)
            raise
        return size

    def read(self, where: str, table: str) -> Collection:
        """Read a collection; its documents are the texts if every row has one."""
        client = open_folder(existing_folder(where))
        names = [collection.name for collection in client.list_collections()]
        names = [name for name in names if not name.endswith(UNFINISHED_SUFFIX)]
        if table not in names:
            raise VecsmithError(
                f"{where} has no collection {table!r}, but {', '.join(names) or 'none'}; give one of them as --table."
            )
        collection = open_collection(client, table)
        starts = range(0, collection.count(), BATCH_ROWS)
        pages = [collection.get(limit=BATCH_ROWS, offset=start, include=["documents"]) for start in starts]
        texts = [text for page in pages for text in page["documents"]]

        def blocks() -> Iterator[Vectors]:
            for start in starts:
                page = collection.get(limit=BATCH_ROWS, offset=start, include=["embeddings"])
                yield np.asarray(page["embeddings"], dtype=np.float32)

        ids = [id_ for page in pages for id_ in page["ids"]]
        return Collection(ids, None if None in texts else texts, blocks())
