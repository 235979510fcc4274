"""Modules of compiled loops, which are used where numba is installed (extra ``fast``)."""

from functools import cache
from importlib import import_module
from types import ModuleType


@cache
def compiled_module(name: str) -> ModuleType | None:
    """Return a module of compiled loops, or None where it cannot be used."""
    try:
        return import_module(name)
    except (ImportError, RuntimeError):  # no numba, no such CPU, or no folder where numba may store compiled loops
        return None
