"""Run a function in worker processes with one thread each."""

import os
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import TypeVar

from vecsmith.progress import track

Argument = TypeVar("Argument", bound=Hashable)
Value = TypeVar("Value")

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def run_in_processes(
    function: Callable[[Argument], Value],
    arguments: Sequence[Argument],
    description: str,
    workers: int | None = None,
    observer: Callable[[list[Value]], None] | None = None,
) -> list[Value]:
    """Call a function for each argument in worker processes and return the values in the order of the arguments.

    Parameters
    ----------
    function : callable
        A function that can be imported by name.
    arguments : sequence
        Arguments, which must be hashable and picklable.
    description : str
        Description of the work for the progress bar.
    workers : int, optional
        Number of processes; by default, the number of cores.
    observer : callable, optional
        Called after each value with all values so far, in the order of the arguments.
    """
    values: dict[Argument, Value] = {}
    processes = min(workers or os.cpu_count() or 1, len(arguments))
    with _one_thread(), ProcessPoolExecutor(processes, get_context("spawn"), _exit_with_parent) as pool:
        futures = {pool.submit(function, argument): argument for argument in arguments}
        try:
            for future in track(as_completed(futures), description, len(futures)):
                values[futures[future]] = future.result()
                if observer is not None:
                    observer([values[argument] for argument in arguments if argument in values])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [values[argument] for argument in arguments]


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
