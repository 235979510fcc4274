"""Embedding sets in Chroma, one collection each, in a folder or on a server."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from vecsmith.codecs.stages import Floats
from vecsmith.embeddings import EmbeddingSet, Vectors
from vecsmith.errors import VecsmithError, require, unknown
from vecsmith.progress import track
from vecsmith.stores.chroma_client import connect, create_collection, open_folder
from vecsmith.stores.stored_sets import StoredSet, collection_name, metadata_of, stored_set

REQUEST_ROWS = 1000
"""Rows per request to Chroma."""
MAX_RESULTS = 10_000
"""Results of all queries in one request: Chroma keeps texts in SQLite, which accepts at most 32,766 parameters."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Hit:
    """A result of a query.

    Attributes
    ----------
    score : float
        Inner product with the query.
    id : str
        Id of the row.
    text : str or None
        Text of the row; None if the set has no texts.
    """

    score: float
    id: str
    text: str | None


def _reporting_errors(
    method: "Callable[Concatenate[EmbeddingStore, P], T]",
) -> "Callable[Concatenate[EmbeddingStore, P], T]":
    """Turn exceptions of Chroma, such as for a server that does not answer, into `VecsmithError`."""

    @wraps(method)
    def run(store: "EmbeddingStore", /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(store, *args, **kwargs)
        except store.failures as error:
            raise VecsmithError(
                f"ChromaDB failed at {store.where} ({error}); see to the folder or server, and start again."
            ) from error

    return run


class EmbeddingStore:
    """Embedding sets in Chroma, in a folder or on a server.

    Vectors are compared by inner product and stored as they are; Chroma never loads a model.

    Parameters
    ----------
    where : str or Path
        A folder, or the URL of a server, such as ``http://localhost:8000``.
    create : bool
        Whether to create a database in a folder that has none.

    Raises
    ------
    VecsmithError
        If chromadb is not installed, `where` is a file, no server answers at the URL, or the folder has no database and
        none may or can be created.
    """

    def __init__(self, where: str | Path, create: bool = True) -> None:
        self.where = str(where)
        self.failures = (require("chromadb", "stores").errors.ChromaError, require("httpx", "stores").HTTPError)
        if self.where.startswith(("http://", "https://")):
            self._client = connect(self.where)
            return
        if Path(where).is_file():
            raise VecsmithError(f"{where} is a file; name a folder.")
        if not create and not (Path(where) / "chroma.sqlite3").is_file():
            raise VecsmithError(f"There is no store in {self.where}; put a set there, or name another folder.")
        self._client = self._open_folder()

    @_reporting_errors
    def _open_folder(self) -> Any:
        return open_folder(self.where)

    @_reporting_errors
    def put(self, embedded: EmbeddingSet, split: str = "") -> str:
        """Store an embedding set, and return the name of its collection; a stored set is not written again.

        After an interruption, another call continues with the missing rows.

        Parameters
        ----------
        embedded : EmbeddingSet
            The set; its dataset, models, translator and content determine the name of the collection.
        split : str
            Split of the dataset.

        Raises
        ------
        VecsmithError
            If the store has a collection of that name that is no embedding set.
        """
        name, metadata = collection_name(embedded, split), metadata_of(embedded, split)
        collection = create_collection(self._client, name, "ip", {**metadata, "complete": False}, exist_ok=True)
        stored = stored_set(collection)
        if stored is None:
            raise VecsmithError(f"{self.where} has a collection {name} that is no embedding set; give another store.")
        if stored.complete:
            return name
        batches = range(collection.count() // REQUEST_ROWS * REQUEST_ROWS, len(embedded), REQUEST_ROWS)
        for start in track(batches, f"Storing {name}", len(batches)):
            rows = range(start, min(start + REQUEST_ROWS, len(embedded)))
            ids, texts = zip(*(embedded.rows[row] for row in rows), strict=True)
            collection.upsert(
                ids=list(ids),
                embeddings=np.asarray(embedded.stored(start, rows.stop), np.float32),
                documents=None if texts[0] is None else list(texts),
                metadatas=[{"row": row} for row in rows],
            )
        collection.modify(metadata={**metadata, "complete": True})
        return name

    @_reporting_errors
    def sets(self) -> list[StoredSet]:
        """Return the embedding sets of the store, sorted by name, without other collections."""
        stored = [stored_set(collection) for collection in self._collections()]
        return sorted((each for each in stored if each is not None), key=lambda each: each.name)

    def _collections(self) -> Iterator[Any]:
        offset = 0
        while page := self._client.list_collections(limit=REQUEST_ROWS, offset=offset):
            yield from page
            offset += len(page)

    @_reporting_errors
    def get(self, name: str) -> EmbeddingSet:
        """Return an embedding set with its original dtype and order of rows.

        Raises
        ------
        VecsmithError
            If there is no such set, it is incomplete, or rows were added or deleted since.
        """
        stored, collection = self._find(name)
        if (count := collection.count()) != stored.rows:
            raise VecsmithError(
                f"{name} in {self.where} has {count} rows where {stored.rows} were put; delete that collection and put "
                "the set again."
            )
        vectors = np.empty((stored.rows, stored.dimensions), stored.provenance.dtype)
        ids, texts = [""] * stored.rows, [""] * stored.rows
        has_texts = False
        for start in track(range(0, stored.rows, REQUEST_ROWS), f"Fetching {name}", -(-stored.rows // REQUEST_ROWS)):
            page = collection.get(limit=REQUEST_ROWS, offset=start, include=["embeddings", "documents", "metadatas"])
            for id_, vector, text, metadata in zip(
                page["ids"], page["embeddings"], page["documents"], page["metadatas"], strict=True
            ):
                row = metadata["row"]
                vectors[row], ids[row], texts[row] = vector, id_, text or ""
                has_texts = has_texts or text is not None
        return EmbeddingSet(vectors, ids, texts if has_texts else None, stored.provenance, f"{self.where}, {name}")

    @_reporting_errors
    def query(self, name: str, Q: Vectors, k: int = 10) -> list[list[Hit]]:
        """Return the k nearest vectors of each query (n, d) by inner product, best first.

        The search is approximate: Chroma's graph misses a few of the nearest vectors.

        Raises
        ------
        VecsmithError
            If there is no such set, or the queries have other dimensions.
        """
        stored, collection = self._find(name)
        queries: Floats = np.asarray(Q, np.float32)
        if queries.ndim != 2 or queries.shape[1] != stored.dimensions:
            raise VecsmithError(
                f"{name} has vectors of {stored.dimensions} dimensions, but the queries have shape {queries.shape}; "
                f"embed them with {stored.provenance.encoder or 'its model'}."
            )
        k = min(k, stored.rows)
        size = max(1, MAX_RESULTS // k)
        hits = []
        for start in range(0, len(queries), size):
            response = collection.query(
                query_embeddings=queries[start : start + size], n_results=k, include=["distances", "documents"]
            )
            hits += [
                [Hit(1 - distance, id_, text) for distance, id_, text in zip(*columns, strict=True)]
                for columns in zip(response["distances"], response["ids"], response["documents"], strict=True)
            ]
        return hits

    @_reporting_errors
    def about(self, name: str) -> StoredSet:
        """Return the metadata of an embedding set.

        Raises
        ------
        VecsmithError
            If there is no such set, or it is incomplete.
        """
        return self._find(name)[0]

    def _find(self, name: str) -> tuple[StoredSet, Any]:
        for collection in self._collections():
            stored = stored_set(collection)
            if stored is not None and stored.name == name:
                if not stored.complete:
                    raise VecsmithError(f"{name} in {self.where} is unfinished; put the set again, and it goes on.")
                return stored, collection
        raise unknown("embedding set", name, [each.name for each in self.sets()])
