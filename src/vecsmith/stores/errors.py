"""Errors of stores, and exceptions of their packages as errors for the user."""

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from vecsmith.errors import VecsmithError, is_disk_full


def table_exists(where: str, kind: str, table: str) -> VecsmithError:
    """Return the error for a table or collection that exists already."""
    return VecsmithError(
        f"{where} has a {kind} {table!r} already; give another --table, or --force (force=True) to replace it."
    )


def missing_vector(where: str, id_: str) -> VecsmithError:
    """Return the error for a row without a vector."""
    return VecsmithError(f"{where} has no vector for the id {id_!r}; give it one, or delete that row.")


@contextmanager
def reporting_errors(store: str, packages: Sequence[str]) -> Iterator[None]:
    """Turn exceptions that the packages of a store raise, such as for an invalid table name, into `VecsmithError`.

    A full disk, other `OSError` and exceptions that vecsmith raises pass unchanged.

    Parameters
    ----------
    store : str
        Name of the store, for the error.
    packages : sequence of str
        Packages whose exceptions are turned.
    """
    try:
        yield
    except VecsmithError:
        raise
    except Exception as error:
        if isinstance(error, OSError) or is_disk_full(error) or not _is_raised_by(error, packages):
            raise
        reason = str(error).strip().partition("\n")[0].rsplit("Error: ")[-1].rstrip(".")
        raise VecsmithError(f"{store} refuses: {reason}.") from error


def _is_raised_by(error: Exception, packages: Sequence[str]) -> bool:
    """Return whether the innermost frame of an exception that is vecsmith's or the packages' is the packages'."""
    frames = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    roots = [name.partition(".")[0] for name in frames]
    return next((root in packages for root in reversed(roots) if root in (*packages, "vecsmith")), False)
