"""Registries of named methods, and the entry points through which other packages add to them."""

import importlib
import pkgutil
import threading
import warnings
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from vecsmith.errors import VecsmithWarning

T = TypeVar("T")

_loaded: set[str] = set()
_lock = threading.RLock()  # reentrant, since a module may read a registry while it is imported


def load_entry_points(group: str) -> None:
    """Load every entry point of a group, once in a process.

    The value of an entry point is a module that registers a method when it is imported, such as
    ``my_package.my_codec``. An entry point that fails to load is left out, with a `VecsmithWarning` that names its
    package.

    Parameters
    ----------
    group : str
        The group, such as ``"vecsmith.codecs"``.
    """
    with _lock:
        if f"entry points {group}" in _loaded:
            return
        _loaded.add(f"entry points {group}")
        for point in entry_points(group=group):
            try:
                point.load()
            except Exception as error:
                package = point.dist.name if point.dist else point.module
                warnings.warn(
                    f"The entry point {point.name} ({group}) of the package {package} cannot be loaded and is left out "
                    f"({type(error).__name__}: {error}); upgrade or uninstall {package}.",
                    VecsmithWarning,
                    stacklevel=2,
                )


def import_modules(package: str) -> None:
    """Import every module of a package, once in a process, so that each registers its methods.

    Modules whose names begin with an underscore register none and may need packages that are not installed.
    """
    with _lock:
        if package not in _loaded:
            _loaded.add(package)
            for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
                if not module.name.startswith(f"{package}._"):
                    importlib.import_module(module.name)


class Registry(MutableMapping[str, T]):
    """Methods of one kind by name.

    A module registers its method by assignment, ``ENCODERS["st"] = …``. The first lookup or iteration imports every
    module of the package and loads the entry points of the group of the same name. They are not loaded earlier, so
    that a plugin may import anything from vecsmith.

    Parameters
    ----------
    package : str
        Name of the package and of the group of entry points, such as ``"vecsmith.encoders"``.
    """

    def __init__(self, package: str) -> None:
        self._package = package
        self._entries: dict[str, T] = {}

    def _complete(self) -> dict[str, T]:
        import_modules(self._package)
        load_entry_points(self._package)
        return self._entries

    def __getitem__(self, name: str) -> T:
        return self._complete()[name]

    def __setitem__(self, name: str, entry: T) -> None:
        self._entries[name] = entry

    def __delitem__(self, name: str) -> None:
        del self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._complete())

    def __len__(self) -> int:
        return len(self._complete())


@dataclass(frozen=True)
class Loader(Generic[T]):
    """A kind of specs, such as ``st:NAME``, and the function that loads the object that such a spec names.

    Attributes
    ----------
    usage : str
        How to write the spec: a prefix, a colon and a placeholder such as ``st:NAME``; or a word without a colon.
    summary : str
        Description of the encoder or task, in one line for the listing.
    load : callable
        Takes the text after the prefix and the colon, and for encoders the options; returns the object.
    """

    usage: str
    summary: str
    load: Callable[..., T]
