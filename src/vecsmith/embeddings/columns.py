"""Common names of the columns of ids, texts and vectors."""

from collections.abc import Sequence

from vecsmith.errors import VecsmithError, unknown

ID_NAMES = ("_id", "id", "ids", "uuid")
TEXT_NAMES = ("text", "texts", "content", "contents", "body", "passage", "document", "sentence", "query", "question")
VECTOR_NAMES = ("vector", "vectors", "embedding", "embeddings")


def usual_column(names: Sequence[str], usual: Sequence[str]) -> str | None:
    """Return the first column of a table that has one of the usual names, ignoring case; None if there is none."""
    by_lower = {name.lower(): name for name in reversed(names)}
    return next((by_lower[name] for name in usual if name in by_lower), None)


def known_column(names: Sequence[str], column: str, source: str) -> str:
    """Return a column, after checking that a table has it.

    Parameters
    ----------
    names : sequence of str
        Columns of the table.
    column : str
        Name of the column.
    source : str
        Name of the table in errors.

    Raises
    ------
    VecsmithError
        If the table has no such column, or two of them.
    """
    if column not in names:
        raise unknown(f"column of {source}", column, names)
    if names.count(column) > 1:
        raise VecsmithError(f"{source} has two columns {column!r}; rename one.")
    return column


def listed(names: Sequence[str]) -> str:
    """Return column names joined for a sentence, such as ``'a', 'b' and 'c'``."""
    *first, last = map(repr, names)
    return f"{', '.join(first)} and {last}" if first else last
