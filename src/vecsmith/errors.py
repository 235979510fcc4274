"""Errors that a user sees: one sentence that says what is wrong, where, and what to do."""

import difflib
import errno
import importlib
from collections.abc import Iterable
from types import ModuleType

FULL = {getattr(errno, name) for name in ("ENOSPC", "EDQUOT") if hasattr(errno, name)}
FULL_SENTENCES = ("no space left on device", "disk is full", "disk quota exceeded")


class VecsmithError(Exception):
    """Bad usage or bad input.

    The message is one sentence for the user: what is wrong, in which file or argument, and what to do.
    The command line prints it without a traceback and exits with code 2.
    """


class VecsmithWarning(UserWarning):
    """Something that a user should know although the work goes on.

    Python code raises it through `warnings.warn`; the command line prints the sentence once on stderr.
    """


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an exception, or one that it was raised from, says that a disk or a quota is full.

    Libraries with file access of their own, such as FAISS, SQLite and LanceDB, say so only in their message.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        if any(sentence in str(error).lower() for sentence in FULL_SENTENCES):
            return True
        error = error.__cause__ or error.__context__
    return False


def unknown(kind: str, name: str, known: Iterable[str]) -> VecsmithError:
    """Return the error for a name that does not exist, with the nearest one that does.

    Parameters
    ----------
    kind : str
        What was looked for, such as ``"codec"``.
    name : str
        What the user wrote.
    known : iterable of str
        The names that exist.
    """
    choices = list(known)
    nearest = difflib.get_close_matches(name, choices, n=1, cutoff=0.4)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join(choices) or 'none'}."
    return VecsmithError(f"Unknown {kind} {name!r}: {hint}")


def require(module: str, extra: str) -> ModuleType:
    """Import an optional module, or say which extra brings it.

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
