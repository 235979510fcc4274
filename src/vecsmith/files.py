"""Atomic writes of files and folders, file locks, and the cache folder."""

import ctypes
import errno
import glob
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

ABANDONED_SECONDS = 60.0
"""Age after which a temporary file or folder without a lock is removed."""


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(content: Any) -> str:
    """Return the SHA-256 of a JSON-serializable object in its canonical form."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@contextmanager
def replacing(path: Path, remove_abandoned: bool = True) -> Iterator[Path]:
    """Write a file atomically: a reader sees either the old content or the new content.

    Yields the path of a temporary file in the same folder. If the block succeeds, the file is synced to disk and
    renamed to `path`. If the block fails, the temporary file is removed and `path` does not change.

    Parameters
    ----------
    path : Path
        The file.
    remove_abandoned : bool
        Look for temporary files of killed processes, which lists the whole folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _hidden(path, "partial")
    if remove_abandoned:
        _remove_abandoned(path)
    try:
        temporary.touch()
        with locked(temporary):
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        _rename_in_error(error, temporary, path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Write a folder atomically, as `replacing` does for a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, before = _hidden(path, "partial"), _hidden(path, "before")
    _remove_abandoned(path)
    # a killed process with the same process id may have left this folder
    remove(temporary)
    try:
        temporary.mkdir()
        with locked(temporary):
            yield temporary
            for inner in temporary.rglob("*"):
                if inner.is_dir():
                    _sync_folder(inner)
                else:
                    with inner.open("rb") as file:
                        os.fsync(file.fileno())
            while not _move(temporary, path, before):
                pass
        _sync_folder(path.parent)
    except OSError as error:
        _rename_in_error(error, temporary, path)
        raise
    finally:
        if before.exists() and not path.exists():
            before.rename(path)
        remove(before)
        remove(temporary)


def _move(temporary: Path, path: Path, before: Path) -> bool:
    """Rename the folder `temporary` to `path`, and move an existing folder there to `before`.

    Returns False if another process created `path` in the meantime.
    """
    if path.exists():
        if _exchange(temporary, path):
            return True
        remove(before)
        path.rename(before)
    try:
        temporary.rename(path)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        return False
    return True


def _rename_in_error(error: OSError, temporary: Path, path: Path) -> None:
    """Replace the name of the temporary file in an error, or a missing name, by the name of the output."""
    if error.filename is None or Path(str(error.filename)).is_relative_to(temporary):
        error.filename = str(path)


def _hidden(path: Path, suffix: str) -> Path:
    """Return a hidden path in the same folder that is unique to this thread and process."""
    return path.with_name(f".{path.name}.{os.getpid()}.{threading.get_native_id()}.{suffix}")


@contextmanager
def locked(path: Path, wait: bool = False) -> Iterator[bool | None]:
    """Hold an exclusive lock on a file or folder during the block, among processes and threads.

    The operating system releases the lock when the process ends, even if it is killed.

    Parameters
    ----------
    path : Path
        The file or folder.
    wait : bool
        Wait until the lock is free.

    Yields
    ------
    bool or None
        True if the lock is held, False if another process or thread holds it, None if the system or the file system
        has no locks.

    Raises
    ------
    FileNotFoundError
        If the file does not exist, or is removed before it is locked.
    """
    if fcntl is None:
        yield None
        return
    descriptor, acquired = os.open(path, os.O_RDONLY), None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            acquired = True
        except BlockingIOError:
            acquired = False
        except OSError:
            pass
        if acquired and not os.path.samestat(os.fstat(descriptor), path.stat()):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        yield acquired
    finally:
        os.close(descriptor)


def _remove_abandoned(path: Path) -> None:
    """Remove temporary files of `path` that killed processes left behind."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        with suppress(OSError):  # another process may remove it first
            if time.time() - leftover.stat().st_ctime > ABANDONED_SECONDS:
                with locked(leftover) as acquired:
                    if acquired:
                        remove(leftover)


def remove(path: Path) -> None:
    """Remove a file or a folder if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _exchange(a: Path, b: Path) -> bool:
    """Swap two paths atomically (Linux only); return whether it succeeded."""
    try:
        renameat2 = ctypes.CDLL(None).renameat2
    except (AttributeError, TypeError, OSError):
        return False
    at_fdcwd, rename_exchange = -100, 2
    return bool(renameat2(at_fdcwd, os.fsencode(a), at_fdcwd, os.fsencode(b), rename_exchange) == 0)


def _sync_folder(path: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder, and does not need the sync
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, encoded as UTF-8."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def cache_folder() -> Path:
    """Return the folder for cached vectors and results: ``VECSMITH_CACHE``, or ``~/.cache/vecsmith``."""
    home = os.environ.get("VECSMITH_CACHE") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "vecsmith"
    return Path(home).expanduser()
