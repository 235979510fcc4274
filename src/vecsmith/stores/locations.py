"""Folders and files that a store reads or writes."""

from pathlib import Path

from vecsmith.errors import VecsmithError
from vecsmith.outputs import follow


def existing_folder(where: str) -> str:
    """Return a folder to read from, or a URL.

    Raises
    ------
    VecsmithError
        If the folder does not exist; a database would create it.
    """
    if "://" not in where and not Path(where).is_dir():
        raise VecsmithError(f"There is no folder {where}.")
    return where


def new_folder(where: str) -> Path:
    """Return a folder to write to, with links resolved.

    Raises
    ------
    VecsmithError
        If it is a file.
    """
    folder = follow(Path(where))
    if folder.is_file():
        raise VecsmithError(f"{where} is a file; give a folder.")
    return folder


def folder_bytes(where: str) -> int | None:
    """Return the size in bytes of all files below a folder: 0 if there is no folder, None for a URL."""
    if "://" in where:
        return None
    return sum(file.stat().st_size for file in Path(where).rglob("*") if file.is_file())


def folder_growth(where: str, before: int | None) -> int | None:
    """Return the growth in bytes of a folder since `folder_bytes` returned `before`; None for a URL."""
    after = folder_bytes(where)
    return None if after is None or before is None else after - before
