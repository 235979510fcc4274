"""The contract of query generators, and their registry."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from vecsmith.errors import unknown
from vecsmith.plugins import Loader, Registry


class Passage(NamedTuple):
    """A passage of a corpus; the text begins with the title, which is empty if none is known."""

    title: str
    text: str


class Generator(ABC):
    """Base class of generators, which make queries that passages answer.

    Each subclass has its own file, which registers it in `GENERATORS`. A subclass loads its model when it reads the
    first passage.

    Attributes
    ----------
    spec : str
        Spec that names this generator, such as ``"extract"``.
    block_passages : int
        Passages per call of `generate`, whose result is stored as a whole.
    workers : int
        Number of calls at the same time.
    is_stored : bool
        Whether the queries are kept in the cache, because they take long or cost money.
    """

    spec: str
    block_passages: ClassVar[int] = 1
    workers: ClassVar[int] = 1
    is_stored: ClassVar[bool] = True

    @property
    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """All settings that the queries depend on, besides the passages and the seed; JSON-serializable."""

    @abstractmethod
    def generate(self, passages: Sequence[Passage], count: int, seed: int) -> list[list[str]]:
        """Return up to `count` queries for each passage, which need not be usable.

        Parameters
        ----------
        passages : sequence of Passage
            The passages.
        count : int
            Queries per passage.
        seed : int
            Random seed of this call.
        """

    def positive(self, query: str, passage: Passage) -> str:
        """Return the text that a query is trained to find: the passage."""
        return passage.text


GENERATORS: Registry[Loader[Generator]] = Registry("vecsmith.tune.generators")
"""Kinds of generators by the prefix of their specs; `Loader.load` takes the rest of the spec."""


def load_generator(spec: str) -> Generator:
    """Return the generator that a spec names, such as ``extract``, ``t5:MODEL`` or ``chat:MODEL@URL``.

    Raises
    ------
    VecsmithError
        If the generator is unknown, or the spec is malformed.
    """
    prefix, colon, rest = spec.partition(":")
    usages = [loader.usage for loader in GENERATORS.values()]
    if prefix not in GENERATORS or (not rest and (colon or ":" in GENERATORS[prefix].usage.partition("[")[0])):
        raise unknown("generator", spec, usages)
    return GENERATORS[prefix].load(rest)
