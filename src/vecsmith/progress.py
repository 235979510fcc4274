"""A progress bar for long work: on standard error, and only on a terminal."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

T = TypeVar("T")


def track(items: Iterable[T], description: str, total: int) -> Iterator[T]:
    """Yield `items`, with a progress bar on standard error when that is a terminal.

    Parameters
    ----------
    items : iterable
        What to go through.
    description : str
        What is being done, a few words.
    total : int
        How many items there are.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    with Progress(console=Console(stderr=True), transient=True) as progress:
        yield from progress.track(items, description=description, total=total)
