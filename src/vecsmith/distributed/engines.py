"""Engines: run the work on all shards in threads of this process, or on Ray Data."""

import logging
import os
import pickle
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Protocol, TypeVar

import faiss
import pyarrow as pa

from vecsmith.codecs.stages import single_threaded_pool
from vecsmith.errors import VecsmithError, require
from vecsmith.progress import track

T = TypeVar("T")
Work = Callable[[int], T]
"""Work on the shard with a number."""

CONNECTION_SECONDS = 10
"""Maximum time to reach the host of a cluster."""


class Engine(Protocol):
    """Runs work on shards."""

    def run(self, work: Work[T], count: int, description: str) -> Iterator[T]:
        """Yield the results of `work` for the numbers from 0 to `count` − 1, in any order, and show the progress."""


@dataclass(frozen=True)
class LocalEngine:
    """Threads of this process, as many as ``faiss.omp_set_num_threads`` sets.

    Attributes
    ----------
    threads : int or None
        Number of threads; 1 for work that uses all cores itself.
    """

    threads: int | None = None

    def run(self, work: Work[T], count: int, description: str) -> Iterator[T]:
        """Yield the results in order; see `Engine`."""
        threads = min(self.threads or faiss.omp_get_max_threads(), count)
        if threads <= 1:
            yield from track(map(work, range(count)), description, count)
            return
        with single_threaded_pool(threads) as pool:
            try:
                yield from track(pool.map(work, range(count)), description, count)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


@dataclass(frozen=True)
class RayEngine:
    """Ray Data: a pool of actors, each of which works on one shard at a time.

    A shard whose actor was killed is worked on again by another actor.

    Attributes
    ----------
    address : str or None
        Address of a Ray cluster, such as ``auto`` or ``ray://host:10001``; None for a new instance on this machine.
    num_gpus : float
        GPUs per actor, for encoders.
    """

    address: str | None = None
    num_gpus: float = 0

    def run(self, work: Work[T], count: int, description: str) -> Iterator[T]:
        """Yield the results in the order in which they are ready; see `Engine`."""
        with ray_session(self.address) as ray:
            resources = ray.cluster_resources()
            available = resources.get("GPU", 0) / self.num_gpus if self.num_gpus else resources.get("CPU", 1)
            if available < 1:
                raise VecsmithError(
                    f"The Ray cluster has {resources.get('GPU', 0):g} GPUs, but --num-gpus asks for {self.num_gpus:g}."
                )
            numbers = ray.data.from_items([{"number": number} for number in range(count)], override_num_blocks=count)
            results = numbers.map_batches(
                ShardWorker,
                batch_size=1,
                fn_constructor_args=(pickle.dumps(work), versions()),
                compute=ray.data.ActorPoolStrategy(size=min(count, int(available))),
                num_gpus=self.num_gpus or None,
            )
            batches = results.iter_batches(batch_size=1, batch_format="pyarrow", prefetch_batches=0)
            try:
                for batch in track(batches, description, count):
                    yield pickle.loads(batch["result"][0].as_py())
            except ray.exceptions.RayError as error:
                raise _failure(error) from error


class ShardWorker:
    """The class that Ray Data calls: the work on the shards whose numbers are in a batch."""

    def __init__(self, work: bytes, driver: dict[str, str]) -> None:
        if versions() != driver:
            raise VecsmithError(
                f"The cluster runs {_listed(versions())}, but this machine runs {_listed(driver)}; install the same "
                "versions on both."
            )
        self.work = pickle.loads(work)

    def __call__(self, batch: dict[str, Any]) -> pa.Table:
        """Return the pickled results."""
        return pa.table({"result": [pickle.dumps(self.work(int(number))) for number in batch["number"]]})


@contextmanager
def ray_session(address: str | None = None) -> Iterator[Any]:
    """Connect to Ray during the block, or start an instance on this machine; a connection that is there is used.

    Ray's usage reports are off, and its own progress bars and logs are not shown.

    Raises
    ------
    VecsmithError
        If Ray is not installed, or the cluster cannot be reached or has another version of Python or Ray.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    ray = require("ray", "ray")
    require("ray.data", "ray")
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    began = not ray.is_initialized()
    if began:
        try:
            if address and ":" in address:
                # Ray itself waits for minutes
                host, port = address.removeprefix("ray://").rsplit(":", 1)
                socket.create_connection((host, int(port)), CONNECTION_SECONDS).close()
            ray.init(address=address or "local", include_dashboard=False, log_to_driver=False, logging_level="error")
        except (OSError, RuntimeError, ValueError) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise VecsmithError(f"No connection to Ray at {address or 'this machine'}: {reason}") from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.raise_original_map_exception = True
    try:
        yield ray
    finally:
        if began:
            ray.shutdown()


def versions() -> dict[str, str]:
    """Return the versions that the driver and the workers must share."""
    return {"Python": ".".join(map(str, sys.version_info[:2])), "vecsmith": version("vecsmith")}


def _listed(given: dict[str, str]) -> str:
    return " and ".join(f"{name} {number}" for name, number in given.items())


def _failure(error: Exception) -> VecsmithError:
    """Return the error of a worker, or a sentence about a worker that died."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, VecsmithError):
            return cause
        cause = getattr(cause, "cause", None) or cause.__cause__
    reason = next((line for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
    return VecsmithError(f"Ray could not finish the work ({reason.strip()}); run the command again to continue.")
