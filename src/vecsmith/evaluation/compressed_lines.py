"""Files of compressed JSON lines beside the results."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from vecsmith.errors import VecsmithError
from vecsmith.evaluation.results import to_json
from vecsmith.files import replacing

T = TypeVar("T")


def write_lines(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    """Write objects as JSON lines that gzip compresses, atomically."""
    text = "".join(to_json(line) + "\n" for line in lines)
    with replacing(path) as temporary:
        # without the time, so that the same content gives the same bytes
        temporary.write_bytes(gzip.compress(text.encode(), mtime=0))


def read_lines(path: Path, kind: str, read: Callable[[dict[str, Any]], T]) -> list[T]:
    """Read the objects that `write_lines` wrote.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        Name of the objects for errors, such as ``"rankings of queries"``.
    read : callable
        Makes an object of the content of a line.

    Raises
    ------
    VecsmithError
        If the file cannot be read, or a line of it has another format.
    """
    try:
        return [read(json.loads(line)) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
    except (OSError, EOFError, zlib.error, ValueError, TypeError, KeyError, AttributeError) as error:
        raise VecsmithError(f"{path} cannot be read as {kind} ({error}); run the command again.") from error
