"""Output files and folders: what may be replaced, symbolic links, and concurrent writers.

vecsmith replaces only files and folders that it wrote, unless `force` is given:

- vecsmith wrote a folder if the manifest has the expected kind and names every file in the folder.
- vecsmith wrote a single file if a receipt in the same folder, ``NAME.vecsmith.json``, has its SHA-256.

A symbolic link is followed: the link stays, and its target is replaced.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from vecsmith.errors import VecsmithError
from vecsmith.files import locked, replacing, replacing_folder, sha256_of
from vecsmith.manifests import read_manifest, seal

MANIFESTS = ("manifest.json", "config.json")
"""Possible names of a folder's manifest."""
RECEIPT = "exported file"
"""Kind of the manifest that is the receipt of a file."""
RECEIPT_VERSION = 1
LOCK = ".vecsmith.lock"
"""Name of the lock file of a folder that is written in several steps."""


@contextmanager
def output_folder(path: Path, kind: str | None, force: bool = False) -> Iterator[Path]:
    """Write a folder atomically, and replace only a folder of the same kind.

    Parameters
    ----------
    path, kind, force
        As for `check_folder`.

    Yields
    ------
    Path
        A temporary folder, which replaces `path` when the block ends without an exception. The block must write a
        manifest that names all files.

    Raises
    ------
    VecsmithError
        If `check_folder` refuses `path`, or another process replaces the folder during the block.
    """
    folder = check_folder(path, kind, force)
    before = _identity(folder)
    with ExitStack() as last, replacing_folder(folder) as staging:
        yield staging
        last.enter_context(locked(folder.parent, wait=True))
        check_folder(folder, kind, force)  # another process may have written there in the meantime
        _check_unchanged(folder, before, force)


@contextmanager
def output_file(path: Path, about: Mapping[str, Any], force: bool = False) -> Iterator[Path]:
    """Write a single file and its receipt atomically, and replace only a file that has a receipt.

    Parameters
    ----------
    path : Path
        The file.
    about : mapping
        Further entries of the receipt; JSON-serializable.
    force : bool
        Replace a file that vecsmith did not write.

    Yields
    ------
    Path
        A temporary file, which replaces `path` when the block ends without an exception.

    Raises
    ------
    VecsmithError
        If `check_file` refuses `path`, or another process replaces the file during the block.
    """
    path = check_file(path, force)
    before = _identity(path)
    with ExitStack() as last, replacing(path) as staging:
        yield staging
        last.enter_context(locked(path.parent, wait=True))
        check_file(path, force)
        _check_unchanged(path, before, force)
        # The receipt is written before the file is renamed and has both hashes, so that it is valid for the old file if
        # the process is killed in between.
        hashes = {path.name: sha256_of(staging)}
        replaced = sha256_of(path) if path.exists() else None
        seal(_receipt(path), RECEIPT, RECEIPT_VERSION, {**about, "replaced": replaced}, hashes)


def check_folder(path: Path, kind: str | None, force: bool = False) -> Path:
    """Refuse to replace a folder that vecsmith did not write, and return the target of a link.

    Parameters
    ----------
    path : Path
        The folder; it need not exist.
    kind : str or None
        Kind of folder that may be replaced, such as ``"codec"``; None for none.
    force : bool
        Replace any folder except one that contains the current folder or the home folder.

    Raises
    ------
    VecsmithError
        If `path` is a file, a link to a missing folder, a folder of another kind, or contains a file that its manifest
        does not name.
    """
    folder = follow(path)
    if not folder.exists():
        return folder
    if folder.is_file():
        if not force:
            raise VecsmithError(f"{path} is a file; give a folder, or --force (force=True) to replace the file.")
        return folder
    protected = [(Path.cwd(), "current")]
    with suppress(RuntimeError):  # the user has no home folder
        protected.append((Path.home(), "home"))
    for inside, name in protected:
        if inside.resolve().is_relative_to(folder.resolve()):
            raise VecsmithError(f"{path} contains the {name} folder, which cannot be replaced; give a new folder.")
    if force or all(file.name == LOCK for file in folder.iterdir()):
        return folder
    known = _known_files(folder, kind)
    if known is None:
        raise occupied(path)
    files = (file for file in folder.rglob("*") if file.is_symlink() or not file.is_dir())
    if others := sorted({file.relative_to(folder).as_posix() for file in files} - known):
        raise VecsmithError(
            f"{path} holds {others[0]}, which vecsmith did not write; give another folder, or --force (force=True) to "
            "replace all of it."
        )
    return folder


def check_file(path: Path, force: bool = False) -> Path:
    """Refuse to replace a file that vecsmith did not write, and return the target of a link.

    Parameters
    ----------
    path : Path
        The file; it need not exist.
    force : bool
        Replace any file.

    Raises
    ------
    VecsmithError
        If `path` is a folder or a link to a missing file, has no receipt, or has changed since vecsmith wrote it.
    """
    file = follow(path)
    if file.is_dir():
        raise VecsmithError(f"{path} is a folder; give a file.")
    if force:
        return file
    receipt = _receipt(file)
    if file.exists() and not _is_received(file, receipt):
        raise VecsmithError(
            f"{path} exists and is not a file that vecsmith wrote, or was changed since; give another name, or "
            "--force (force=True) to replace it."
        )
    if receipt.exists() and not _named_in(receipt, RECEIPT):
        raise VecsmithError(
            f"{receipt} is in the way: it is not a receipt that vecsmith wrote; give another name, or --force "
            "(force=True) to replace it."
        )
    return file


def follow(path: Path) -> Path:
    """Return the target of a symbolic link, or `path` itself if it is not a link.

    Raises
    ------
    VecsmithError
        If `path` or a parent folder is a link with a missing target, or a parent is a file.
    """
    if above := next(filter(Path.is_file, path.parents), None):
        raise VecsmithError(f"{above} is a file, so nothing can be written inside it; give another path.")
    for link in (path, *path.parents):
        if link.is_symlink() and not link.exists():
            raise VecsmithError(
                f"{link} is a link to {link.readlink()}, which does not exist; create it, or remove the link."
            )
    return path.resolve() if path.is_symlink() else path


def occupied(path: Path) -> VecsmithError:
    """Return the error for a folder with other content."""
    return VecsmithError(
        f"{path} already holds something else; give another folder, or --force (force=True) to replace it."
    )


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Lock a folder against other writers during the block, and create it if it is missing.

    Raises
    ------
    VecsmithError
        If another process or thread holds the lock.
    """
    created = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _exclusive(folder / LOCK, folder):
            yield
    finally:
        for empty in created:
            with suppress(OSError):
                empty.rmdir()


@contextmanager
def reserved(path: Path) -> Iterator[None]:
    """Lock an output during the block, so that no other process or thread prepares the same output.

    The lock is a hidden file next to the output, which is removed at the end of the block; the output itself does not
    change. No lock is created in a folder without write permission, because writing the output will raise an error.

    Raises
    ------
    VecsmithError
        If another process or thread holds the lock.
    """
    path = path.absolute()
    if not os.access(path.parent, os.W_OK | os.X_OK):
        yield
        return
    with _exclusive(path.with_name(f".{path.name}{LOCK}"), path):
        yield


@contextmanager
def _exclusive(lock: Path, output: Path) -> Iterator[None]:
    """Hold a lock file during the block, and remove it afterwards; raise a VecsmithError if another writer holds it."""
    with ExitStack() as held:
        while True:
            lock.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # another process may remove the lock file at this moment
                lock.touch()
                if held.enter_context(locked(lock)) is False:
                    raise VecsmithError(f"Another process writes to {output}; wait for it, or give another output.")
                break
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _check_unchanged(path: Path, before: tuple[int, int] | None, force: bool) -> None:
    """Refuse to replace an output that another writer has changed since its identity was `before`."""
    if _identity(path) != before and not force:
        raise VecsmithError(f"{path} was replaced by another writer in the meantime; it stays as that writer left it.")


def _identity(path: Path) -> tuple[int, int] | None:
    """Return the inode and the modification time, which change when an output is replaced; None if it is missing."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def _receipt(file: Path) -> Path:
    return file.with_name(f"{file.name}.vecsmith.json")


def _is_received(file: Path, receipt: Path) -> bool:
    """Return whether the hash of a file is in its receipt."""
    try:
        content = read_manifest(receipt, RECEIPT, RECEIPT_VERSION, verify=False)
    except VecsmithError:
        return False
    return sha256_of(file) in (content["files"].get(file.name), content["replaced"])


def _known_files(folder: Path, kind: str | None) -> set[str] | None:
    """Return the names of a folder's manifest of this kind and of the files in it; None without such a manifest."""
    for name in MANIFESTS:
        if kind is not None and (named := _named_in(folder / name, kind)) is not None:
            return {name, *named}
    return None


def _named_in(manifest: Path, kind: str) -> set[str] | None:
    """Return the names of the files in a manifest of this kind; None for any other file."""
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
        return set(content["files"]) if content["kind"] == kind else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
