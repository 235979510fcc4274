"""The files and folders that a user names for output: what may be replaced, links, and concurrent writers.

vecsmith replaces only what it wrote itself, unless it is forced to:

- A folder is vecsmith's if its manifest has the expected kind and names every file in the folder.
- A single file is vecsmith's if the receipt beside it, ``NAME.vecsmith.json``, has its SHA-256.

A link is followed: the link stays, and the folder or file that it points to is replaced.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from vecsmith.errors import VecsmithError
from vecsmith.files import locked, read_manifest, replacing, replacing_folder, seal, sha256_of

MANIFESTS = ("manifest.json", "config.json")
"""Names that the manifest of a folder may have."""
RECEIPT = "exported file"
RECEIPT_VERSION = 1
LOCK = ".vecsmith.lock"
"""The file in a folder that is locked while the folder is written in several steps."""


@contextmanager
def output_folder(path: Path, kind: str | None, force: bool = False) -> Iterator[Path]:
    """Write a folder whole or not at all, and replace only a folder of the same kind (see `check_folder`).

    Yields
    ------
    Path
        A temporary folder beside `path`, which takes its place when the block ends without an exception. The block
        writes the manifest, which names all files.

    Raises
    ------
    VecsmithError
        As `check_folder`; or if another process replaces the folder during the block.
    """
    folder = check_folder(path, kind, force)
    before = _identity(folder)
    with ExitStack() as last, replacing_folder(folder) as beside:
        yield beside
        last.enter_context(locked(folder.parent, wait=True))
        check_folder(folder, kind, force)  # something else may have been put there in the meantime
        _check_unchanged(folder, before, force)


@contextmanager
def output_file(path: Path, about: Mapping[str, Any], force: bool = False) -> Iterator[Path]:
    """Write a single file whole or not at all, with a receipt beside it, and replace only files with a receipt.

    Parameters
    ----------
    path : Path
        The file.
    about : mapping
        What the receipt says of the file besides its hash; JSON-serializable.
    force : bool
        Replace a file that vecsmith did not write.

    Yields
    ------
    Path
        A temporary file beside `path`, which takes its place when the block ends without an exception.

    Raises
    ------
    VecsmithError
        As `check_file`; or if another process replaces the file during the block.
    """
    path = check_file(path, force)
    before = _identity(path)
    with ExitStack() as last, replacing(path) as beside:
        yield beside
        last.enter_context(locked(path.parent, wait=True))
        check_file(path, force)
        _check_unchanged(path, before, force)
        # Written before the rename, so that a process killed in between leaves the old file with a receipt, too.
        hashes = {path.name: sha256_of(beside)}
        replaced = sha256_of(path) if path.exists() else None
        seal(_receipt(path), RECEIPT, RECEIPT_VERSION, {**about, "replaced": replaced}, hashes)


def check_folder(path: Path, kind: str | None, force: bool = False) -> Path:
    """Refuse to replace a folder that vecsmith did not write, and return the folder that a link leads to.

    Parameters
    ----------
    path : Path
        The folder; it may be missing.
    kind : str or None
        What the folder may hold already, such as ``"codec"``; None for nothing.
    force : bool
        Replace whatever is there, but for the current folder and the home folder.

    Raises
    ------
    VecsmithError
        If `path` is a file, holds something else, or has a file that its manifest does not name; or if it is a link
        to a missing folder.
    """
    folder = follow(path)
    if not folder.exists():
        return folder
    if folder.is_file():
        if not force:
            raise VecsmithError(f"{path} is a file; give a folder, or --force (force=True) to replace the file.")
        return folder
    kept = [(Path.cwd(), "current")]
    with suppress(RuntimeError):  # there is no home
        kept.append((Path.home(), "home"))
    for inside, name in kept:
        if inside.resolve().is_relative_to(folder.resolve()):
            raise VecsmithError(f"{path} contains the {name} folder, which cannot be replaced; give a new folder.")
    if force or all(file.name == LOCK for file in folder.iterdir()):
        return folder
    named = _named_files(folder, kind)
    if named is None:
        raise occupied(path)
    files = (file for file in folder.rglob("*") if file.is_symlink() or not file.is_dir())
    if others := sorted({file.relative_to(folder).as_posix() for file in files} - named):
        raise VecsmithError(
            f"{path} holds {others[0]}, which vecsmith did not write; give another folder, or --force (force=True) to "
            "replace all of it."
        )
    return folder


def check_file(path: Path, force: bool = False) -> Path:
    """Refuse to replace a file that vecsmith did not write, and return the file that a link leads to.

    Parameters
    ----------
    path : Path
        The file; it may be missing.
    force : bool
        Replace whatever file is there.

    Raises
    ------
    VecsmithError
        If `path` is a folder or a link to a missing file, or if it has no receipt, or was changed after it was written.
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
    """Return the file or folder that a link leads to; `path` itself if it is no link.

    Raises
    ------
    VecsmithError
        If `path`, or a folder above it, is a link to something that is missing, or a folder above it is a file.
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
    """Return the error for a folder that holds something else."""
    return VecsmithError(
        f"{path} already holds something else; give another folder, or --force (force=True) to replace it."
    )


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Keep other processes and threads from writing to a folder during the block; a missing folder is made.

    Raises
    ------
    VecsmithError
        If another process or thread is in such a block.
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _exclusive(folder / LOCK, folder):
            yield
    finally:
        for empty in made:
            with suppress(OSError):
                empty.rmdir()


@contextmanager
def reserved(path: Path) -> Iterator[None]:
    """Keep other processes and threads from preparing the same output during the block.

    Unlike `only_writer` it leaves the output itself alone: the lock is a hidden file beside it, which the end of the
    block removes. Nothing is locked where no file can be made beside the output; writing it then says why.

    Raises
    ------
    VecsmithError
        If another process or thread is in such a block.
    """
    path = path.absolute()
    if not os.access(path.parent, os.W_OK | os.X_OK):
        yield
        return
    with _exclusive(path.with_name(f".{path.name}{LOCK}"), path):
        yield


@contextmanager
def _exclusive(lock: Path, output: Path) -> Iterator[None]:
    """Hold a lock file, which is removed at the end, or raise a VecsmithError if it is held."""
    with ExitStack() as held:
        while True:
            lock.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # the lock of a process that ends at this moment
                lock.touch()
                if held.enter_context(locked(lock)) is False:
                    raise VecsmithError(f"Another process writes to {output}; wait for it, or give another output.")
                break
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _check_unchanged(path: Path, before: tuple[int, int] | None, force: bool) -> None:
    """Refuse to replace what another writer has put at a path since its identity was `before`."""
    if _identity(path) != before and not force:
        raise VecsmithError(f"{path} was replaced by another writer in the meantime; it stays as that writer left it.")


def _identity(path: Path) -> tuple[int, int] | None:
    """Return the inode and the time of change, which tell an output from its successor; None if it is missing."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def _receipt(file: Path) -> Path:
    return file.with_name(f"{file.name}.vecsmith.json")


def _is_received(file: Path, receipt: Path) -> bool:
    """Whether a file has one of the hashes in its receipt."""
    try:
        content = read_manifest(receipt, RECEIPT, RECEIPT_VERSION, trusting=True)
    except VecsmithError:
        return False
    return sha256_of(file) in (content["files"].get(file.name), content["replaced"])


def _named_files(folder: Path, kind: str | None) -> set[str] | None:
    """Return the names of the files in a folder's manifest of some kind, and the manifest's own; None without one."""
    for name in MANIFESTS:
        if kind is not None and (named := _named_in(folder / name, kind)) is not None:
            return {name, *named}
    return None


def _named_in(manifest: Path, kind: str) -> set[str] | None:
    """Return the names of the files in a manifest of some kind; None for another file."""
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
        return set(content["files"]) if content["kind"] == kind else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
