"""Stores that take codes or decoded vectors, and give vectors: one file each, with `export` and `read`."""

from vecsmith.stores.base import (
    SEARCHING_STORES,
    STORES,
    Collection,
    Exported,
    export_codes,
    import_set,
    scoring_of,
    searches,
)

__all__ = [
    "SEARCHING_STORES",
    "STORES",
    "Collection",
    "Exported",
    "export_codes",
    "import_set",
    "scoring_of",
    "searches",
]
