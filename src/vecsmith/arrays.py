"""Reading and writing of ``.npy`` and safetensors files."""

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from vecsmith.errors import VecsmithError

_header_lock = threading.Lock()


def open_npy(path: Path) -> NDArray[Any]:
    """Memory-map an ``.npy`` file; other formats and pickles are refused, unlike in `numpy.load`.

    A lock lets one thread at a time parse a header, because NumPy parses it with `ast.literal_eval`, which is not
    thread-safe in Python 3.11: it raises ``SystemError: AST constructor recursion depth mismatch`` now and then.
    """
    with _header_lock:
        return np.lib.format.open_memmap(path, mode="r")


def write_npy(path: Path, rows: int, blocks: Iterable[NDArray[Any]]) -> None:
    """Write an ``.npy`` file from blocks of rows.

    The file is not memory-mapped, because on a full disk a write to a file raises `OSError`, whereas a write to a
    memory map ends the process with a signal.

    Parameters
    ----------
    path : Path
        The file.
    rows : int
        Total number of rows.
    blocks : iterable of ndarray
        Consecutive rows, all with the same dtype and width.

    Raises
    ------
    VecsmithError
        If the blocks do not have `rows` rows in total, or differ in dtype or width.
    """
    first, written = None, 0
    with path.open("wb") as file:
        for block in blocks:
            if first is None:
                first = block[:0]
                header = {"descr": np.lib.format.dtype_to_descr(block.dtype), "fortran_order": False}
                np.lib.format.write_array_header_1_0(file, {**header, "shape": (rows, *block.shape[1:])})
            if block.dtype != first.dtype or block.shape[1:] != first.shape[1:]:
                raise VecsmithError(
                    f"{path.name} has rows of {first.dtype} {first.shape[1:]}, but was given {block.dtype} "
                    f"{block.shape[1:]}; give blocks of one dtype and width."
                )
            file.write(np.ascontiguousarray(block).data)
            written += len(block)
    if written != rows:
        raise VecsmithError(f"{path.name} should have {rows} rows, but {written} were given; give one for every id.")


def write_weights(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a safetensors file with the permissions of the process's umask.

    `safetensors.numpy.save_file` is not used, because only the owner may read its files, and because it does not raise
    `OSError` on a full disk.
    """
    path.write_bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))
