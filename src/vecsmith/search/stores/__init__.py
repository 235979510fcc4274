"""Stores that take codes or decoded vectors, and give vectors: one file each, with `export` and `read`."""

from vecsmith.search.stores.base import STORES, Collection, Exported, export_codes, import_set

__all__ = ["STORES", "Collection", "Exported", "export_codes", "import_set"]
