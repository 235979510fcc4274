"""Progress of long tasks on standard error: a bar on a terminal, log lines otherwise, and estimated durations."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

T = TypeVar("T")

LOG_SECONDS = 30
"""Interval between log lines."""
LONG_SECONDS = 60
"""Minimum duration of tasks whose estimated duration is printed."""
SETTLED_SECONDS = 5
"""Minimum elapsed time before the duration is extrapolated."""


@contextmanager
def steps(description: str, total: int) -> Iterator[Callable[..., None]]:
    """Yield a function that counts the steps done, and show the progress on standard error.

    Parameters
    ----------
    description : str
        Short description of the task.
    total : int
        Number of steps.

    Yields
    ------
    callable
        Takes the number of further steps done, 1 by default, and text to append to the description.
    """
    if not sys.stderr.isatty():
        yield _Log(description, total).advance
        return
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=total)
        yield lambda count=1, note="": progress.update(task, advance=count, description=description + note)


def track(items: Iterable[T], description: str, total: int) -> Iterator[T]:
    """Yield items and show the progress, one step per item.

    Parameters
    ----------
    items : iterable
        The items.
    description : str
        Short description of the task.
    total : int
        Number of items.
    """
    with steps(description, total) as advance:
        for item in items:
            yield item
            advance()


@contextmanager
def losses(description: str, total: int) -> Iterator[Callable[..., None]]:
    """Yield a function that takes the training loss after each step, and optionally the loss on held-out vectors."""
    with steps(description, total) as advance:

        def report(loss: float, held_out: float | None = None) -> None:
            advance(1, f", loss {loss:.4f}" + ("" if held_out is None else f", held out {held_out:.4f}"))

        yield report


def announce(work: str, seconds: float) -> None:
    """Print the estimated duration of a task of a minute or more; `work` is the subject of the sentence."""
    if seconds >= LONG_SECONDS:
        _print(f"{work} takes about {duration(seconds)}.")


class _Log:
    """Log lines on standard error: one when the estimate exceeds `LONG_SECONDS`, then one every `LOG_SECONDS`."""

    def __init__(self, description: str, total: int) -> None:
        self.description = description
        self.total = total
        self.done = 0
        self.start = self.last = monotonic()
        self.announced = False

    def advance(self, count: int = 1, note: str = "") -> None:
        """Count `count` completed steps, and print a log line if it is due."""
        self.done += count
        now = monotonic()
        elapsed = now - self.start
        left = elapsed * (self.total - self.done) / self.done
        long = not self.announced and elapsed >= SETTLED_SECONDS and elapsed + left >= LONG_SECONDS
        if left > 0 and (long or now - self.last >= LOG_SECONDS):
            _print(
                f"{self.description}{note}: {self.done} of {self.total}, {duration(elapsed)} so far, about "
                f"{duration(left)} left"
            )
            self.last, self.announced = now, True


def duration(seconds: float) -> str:
    """Return a duration as text, in seconds, minutes or hours."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
