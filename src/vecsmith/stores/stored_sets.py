"""Embedding sets in Chroma: the name and metadata of their collections."""

import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from vecsmith.embeddings import EmbeddingSet, Provenance
from vecsmith.files import fingerprint

FORMAT_VERSION = 1
MAX_READABLE_NAME = 91
"""Maximum number of characters of a collection's name before its hash."""


@dataclass(frozen=True)
class StoredSet:
    """Metadata of an embedding set in a store.

    Attributes
    ----------
    name : str
        Name of its collection.
    rows, dimensions : int
        Number of vectors n and dimensions d.
    split : str
        Split of the dataset, such as ``documents`` or ``test``; ``""`` for the whole dataset.
    provenance : Provenance
        Provenance of its vectors.
    complete : bool
        Whether all rows are stored; storing an incomplete set again continues where it was interrupted.
    """

    name: str
    rows: int
    dimensions: int
    split: str
    provenance: Provenance
    complete: bool


def metadata_of(embedded: EmbeddingSet, split: str) -> dict[str, Any]:
    """Return the metadata of a collection for an embedding set, except ``complete``."""
    return {
        "vecsmith": FORMAT_VERSION,
        "provenance": json.dumps(asdict(embedded.provenance)),
        "description": description(embedded.provenance, split),
        "split": split,
        "rows": len(embedded),
        "dimensions": embedded.dimensions,
    }


def stored_set(collection: Any) -> StoredSet | None:
    """Return the embedding set of a Chroma collection; None for a collection of another kind."""
    metadata = collection.metadata or {}
    if metadata.get("vecsmith") != FORMAT_VERSION:
        return None
    provenance = Provenance(**json.loads(metadata["provenance"]))
    sizes = (metadata["rows"], metadata["dimensions"])
    return StoredSet(collection.name, *sizes, metadata["split"], provenance, metadata["complete"])


def collection_name(embedded: EmbeddingSet, split: str = "") -> str:
    """Return a collection name that Chroma accepts: dataset, models, split, and a hash of provenance and content."""
    provenance = embedded.provenance
    models = [provenance.encoder.rpartition("/")[2]]
    if provenance.translator:
        models = [provenance.translated_from.rpartition("/")[2], "to", *models, _translator_spec(provenance)]
    reducers = provenance.reduced_by.partition(" ")[0]
    readable = "-".join(filter(None, (provenance.dataset, *models, reducers, split)))
    slug = re.sub(r"[^a-zA-Z0-9]+", "-", readable).strip("-")[-MAX_READABLE_NAME:].strip("-") or "vectors"
    return f"{slug}-{fingerprint([provenance.key, embedded.fingerprint, split])[:8]}"


def description(provenance: Provenance, split: str = "") -> str:
    """Return a description of an embedding set: its dataset, split and models."""
    part = f", {split}" if split else ""
    model = provenance.space or "an unknown model"
    if provenance.translator:
        source = provenance.translated_from or "an unknown model"
        model = f"{source}, translated to {model} by {_translator_spec(provenance)}"
    return f"{provenance.dataset or 'texts'}{part}, by {model}"


def _translator_spec(provenance: Provenance) -> str:
    return provenance.translator.partition(" ")[0]
