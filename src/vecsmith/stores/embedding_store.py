"""Embedding sets kept in ChromaDB, a collection each."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import urlsplit

import numpy as np

from vecsmith.codecs.stages import Floats
from vecsmith.embeddings import EmbeddingSet, Provenance, Vectors
from vecsmith.errors import VecsmithError, require, unknown
from vecsmith.files import fingerprint
from vecsmith.progress import track

BATCH = 1000
"""Rows that are sent or fetched at a time."""
FORMAT_VERSION = 1
MOST_HITS = 10_000
"""Rows that are looked for at a time: SQLite, in which ChromaDB keeps texts, takes no more than 32,766 names."""
MOST_LETTERS = 91
"""Of a collection's name, before its hash."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class StoredSet:
    """An embedding set in a store.

    Attributes
    ----------
    name : str
        Of its collection.
    rows, dimensions : int
        n and d.
    split : str
        The part of the dataset that it is, such as ``documents`` or ``test``; ``""`` for all of it.
    provenance : Provenance
        Where its vectors came from.
    complete : bool
        Whether it was put to the end; if not, putting it again goes on.
    """

    name: str
    rows: int
    dimensions: int
    split: str
    provenance: Provenance
    complete: bool


@dataclass(frozen=True)
class Hit:
    """A vector that a query found.

    Attributes
    ----------
    score : float
        The inner product.
    id : str
        Of its row.
    text : str or None
        What was embedded.
    """

    score: float
    id: str
    text: str | None


def _in_one_sentence(
    method: "Callable[Concatenate[EmbeddingStore, P], T]",
) -> "Callable[Concatenate[EmbeddingStore, P], T]":
    """Raise what ChromaDB raises, such as for a server that is gone, as an error for the user."""

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
    """Embedding sets in ChromaDB: in a folder of this machine, or on a server.

    Vectors are always given to ChromaDB, with inner product as the space, so it never loads a model.

    Parameters
    ----------
    where : str or Path
        A folder, or the URL of a server, such as ``http://localhost:8000``.
    make : bool
        Whether a folder that holds no store becomes one.

    Raises
    ------
    VecsmithError
        If chromadb is not installed, a file is named, or there is no server at the URL, no store in the folder or none
        can be.
    """

    def __init__(self, where: str | Path, make: bool = True) -> None:
        chromadb = require("chromadb", "stores")
        settings = chromadb.config.Settings(anonymized_telemetry=False)
        self.where = str(where)
        self.failures = (chromadb.errors.ChromaError, require("httpx", "stores").HTTPError)
        if not self.where.startswith(("http://", "https://")):
            if Path(where).is_file():
                raise VecsmithError(f"{where} is a file; name a folder.")
            if not make and not (Path(where) / "chroma.sqlite3").is_file():
                raise VecsmithError(f"There is no store in {self.where}; put a set there, or name another folder.")
            self._client = self._open_folder(chromadb, settings)
            return
        try:
            url = urlsplit(self.where)
            secure = url.scheme == "https"
            port = url.port or (443 if secure else 80)
            self._client = chromadb.HttpClient(url.hostname or "", port, ssl=secure, settings=settings)
        except (ValueError, OSError) as error:
            raise VecsmithError(
                f"There is no Chroma server at {self.where} ({error}); start one, or name a folder."
            ) from error

    @_in_one_sentence
    def _open_folder(self, chromadb: Any, settings: Any) -> Any:
        return chromadb.PersistentClient(self.where, settings=settings)

    @_in_one_sentence
    def put(self, embedded: EmbeddingSet, split: str = "") -> str:
        """Store a set, and return the name of its collection; a set that is there already is left as it is.

        Interrupted and called again, it goes on with the rows that are missing.

        Parameters
        ----------
        embedded : EmbeddingSet
            The set; its dataset, models, translator and content name the collection.
        split : str
            The part of the dataset that it is.

        Raises
        ------
        VecsmithError
            If the store has another collection of that name.
        """
        name = collection_name(embedded, split)
        about = {
            "vecsmith": FORMAT_VERSION,
            "provenance": json.dumps(asdict(embedded.provenance)),
            "description": description(embedded.provenance, split),
            "split": split,
            "rows": len(embedded),
            "dimensions": embedded.dimensions,
        }
        collection = self._client.get_or_create_collection(
            name,
            embedding_function=None,
            metadata={**about, "complete": False},
            configuration={"hnsw": {"space": "ip"}},
        )
        there = _stored(collection)
        if there is None:
            raise VecsmithError(f"{self.where} has a collection {name} that is no embedding set; give another store.")
        if there.complete:
            return name
        batches = range(collection.count() // BATCH * BATCH, len(embedded), BATCH)
        for start in track(batches, f"Storing {name}", len(batches)):
            rows = range(start, min(start + BATCH, len(embedded)))
            ids, texts = zip(*(embedded.rows[row] for row in rows), strict=True)
            collection.upsert(
                ids=list(ids),
                embeddings=np.asarray(embedded.stored(start, rows.stop), np.float32),
                documents=None if texts[0] is None else list(texts),
                metadatas=[{"row": row} for row in rows],
            )
        collection.modify(metadata={**about, "complete": True})
        return name

    @_in_one_sentence
    def sets(self) -> list[StoredSet]:
        """Return the sets of the store, by name; other collections are not listed."""
        stored = [_stored(collection) for collection in self._collections()]
        return sorted((each for each in stored if each is not None), key=lambda each: each.name)

    def _collections(self) -> Iterator[Any]:
        offset = 0
        while page := self._client.list_collections(limit=BATCH, offset=offset):
            yield from page
            offset += len(page)

    @_in_one_sentence
    def get(self, name: str) -> EmbeddingSet:
        """Return a set as it was put, in its dtype and the order of its rows.

        Raises
        ------
        VecsmithError
            If there is no such set, it was not put to the end, or rows were added or deleted since.
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
        for start in track(range(0, stored.rows, BATCH), f"Fetching {name}", -(-stored.rows // BATCH)):
            page = collection.get(limit=BATCH, offset=start, include=["embeddings", "documents", "metadatas"])
            for id_, vector, text, about in zip(
                page["ids"], page["embeddings"], page["documents"], page["metadatas"], strict=True
            ):
                row = about["row"]
                vectors[row], ids[row], texts[row] = vector, id_, text or ""
                has_texts = has_texts or text is not None
        return EmbeddingSet(vectors, ids, texts if has_texts else None, stored.provenance, f"{self.where}, {name}")

    @_in_one_sentence
    def query(self, name: str, Q: Vectors, k: int = 10) -> list[list[Hit]]:
        """Return the k nearest of each query (n, d), best first.

        The score is the inner product; ChromaDB's graph finds nearly all of the nearest.

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
        size = max(1, MOST_HITS // k)
        hits = []
        for start in range(0, len(queries), size):
            found = collection.query(
                query_embeddings=queries[start : start + size], n_results=k, include=["distances", "documents"]
            )
            hits += [
                [Hit(1 - distance, id_, text) for distance, id_, text in zip(*columns, strict=True)]
                for columns in zip(found["distances"], found["ids"], found["documents"], strict=True)
            ]
        return hits

    @_in_one_sentence
    def about(self, name: str) -> StoredSet:
        """Return what is known of a set.

        Raises
        ------
        VecsmithError
            If there is no such set, or it was not put to the end.
        """
        return self._find(name)[0]

    def _find(self, name: str) -> tuple[StoredSet, Any]:
        for collection in self._collections():
            stored = _stored(collection)
            if stored is not None and stored.name == name:
                if not stored.complete:
                    raise VecsmithError(f"{name} in {self.where} is unfinished; put the set again, and it goes on.")
                return stored, collection
        raise unknown("embedding set", name, [each.name for each in self.sets()])


def collection_name(embedded: EmbeddingSet, split: str = "") -> str:
    """Return a name of the letters that ChromaDB takes, which differs for sets that differ."""
    made = embedded.provenance
    models = [made.encoder.rpartition("/")[2]]
    if made.translator:
        models = [made.translated_from.rpartition("/")[2], "to", *models, _method(made)]
    reducers = made.reduced_by.partition(" ")[0]
    readable = "-".join(filter(None, (made.dataset, *models, reducers, split)))
    slug = re.sub(r"[^a-zA-Z0-9]+", "-", readable).strip("-")[-MOST_LETTERS:].strip("-") or "vectors"
    return f"{slug}-{fingerprint([made.key, embedded.fingerprint, split])[:8]}"


def description(provenance: Provenance, split: str = "") -> str:
    """Return what a set is, in words."""
    part = f", {split}" if split else ""
    model = provenance.space or "an unknown model"
    if provenance.translator:
        first = provenance.translated_from or "an unknown model"
        model = f"{first}, translated to {model} by {_method(provenance)}"
    return f"{provenance.dataset or 'texts'}{part}, by {model}"


def _method(provenance: Provenance) -> str:
    """Return the spec of the translator."""
    return provenance.translator.partition(" ")[0]


def _stored(collection: Any) -> StoredSet | None:
    about = collection.metadata or {}
    if about.get("vecsmith") != FORMAT_VERSION:
        return None
    provenance = Provenance(**json.loads(about["provenance"]))
    sizes = (about["rows"], about["dimensions"])
    return StoredSet(collection.name, *sizes, about["split"], provenance, about["complete"])
