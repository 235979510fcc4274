"""A progress bar for long work: on standard error, and only on a terminal."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
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


@contextmanager
def losses(description: str, total: int) -> Iterator[Callable[..., None]]:
    """Yield a function to be told the loss after every step, which a progress bar like that of `track` shows.

    A loss on held-out vectors may be its second argument.

    Parameters
    ----------
    description : str
        What is being fitted, a few words.
    total : int
        Most steps that there may be.
    """
    if not sys.stderr.isatty():
        yield lambda *values: None
        return
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=total)

        def report(loss: float, held_out: float | None = None) -> None:
            after = "" if held_out is None else f", held out {held_out:.4f}"
            progress.update(task, advance=1, description=f"{description}, loss {loss:.4f}{after}")

        yield report
