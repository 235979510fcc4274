"""Manifests: JSON files with the kind and format version of a folder, and a SHA-256 per file."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vecsmith.errors import VecsmithError
from vecsmith.files import fingerprint, sha256_of, write_text

MISSING = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
"""Errors of reading a missing file; another process may remove or replace a folder at any time."""


def write_manifest(path: Path, kind: str, version: int, content: Mapping[str, Any], files: Sequence[str]) -> None:
    """Write a manifest: a JSON file with its own SHA-256 and those of other files in its folder.

    Parameters
    ----------
    path : Path
        The manifest; `files` are in the same folder.
    kind : str
        Kind of the folder's content, such as ``"codec"``.
    version : int
        Version of the folder's format.
    content : dict
        Further entries of the manifest.
    files : list of str
        Names of the files whose SHA-256 is recorded.
    """
    seal(path, kind, version, content, {name: sha256_of(path.parent / name) for name in files})


def seal(path: Path, kind: str, version: int, content: Mapping[str, Any], hashes: Mapping[str, str]) -> None:
    """Write a manifest as `write_manifest` does, with known hashes of the files.

    Parameters
    ----------
    path, kind, version, content
        As in `write_manifest`.
    hashes : dict of str to str
        SHA-256 of each file, by name.
    """
    write_text(path, sealed(kind, version, content, hashes))


def sealed(kind: str, version: int, content: Mapping[str, Any], hashes: Mapping[str, str]) -> str:
    """Return the text of a manifest with its own SHA-256; parameters as for `seal`."""
    manifest = {"kind": kind, "format_version": version, **content, "files": dict(hashes)}
    return json.dumps({**manifest, "sha256": fingerprint(manifest)}, indent=2) + "\n"


def read_manifest(path: Path, kind: str, version: int, verify: bool = True) -> dict[str, Any]:
    """Read a manifest, and check its own hash, that its files exist, and their hashes.

    Parameters
    ----------
    path : Path
        The manifest.
    kind : str
        Expected kind of the folder's content.
    version : int
        Newest version of the format that the caller supports.
    verify : bool
        Check the hashes of the files, which reads them all. Otherwise the files must only exist.

    Returns
    -------
    dict
        The entries of the manifest, without its own hash.

    Raises
    ------
    VecsmithError
        If the manifest is missing, damaged, of another kind, or has a newer format version; or if a file is missing or
        has another hash.
    """
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        checksum = manifest.pop("sha256")
        found_kind, found_version = manifest["kind"], manifest["format_version"]
        files = dict(manifest["files"])
    except MISSING as error:
        folder = path.parent
        state = f"there is no {path.name} in it" if folder.is_dir() else "it is a file"
        reason = state if folder.exists() else "it does not exist"
        raise VecsmithError(f"{folder} holds no {kind}: {reason}.") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise VecsmithError(f"{path} is damaged or is not a manifest of vecsmith; write it again.") from error
    if found_kind != kind:
        raise VecsmithError(f"{path.parent} is of kind {found_kind!r}, not {kind!r}.")
    if isinstance(found_version, int) and found_version > version:
        raise VecsmithError(
            f"{path} has format version {found_version}, but this vecsmith reads versions up to {version}; "
            "upgrade vecsmith."
        )
    if checksum != fingerprint(manifest):
        raise VecsmithError(f"{path} is damaged: its content does not match its own hash; write it again.")
    _check_names(path.parent, files)
    if verify:
        for name, expected in files.items():
            _check_file(path.parent / name, expected)
    return dict(manifest)


def manifest_version(folder: Path) -> tuple[int, int] | None:
    """Return the inode and modification time of a folder's manifest, which change when the folder is replaced."""
    try:
        manifest = (folder / "manifest.json").stat()
    except OSError:
        return None
    return manifest.st_ino, manifest.st_mtime_ns


def is_of_kind(path: Path, kind: str) -> bool:
    """Return whether a manifest names this kind of content; its hashes are not checked."""
    try:
        return bool(json.loads(path.read_text(encoding="utf-8")).get("kind") == kind)
    except (OSError, ValueError, AttributeError):
        return False


def _check_names(folder: Path, names: Iterable[str]) -> None:
    """Check that files exist; one listing of the folder is faster than a look at each of thousands of files."""
    present = set(os.listdir(folder))  # noqa: PTH208
    for name in names:
        if name not in present and not (folder / name).is_file():
            raise missing(folder / name)


def missing(path: Path) -> VecsmithError:
    """Return the error of a file that a manifest names, but that does not exist."""
    return VecsmithError(f"{path} is missing although its manifest names it; write the folder again.")


def _check_file(path: Path, expected: str) -> None:
    try:
        actual = sha256_of(path)
    except MISSING as error:
        raise missing(path) from error
    if actual != expected:
        raise VecsmithError(f"{path} is damaged: its hash does not match the manifest; write the folder again.")
