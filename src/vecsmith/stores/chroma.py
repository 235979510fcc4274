"""Chroma: decoded vectors, for it has no codes."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from vecsmith.codecs import Codec
from vecsmith.codecs.quantizers.floats import Float32
from vecsmith.embeddings import Vectors
from vecsmith.errors import VecsmithError, require
from vecsmith.index.code_set import CodeSet
from vecsmith.index.scoring import Scoring
from vecsmith.outputs import only_writer
from vecsmith.stores.base import (
    BLOCK,
    Collection,
    exists,
    folder_bytes,
    folder_of,
    growth,
    named_blocks,
    new_folder_of,
)

PACKAGES = ("chromadb",)
SCORING: Scoring = "asymmetric"

UNFINISHED = "-unfinished"
"""Ends the name of a collection until all its rows are there."""
METADATA = {"written_by": "vecsmith"}
"""Metadata of a collection, by which a later export knows an unfinished one as vecsmith's."""


def searches(codec: Codec) -> bool:
    """Whether the codes are floats, which are all that Chroma searches."""
    return isinstance(codec.quantizer, Float32)


def export(codes: CodeSet, where: str, table: str, decoded: bool, force: bool) -> int | None:
    """Write a collection of decoded vectors under cosine distance; texts become its documents."""
    with only_writer(new_folder_of(where)):
        return _export(codes, where, table, force)


def _export(codes: CodeSet, where: str, table: str, force: bool) -> int | None:
    before = folder_bytes(where)  # without the database that the client makes
    client = _client(where)
    collections = {collection.name: collection for collection in client.list_collections()}
    names, unfinished = set(collections), f"{table}{UNFINISHED}"
    if table in names and not force:
        raise exists(where, "collection", table)
    if unfinished in names:
        if collections[unfinished].metadata != METADATA and not force:
            raise exists(where, "collection", unfinished)
        client.delete_collection(unfinished)
    # without an embedding function: Chroma's default one downloads a model
    configuration = {"hnsw": {"space": "cosine"}}
    collection = client.create_collection(
        unfinished, metadata=dict(METADATA), configuration=configuration, embedding_function=None
    )
    most = client.get_max_batch_size()
    try:
        for ids, texts, block in named_blocks(codes, "rows to chroma"):
            vectors = codes.codec.decode(block)
            for start in range(0, len(ids), most):
                part = slice(start, start + most)
                collection.add(ids=ids[part], embeddings=vectors[part], documents=texts and texts[part])
        size = growth(where, before)
        if table in names:
            client.delete_collection(table)
        collection.modify(name=table)
    except BaseException:
        client.delete_collection(unfinished)
        raise
    return size


def read(where: str, table: str) -> Collection:
    """Read a collection's ids, embeddings, and documents where every row has one."""
    client = _client(folder_of(where))
    found = [collection.name for collection in client.list_collections()]
    names = [name for name in found if not name.endswith(UNFINISHED)]
    if table not in names:
        raise VecsmithError(
            f"{where} has no collection {table!r}, but {', '.join(names) or 'none'}; give one of them as --table."
        )
    collection = client.get_collection(table, embedding_function=None)
    starts = range(0, collection.count(), BLOCK)
    named = [collection.get(limit=BLOCK, offset=start, include=["documents"]) for start in starts]
    texts = [text for block in named for text in block["documents"]]

    def blocks() -> Iterator[Vectors]:
        for start in starts:
            found = collection.get(limit=BLOCK, offset=start, include=["embeddings"])
            yield np.asarray(found["embeddings"], dtype=np.float32)

    ids = [id_ for block in named for id_ in block["ids"]]
    return Collection(ids, None if None in texts else texts, blocks())


def _client(where: str) -> Any:
    settings = require("chromadb.config", "stores").Settings(anonymized_telemetry=False)
    return require("chromadb", "stores").PersistentClient(where, settings=settings)
