"""Run a function in worker processes with one thread each."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import TypeVar

from vecsmith.progress import track

Argument = TypeVar("Argument")
Value = TypeVar("Value")

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def run_in_processes(
    function: Callable[[Argument], Value], arguments: Sequence[Argument], description: str, workers: int | None = None
) -> Iterator[Value]:
    """Call a function for each argument in worker processes, and yield each value as soon as it is there.

    Parameters
    ----------
    function : callable
        A function that can be imported by name.
    arguments : sequence
        Arguments, which must be picklable.
    description : str
        Description of the work for the progress bar.
    workers : int, optional
        Number of processes; by default, the number of cores.
    """
    processes = min(workers or os.cpu_count() or 1, len(arguments))
    with _one_thread(), ProcessPoolExecutor(processes, get_context("spawn"), _exit_with_parent) as pool:
        waiting = {pool.submit(function, argument) for argument in arguments}
        try:
            for future in track(as_completed(waiting), description, len(waiting)):
                waiting.discard(future)  # a value is not kept longer than the caller needs it
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _exit_with_parent() -> None:
    """End this process when its parent ends, because the workers of a killed parent would wait for work forever."""
    if parent := parent_process():

        def watch() -> None:
            parent.join()
            os._exit(1)

        Thread(target=watch, daemon=True).start()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Set the environment so that new processes compute on one thread each."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
