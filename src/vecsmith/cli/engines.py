"""Options of commands that work on many files or in buckets, on one machine or on Ray."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vecsmith.errors import VecsmithError

if TYPE_CHECKING:
    from vecsmith.distributed.engines import Engine

EngineOption = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="ENGINE",
        help="Work file by file, in threads of this process (local) or on Ray (ray), and write a part for each file; "
        "default: local for a URI such as s3://bucket/folder and for Lance, otherwise one set in one folder.",
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray-address", metavar="ADDRESS", help="Ray cluster, such as auto; default: a new instance on this machine."
    ),
]
NumGpus = Annotated[
    float, typer.Option("--num-gpus", metavar="N", min=0, help="GPUs of each worker of Ray, such as 1 or 0.5.")
]


def works_on_files(engine: str | None, *where: str | Path) -> bool:
    """Return whether a command works file by file: an engine is named, or a location is a URI or a Lance dataset."""
    from vecsmith.distributed.locations import is_uri

    return engine is not None or any(is_uri(each) or str(each).rstrip("/").endswith(".lance") for each in where)


@contextmanager
def opened_engine(
    engine: str | None, ray_address: str | None, num_gpus: float = 0, threads: int | None = None
) -> Iterator["Engine"]:
    """Open the engine that the options name, and close it after the block.

    Raises
    ------
    VecsmithError
        If the engine is unknown or cannot start, or options of Ray are given for another engine.
    """
    from vecsmith.distributed.engines import LocalEngine, RayEngine, ray_session

    if engine == "ray":
        with ray_session(ray_address):
            yield RayEngine(ray_address, num_gpus)
        return
    if engine not in (None, "local"):
        raise VecsmithError(f"There is no engine {engine!r}; take local or ray.")
    if ray_address or num_gpus:
        raise VecsmithError("--ray-address and --num-gpus are options of --engine ray; add it, or leave them out.")
    yield LocalEngine(threads)


def only_one(vectors: Sequence[str]) -> str:
    """Return the only set of vectors, since fusing works on one machine's sets alone.

    Raises
    ------
    VecsmithError
        If there are several.
    """
    if len(vectors) != 1:
        raise VecsmithError(
            f"--engine and URIs take the vectors of one model, but got {len(vectors)} sets; fuse local sets without "
            "--engine."
        )
    return vectors[0]


def refuse_with_files(**options: object) -> None:
    """Refuse options that do not work file by file.

    Raises
    ------
    VecsmithError
        If one of them is given.
    """
    if given := next((name for name, value in options.items() if value), None):
        raise VecsmithError(
            f"--{given.replace('_', '-')} needs the whole set on one machine; leave it out, or give a local set "
            "without --engine."
        )
