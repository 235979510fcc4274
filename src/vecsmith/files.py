"""Atomic writes of files and folders, and checksummed manifests."""

import ctypes
import errno
import glob
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vecsmith.errors import VecsmithError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

MISSING = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
"""What reading a file raises where there is none, perhaps since a moment ago: a folder may be replaced meanwhile."""

ABANDONED_AFTER = 60.0
"""Seconds after which what a process was writing may be removed, if it has not locked it."""


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(content: Any) -> str:
    """Return the SHA-256 of a JSON-serializable object in its canonical form."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file so that a reader sees the old one or the new one, whole, whatever happens in between.

    Yields the path of a temporary file beside `path`. When the block ends well, the file is synced and renamed
    to `path`; when it fails, it is removed and `path` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = _hidden(path, "partial")
    _remove_abandoned(path)
    try:
        beside.touch()
        with locked(beside):
            yield beside
            with beside.open("rb") as file:
                os.fsync(file.fileno())
            beside.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        _name(error, beside, path)
        raise
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Like `replacing`, for a whole folder of files written in the block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside, before = _hidden(path, "partial"), _hidden(path, "before")
    _remove_abandoned(path)
    # one of the same number may have been killed here just now
    remove(beside)
    try:
        beside.mkdir()
        with locked(beside):
            yield beside
            for inner in beside.rglob("*"):
                if inner.is_dir():
                    _sync_folder(inner)
                else:
                    with inner.open("rb") as file:
                        os.fsync(file.fileno())
            while not _moved(beside, path, before):
                pass
        _sync_folder(path.parent)
    except OSError as error:
        _name(error, beside, path)
        raise
    finally:
        if before.exists() and not path.exists():
            before.rename(path)
        remove(before)
        remove(beside)


def _moved(beside: Path, path: Path, before: Path) -> bool:
    """Put a folder in the place of another, which is moved out of the way; False if a third got there first."""
    if path.exists():
        if _exchange(beside, path):
            return True
        remove(before)
        path.rename(before)
    try:
        beside.rename(path)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        return False
    return True


def _name(error: OSError, beside: Path, path: Path) -> None:
    """Let an error name what was to be written, rather than a temporary file or nothing."""
    if error.filename is None or Path(str(error.filename)).is_relative_to(beside):
        error.filename = str(path)


def _hidden(path: Path, suffix: str) -> Path:
    """Return a path beside another that no other thread of any process here writes to."""
    return path.with_name(f".{path.name}.{os.getpid()}.{threading.get_native_id()}.{suffix}")


@contextmanager
def locked(path: Path, wait: bool = False) -> Iterator[bool | None]:
    """Lock a file or folder during the block, between processes and threads; a process that is killed releases it.

    Parameters
    ----------
    path : Path
        The file or folder.
    wait : bool
        Wait for the lock of another.

    Yields
    ------
    bool or None
        False if another holds the lock, None if the system or the file system has no locks.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or no longer by the time it is locked.
    """
    if fcntl is None:
        yield None
        return
    descriptor, ours = os.open(path, os.O_RDONLY), None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            ours = True
        except BlockingIOError:
            ours = False
        except OSError:
            pass
        if ours and not os.path.samestat(os.fstat(descriptor), path.stat()):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        yield ours
    finally:
        os.close(descriptor)


def _remove_abandoned(path: Path) -> None:
    """Remove what processes that were killed while they wrote to `path` have left beside it."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        with suppress(OSError):  # another process may remove it first
            if time.time() - left.stat().st_ctime > ABANDONED_AFTER:
                with locked(left) as ours:
                    if ours:
                        remove(left)


def remove(path: Path) -> None:
    """Remove a file or a folder, which may be missing."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _exchange(a: Path, b: Path) -> bool:
    """Swap two paths in one step, so that neither is missing for a moment; return whether the system can (Linux)."""
    try:
        renameat2 = ctypes.CDLL(None).renameat2
    except (AttributeError, TypeError, OSError):
        return False
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return bool(renameat2(here, os.fsencode(a), here, os.fsencode(b), exchange) == 0)


def _sync_folder(path: Path) -> None:
    if os.name == "nt":  # where a folder cannot be opened, nor need be synced
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step (see `replacing`)."""
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_manifest(path: Path, kind: str, version: int, content: Mapping[str, Any], files: Sequence[str]) -> None:
    """Write a manifest: a JSON file that vouches for itself and for the files beside it.

    Parameters
    ----------
    path : Path
        Where the manifest goes; `files` lie in the same folder.
    kind : str
        What the folder holds, such as ``"codec"``.
    version : int
        Version of the folder's format.
    content : dict
        What the manifest says.
    files : list of str
        Names of the files whose SHA-256 it records.
    """
    seal(path, kind, version, content, {name: sha256_of(path.parent / name) for name in files})


def seal(path: Path, kind: str, version: int, content: Mapping[str, Any], hashes: Mapping[str, str]) -> None:
    """Like `write_manifest`, with the hashes of the files given."""
    manifest = {"kind": kind, "format_version": version, **content, "files": dict(hashes)}
    write_text(path, json.dumps({**manifest, "sha256": fingerprint(manifest)}, indent=2) + "\n")


def read_manifest(path: Path, kind: str, version: int, trusting: bool = False) -> dict[str, Any]:
    """Read a manifest and check it, and every file that it vouches for.

    Parameters
    ----------
    path : Path
        The manifest.
    kind : str
        What the folder should hold.
    version : int
        Newest version of the format that the caller reads.
    trusting : bool
        Do not read the files beside it to check their hashes, which takes long where they are large.

    Returns
    -------
    dict
        The manifest as written.

    Raises
    ------
    VecsmithError
        If the manifest is missing, broken, of another kind or from a newer format version, or if a file is missing
        or is not the one that was written.
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
    if not trusting:
        for name, expected in files.items():
            _check_file(path.parent / name, expected)
    return dict(manifest)


def is_of_kind(path: Path, kind: str) -> bool:
    """Whether a manifest says that it is of a kind, and no other program's file of that name; it may be damaged."""
    try:
        return bool(json.loads(path.read_text(encoding="utf-8")).get("kind") == kind)
    except (OSError, ValueError, AttributeError):
        return False


def _check_file(path: Path, expected: str) -> None:
    try:
        found = sha256_of(path)
    except MISSING as error:
        raise VecsmithError(f"{path} is missing although its manifest names it; write the folder again.") from error
    if found != expected:
        raise VecsmithError(f"{path} is damaged: its hash does not match the manifest; write the folder again.")


def cache_folder() -> Path:
    """Return the folder for cached vectors and results: ``VECSMITH_CACHE``, or ``~/.cache/vecsmith``."""
    home = os.environ.get("VECSMITH_CACHE") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "vecsmith"
    return Path(home).expanduser()
