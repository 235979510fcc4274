"""Reading and writing of ``.npy`` files."""

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


def npy_shape(file: Any, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read the header of an open ``.npy`` file, and return the shape and dtype.

    Parameters
    ----------
    file : file object
        The file, which may lie on any file system; it is left behind the header.
    name : str
        Name of the file in errors.

    Raises
    ------
    VecsmithError
        If the file is no ``.npy`` file of rows in sequence.
    """
    try:
        with _header_lock:
            version = np.lib.format.read_magic(file)
            read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}[version[0]]
            shape, column_order, dtype = read(file)
    except (ValueError, KeyError, OSError) as error:
        raise VecsmithError(f"{name} is not an .npy file ({error}); write it again.") from error
    if column_order or dtype.hasobject:
        raise VecsmithError(f"{name} must have plain values, row after row; write it again with numpy.save.")
    return shape, dtype


def npy_blocks(file: Any, rows: int, name: str) -> Iterator[NDArray[Any]]:
    """Yield the rows of an open ``.npy`` file in blocks of at most `rows`; other parameters as for `npy_shape`.

    Raises
    ------
    VecsmithError
        Also if the file is shorter than its header says.
    """
    shape, dtype = npy_shape(file, name)
    for start in range(0, shape[0], rows):
        block = min(rows, shape[0] - start), *shape[1:]
        size = dtype.itemsize * int(np.prod(block))
        content = file.read(size)
        if len(content) < size:
            raise VecsmithError(f"{name} is shorter than its header says; write it again.")
        yield np.frombuffer(content, dtype).reshape(block)
