"""Progress of long work on standard error: a bar on a terminal, log lines elsewhere, and estimates of the duration."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

T = TypeVar("T")

LOG_SECONDS = 30
"""Seconds between two log lines."""
LONG_SECONDS = 60
"""Work that takes at least this many seconds is announced with an estimate."""
SETTLED_SECONDS = 5
"""Seconds of work from which its duration is extrapolated at the earliest."""


def track(items: Iterable[T], description: str, total: int) -> Iterator[T]:
    """Yield `items` and show the progress on standard error.

    Parameters
    ----------
    items : iterable
        The items of the work.
    description : str
        The work, in a few words.
    total : int
        Number of items.
    """
    if not sys.stderr.isatty():
        log = _Log(description, total)
        for item in items:
            yield item
            log.advance()
        return
    with Progress(console=Console(stderr=True), transient=True) as progress:
        yield from progress.track(items, description=description, total=total)


@contextmanager
def losses(description: str, total: int) -> Iterator[Callable[..., None]]:
    """Yield a function that takes the loss after each training step, and show progress and loss as `track` does.

    A loss on held-out vectors may be its second argument.

    Parameters
    ----------
    description : str
        The model that is fitted, in a few words.
    total : int
        Maximum number of steps.
    """

    def said(loss: float, held_out: float | None) -> str:
        return f"{description}, loss {loss:.4f}" + ("" if held_out is None else f", held out {held_out:.4f}")

    if not sys.stderr.isatty():
        log = _Log(description, total)
        yield lambda loss, held_out=None: log.advance(said(loss, held_out))
        return
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=total)
        yield lambda loss, held_out=None: progress.update(task, advance=1, description=said(loss, held_out))


def announce(work: str, seconds: float) -> None:
    """Print the estimated duration of work that takes a minute or more; `work` is the sentence's subject."""
    if seconds >= LONG_SECONDS:
        _print(f"{work} takes about {_duration(seconds)}.")


class _Log:
    """Log lines on standard error: one as soon as the work turns out to be long, then one every `LOG_SECONDS`."""

    def __init__(self, description: str, total: int) -> None:
        self.description = description
        self.total = total
        self.done = 0
        self.start = self.last = monotonic()
        self.announced = False

    def advance(self, description: str = "") -> None:
        """Count one item."""
        self.done += 1
        now = monotonic()
        elapsed = now - self.start
        left = elapsed * (self.total - self.done) / self.done
        long = not self.announced and elapsed >= SETTLED_SECONDS and elapsed + left >= LONG_SECONDS
        if left > 0 and (long or now - self.last >= LOG_SECONDS):
            _print(
                f"{description or self.description}: {self.done} of {self.total}, {_duration(elapsed)} so far, about "
                f"{_duration(left)} left"
            )
            self.last, self.announced = now, True


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
