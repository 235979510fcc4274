"""Clients and collections of Chroma, for the store ``chroma`` and for `EmbeddingStore`.

Collections have no embedding function, since Chroma's default one downloads a model, and telemetry is off.
"""

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from vecsmith.errors import VecsmithError, require

Metric = Literal["cosine", "ip"]
"""Distance of a collection: 1 − cosine for exports, whose users may query with vectors of any length; 1 − inner
product (``ip``) for embedding sets, whose vectors are stored as they are."""


def open_folder(folder: str) -> Any:
    """Return a client of the database in a folder, which is created if necessary."""
    return require("chromadb", "stores").PersistentClient(folder, settings=_settings())


def connect(url: str) -> Any:
    """Return a client of a server.

    Raises
    ------
    VecsmithError
        If no server answers at the URL.
    """
    chromadb = require("chromadb", "stores")
    try:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        return chromadb.HttpClient(parts.hostname or "", port, ssl=secure, settings=_settings())
    except (ValueError, OSError) as error:
        raise VecsmithError(f"There is no Chroma server at {url} ({error}); start one, or name a folder.") from error


def create_collection(
    client: Any, name: str, metric: Metric, metadata: Mapping[str, Any], exist_ok: bool = False
) -> Any:
    """Create a collection.

    Parameters
    ----------
    client : chromadb client
        Where to create it.
    name : str
        Name of the collection.
    metric : {"cosine", "ip"}
        Distance of its vectors.
    metadata : mapping
        Metadata of the collection.
    exist_ok : bool
        Whether to return an existing collection of this name unchanged.
    """
    create = client.get_or_create_collection if exist_ok else client.create_collection
    configuration = {"hnsw": {"space": metric}}
    return create(name, metadata=dict(metadata), configuration=configuration, embedding_function=None)


def open_collection(client: Any, name: str) -> Any:
    """Return an existing collection."""
    return client.get_collection(name, embedding_function=None)


def _settings() -> Any:
    return require("chromadb.config", "stores").Settings(anonymized_telemetry=False)
