"""Errors and warnings for users: one sentence with the problem, the file or argument, and the remedy."""

import difflib
import errno
import importlib
from collections.abc import Iterable
from types import ModuleType

DISK_FULL_CODES = {getattr(errno, name) for name in ("ENOSPC", "EDQUOT") if hasattr(errno, name)}
DISK_FULL_MESSAGES = ("no space left on device", "disk is full", "disk quota exceeded")


class VecsmithError(Exception):
    """Bad usage or bad input.

    The message is one sentence: the problem, the file or argument, and the remedy. The command line prints it without
    a traceback and exits with code 2.
    """


class VecsmithWarning(UserWarning):
    """A problem that does not stop the work.

    It is issued by `warnings.warn`. The command line prints each message once on standard error.
    """


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an exception, or its cause or context, reports a full disk or quota.

    FAISS, SQLite and LanceDB report it only in the message.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in DISK_FULL_CODES:
            return True
        if any(message in str(error).lower() for message in DISK_FULL_MESSAGES):
            return True
        error = error.__cause__ or error.__context__
    return False


def unknown(kind: str, name: str, known: Iterable[str]) -> VecsmithError:
    """Return the error for an unknown name, with the nearest known name.

    Parameters
    ----------
    kind : str
        Kind of the named object, such as ``"codec"``.
    name : str
        The unknown name.
    known : iterable of str
        The known names.
    """
    choices = list(known)
    nearest = difflib.get_close_matches(name, choices, n=1, cutoff=0.4)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join(choices) or 'none'}."
    return VecsmithError(f"Unknown {kind} {name!r}: {hint}")


def require(module: str, extra: str) -> ModuleType:
    """Import an optional module, or name the extra that installs it.

    Parameters
    ----------
    module : str
        The module to import.
    extra : str
        The extra of vecsmith that installs it.

    Raises
    ------
    VecsmithError
        If the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise VecsmithError(
            f"This needs {module}, which cannot be imported ({error}); install it with: pip install 'vecsmith[{extra}]'"
        ) from error
