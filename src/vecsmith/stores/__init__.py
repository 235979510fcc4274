"""Stores: vector databases and file formats that take codes or decoded vectors, and give vectors; one file each."""

from vecsmith.stores.base import STORES, Collection, FileStore, Store, searching_stores, store_named
from vecsmith.stores.transfer import Exported, export_codes, import_set

__all__ = [
    "STORES",
    "Collection",
    "Exported",
    "FileStore",
    "Store",
    "export_codes",
    "import_set",
    "searching_stores",
    "store_named",
]
