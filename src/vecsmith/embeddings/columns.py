"""Usual names of columns that hold ids, texts and vectors."""

from collections.abc import Sequence

from vecsmith.errors import VecsmithError, unknown

ID_NAMES = ("_id", "id", "ids", "uuid")
TEXT_NAMES = ("text", "texts", "content", "contents", "body", "passage", "document", "sentence", "query", "question")
VECTOR_NAMES = ("vector", "vectors", "embedding", "embeddings")


def usual_column(names: Sequence[str], usual: Sequence[str]) -> str | None:
    """Return the first of some usual names that a table has, in whatever case; None where it has none of them."""
    by_lower = {name.lower(): name for name in reversed(names)}
    return next((by_lower[name] for name in usual if name in by_lower), None)


def known_column(names: Sequence[str], column: str, source: str) -> str:
    """Return a column that the user named, or refuse it.

    Raises
    ------
    VecsmithError
        If the table has no such column, or two.
    """
    if column not in names:
        raise unknown(f"column of {source}", column, names)
    if names.count(column) > 1:
        raise VecsmithError(f"{source} has two columns {column!r}; rename one.")
    return column


def listed(names: Sequence[str]) -> str:
    """Return the names of columns as part of a sentence, such as ``'a', 'b' and 'c'``."""
    *first, last = map(repr, names)
    return f"{', '.join(first)} and {last}" if first else last
