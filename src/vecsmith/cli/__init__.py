"""The command line: parses arguments, calls the library and prints the result."""

import sys
import traceback
import warnings
from typing import Any

from vecsmith.cli import measure, report, vectors, inspect, fit, search, stores, store, translate, migrate  # isort: skip  # noqa: F401 - in the order of the help
from vecsmith.cli import tune, tune_data, tune_model, listings  # isort: skip  # noqa: F401
from vecsmith.cli.app import app, debugging, say
from vecsmith.errors import VecsmithError, VecsmithWarning, is_disk_full

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line: exit code 0 for success, 2 for bad usage or bad input, 1 for an internal error."""
    _print_warnings()
    try:
        app()
    except VecsmithError as error:
        sys.exit(_complain(error, str(error), 2))
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        if is_disk_full(error):
            sys.exit(_complain(error, _full(where), 2))
        sys.exit(_complain(error, f"The operating system reports: {error.strerror or error}{where}.", 2))
    except MemoryError as error:
        sys.exit(_complain(error, "There is not enough memory for this; give fewer or smaller vectors.", 2))
    except Exception as error:
        if is_disk_full(error):
            sys.exit(_complain(error, _full(), 2))
        hint = "" if debugging() else " (--debug before the command shows the traceback)"
        sentence = f"This is a bug in vecsmith, please report it: {type(error).__name__}: {error}{hint}"
        sys.exit(_complain(error, sentence, 1))


def _full(where: str = "") -> str:
    return f"The disk is full{where}; make room and run the command again."


def _print_warnings() -> None:
    """Print each `VecsmithWarning` once, as a plain sentence; warnings of other packages are shown as usual."""
    show, printed = warnings.showwarning, set[str]()
    warnings.simplefilter("always", VecsmithWarning)

    def print_once(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        sentence = str(message)
        if not issubclass(category, VecsmithWarning):
            show(message, category, *where, **more)
        elif sentence not in printed:
            printed.add(sentence)
            say(f"vecsmith: {sentence}")

    warnings.showwarning = print_once


def _complain(error: Exception, sentence: str, code: int) -> int:
    if debugging():
        traceback.print_exception(error)
    say(f"vecsmith: {sentence}")
    return code
