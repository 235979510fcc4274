"""Files of arrays: ``.npy`` and safetensors."""

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from vecsmith.errors import VecsmithError

_one_header_at_a_time = threading.Lock()


def open_npy(path: Path) -> NDArray[Any]:
    """Memory-map an ``.npy`` file; unlike `numpy.load`, take no other format, and no pickle, for it.

    NumPy parses the header with `ast.literal_eval`, which fails now and then in Python 3.11 when two threads are in
    it (``SystemError: AST constructor recursion depth mismatch``: they share the count of the depth), so that threads
    which open indexes take turns here.
    """
    with _one_header_at_a_time:
        return np.lib.format.open_memmap(path, mode="r")


def write_npy(path: Path, rows: int, blocks: Iterable[NDArray[Any]]) -> None:
    """Write an ``.npy`` file of `rows` rows, which come in blocks of one dtype and width.

    The file is written, not memory-mapped: on a full disk, a write raises `OSError`, but a store to a memory map ends
    the process with a signal.

    Raises
    ------
    VecsmithError
        If the blocks have more or fewer rows than announced, or differ in dtype or width.
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
    """Write a safetensors file, readable as the process's umask says.

    (`safetensors.numpy.save_file` makes a file that only its owner may read, and raises other exceptions than `OSError`
    on a full disk.)
    """
    path.write_bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))
