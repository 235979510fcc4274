"""The contract of stores, and their registry."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from vecsmith.array_types import Vectors
from vecsmith.codecs import Codec
from vecsmith.errors import unknown
from vecsmith.index import CodeSet, Scoring
from vecsmith.index.scoring import is_bit_code
from vecsmith.outputs import output_file
from vecsmith.plugins import Registry

Location = Literal["file", "folder", "server"]

STORES: Registry[type["Store"]] = Registry("vecsmith.stores")
"""Stores by name: one for each `Store` subclass in this package, and in the packages of the entry points."""


@dataclass(frozen=True)
class Collection:
    """Vectors read from a store.

    Attributes
    ----------
    ids : list of str
        Ids of the n vectors.
    texts : list of str or None
        Texts of the n vectors; None if the store has no texts.
    blocks : iterable of ndarray of shape (rows, d), float
        Blocks of vectors in the order of the ids.
    """

    ids: list[str]
    texts: list[str] | None
    blocks: Iterable[Vectors]


class Store(ABC):
    """A vector database, or a file format for vectors.

    A subclass with a `name` registers itself. Other packages add stores through entry points of the group
    ``vecsmith.stores``, whose value is a module that defines such a subclass. Modules of stores must not import the
    packages of the store before a method is called (see `vecsmith.errors.require`).

    Attributes
    ----------
    name : str
        Name of the store on the command line.
    location : {"file", "folder", "server"}
        Kind of the argument ``where``: a file, a folder, or the connection string of a server.
    packages : tuple of str
        Top-level Python packages whose exceptions are errors of the store, not of vecsmith.
    bit_codes_only : bool
        Whether the store accepts only codes of bits, which it compares by Hamming distance, besides decoded vectors.
    scoring : {"symmetric", "asymmetric"} or None
        How a search in the store scores queries against codes; None if the store cannot search.
    """

    name: ClassVar[str]
    location: ClassVar[Location]
    packages: ClassVar[tuple[str, ...]] = ()
    bit_codes_only: ClassVar[bool] = False
    scoring: ClassVar[Scoring | None] = None

    def __init_subclass__(cls) -> None:
        if "name" in vars(cls):
            STORES[cls.name] = cls

    @abstractmethod
    def export(self, codes: CodeSet, where: str, table: str, decoded: bool, force: bool) -> int | None:
        """Write codes, or decoded vectors, and return the bytes that they take; see `vecsmith.stores.export_codes`.

        Returns
        -------
        int or None
            Size of the file, or growth of the folder or table, in bytes; None if it is unknown.

        Raises
        ------
        VecsmithError
            If the table exists and `force` is false, or the file was not written by vecsmith.
        """

    @abstractmethod
    def read(self, where: str, table: str) -> Collection:
        """Read vectors, with ids and texts.

        Raises
        ------
        VecsmithError
            If there is no such file, folder or table, or it holds no float vectors.
        """

    def searches(self, codec: Codec) -> bool:
        """Return whether the store searches the codes of a codec, fitted or not, without decoding them."""
        return self.bit_codes_only and is_bit_code(codec)


class FileStore(Store):
    """A store that is one file, which is written atomically and has no tables."""

    location = "file"

    def export(self, codes: CodeSet, where: str, table: str, decoded: bool, force: bool) -> int:
        about = {"codec": codes.codec.spec, "rows": len(codes), "decoded": decoded}
        with output_file(Path(where), about, force) as path:
            self.write(codes, path, decoded)
        return Path(where).stat().st_size

    @abstractmethod
    def write(self, codes: CodeSet, path: Path, decoded: bool) -> None:
        """Write codes, or decoded vectors, to a new file."""


def store_named(name: str) -> Store:
    """Return the store of a name.

    Raises
    ------
    VecsmithError
        If there is no such store; the message has the nearest name.
    """
    if name not in STORES:
        raise unknown("store", name, STORES)
    return STORES[name]()


def searching_stores() -> tuple[str, ...]:
    """Return the names of the stores that can search."""
    return tuple(name for name, store in STORES.items() if store.scoring is not None)
