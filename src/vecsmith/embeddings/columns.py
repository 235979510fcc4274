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


def chosen_text_columns(
    names: Sequence[str], text: str | None, ids: str | None, source: str, has_certain_names: bool = True
) -> tuple[str | None, str | None, str]:
    """Return the columns of ids, titles and texts of a table; titles are put before the texts.

    Parameters
    ----------
    names : sequence of str
        Columns of the table.
    text, ids : str or None
        Given columns; columns with a usual name otherwise. A given column of texts has no titles.
    source : str
        Name of the table in errors.
    has_certain_names : bool
        False for CSV files, whose first line may be data instead of column names.

    Returns
    -------
    ids, title : str or None
        None if there is no such column.
    text : str

    Raises
    ------
    VecsmithError
        If a given column is missing, or no column has a usual name of texts.
    """
    chosen_ids = ids or usual_column(names, ID_NAMES)
    title = None if text else usual_column(names, ("title",))
    chosen_text = text or usual_column(names, TEXT_NAMES)
    others = [name for name in names if name not in (chosen_ids, title)]
    if chosen_text is None and len(others) == 1 and (chosen_ids or has_certain_names):
        [chosen_text] = others
    if chosen_text is None:
        raise VecsmithError(
            f"{source} has the columns {listed(names)}, none of which is called 'text'; give the column of the texts "
            "with --text-column, and the column of the ids with --id-column."
        )
    for column in (chosen_ids, title, chosen_text):
        if column is not None:
            known_column(names, column, source)
    return chosen_ids, title, chosen_text


def listed(names: Sequence[str]) -> str:
    """Return column names joined for a sentence, such as ``'a', 'b' and 'c'``."""
    *first, last = map(repr, names)
    return f"{', '.join(first)} and {last}" if first else last
