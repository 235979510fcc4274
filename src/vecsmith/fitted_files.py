"""Files of fitted codecs and translators: ``config.json`` and ``weights.safetensors``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from vecsmith.errors import VecsmithError
from vecsmith.manifests import read_manifest, write_manifest

CONFIG, WEIGHTS = "config.json", "weights.safetensors"
"""File names of the manifest, which has the parameters, and of the fitted arrays."""


def write_fitted(
    folder: Path, kind: str, version: int, content: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write parameters and fitted arrays to an existing folder.

    Parameters
    ----------
    folder : Path
        The folder.
    kind : {"codec", "translator"}
        Kind of the folder's content.
    version : int
        Version of the format.
    content : dict
        Parameters; JSON-serializable.
    arrays : dict of str to ndarray
        Fitted arrays by name.
    """
    # `safetensors.numpy.save_file` is not used, because only the owner may read its files, and because it does not
    # raise `OSError` on a full disk
    (folder / WEIGHTS).write_bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))
    write_manifest(folder / CONFIG, kind, version, content, [WEIGHTS])


def read_fitted(folder: Path, kind: str, version: int) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read parameters and fitted arrays, without executing code from the files.

    Parameters
    ----------
    folder : Path
        The folder.
    kind : {"codec", "translator"}
        Expected kind of the folder's content.
    version : int
        Newest version of the format that the caller supports.

    Returns
    -------
    content : dict
        The entries of ``config.json``.
    arrays : dict of str to ndarray
        Fitted arrays by name.

    Raises
    ------
    VecsmithError
        If the folder has no content of this kind, is damaged, or has a newer format version.
    """
    content = read_manifest(folder / CONFIG, kind, version)
    try:
        return content, load_file(folder / WEIGHTS)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise VecsmithError(f"{folder} is not a valid {kind} ({error}); save it again.") from error
