"""Files and folders on local disks, in buckets and on other file systems that pyarrow or fsspec know."""

import fnmatch
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from filelock import FileLock
from pyarrow import fs

from vecsmith.embeddings.vector_files import natural_order
from vecsmith.errors import VecsmithError
from vecsmith.files import cache_folder, replacing, replacing_folder

ATOMIC_STORES = ("s3", "gcs", "abfs")
"""Types of file systems on which an object appears as a whole when its upload is complete."""


@dataclass(frozen=True)
class Location:
    """A file or folder of a file system.

    Attributes
    ----------
    filesystem : pyarrow.fs.FileSystem
        The file system.
    path : str
        Path on the file system.
    uri : str
        URI or local path as the user gave it, for messages.
    """

    filesystem: Any
    path: str
    uri: str

    @classmethod
    def parse(cls, where: str | Path) -> "Location":
        """Return the location of a URI, such as ``s3://bucket/folder``, or of a local path.

        pyarrow opens ``s3``, ``gs``, ``abfs``, ``hdfs`` and ``file``. fsspec opens other schemes, if it and the package
        of the scheme are installed.

        Raises
        ------
        VecsmithError
            If no package opens URIs of this scheme, or the URI is malformed.
        """
        text = str(where)
        if "://" not in text:
            return cls(fs.LocalFileSystem(), str(Path(text).absolute()), text)
        if (scheme := text.partition("://")[0]) == "":
            raise VecsmithError(f"{text} has no scheme before ://; give a URI such as s3://bucket/folder.")
        try:
            filesystem, path = fs.FileSystem.from_uri(text)
            return cls(filesystem, path, text)
        except pa.ArrowInvalid as error:
            reason = str(error)
        try:
            import fsspec

            fsspec_filesystem, path = fsspec.core.url_to_fs(text)
        except (ImportError, ValueError, OSError) as error:
            raise VecsmithError(
                f"{text} cannot be opened: neither pyarrow ({reason}) nor fsspec ({error}) knows {scheme}://."
            ) from error
        return cls(fs.PyFileSystem(fs.FSSpecHandler(fsspec_filesystem)), path, text)

    def __str__(self) -> str:
        return self.uri

    def __truediv__(self, name: str) -> "Location":
        head, mark, query = self.uri.partition("?")
        return replace(self, path=f"{self.path.rstrip('/')}/{name}", uri=f"{head.rstrip('/')}/{name}{mark}{query}")

    @property
    def is_local(self) -> bool:
        """Whether the file system is local."""
        return isinstance(self.filesystem, fs.LocalFileSystem)

    @property
    def name(self) -> str:
        """Last component of the path."""
        return self.path.rstrip("/").rpartition("/")[2]

    @property
    def size(self) -> int | None:
        """Size of the file in bytes; None if there is no file."""
        with self.reporting():
            info = self.filesystem.get_file_info(self.path)
            return int(info.size) if info.type == fs.FileType.File else None

    def exists(self) -> bool:
        """Return whether there is a file or a folder."""
        with self.reporting():
            return bool(self.filesystem.get_file_info(self.path).type != fs.FileType.NotFound)

    def files(self, recursive: bool = False) -> dict[str, int]:
        """Return the files of a folder with their sizes in bytes, by their paths relative to the folder."""
        with self.reporting():
            selector = fs.FileSelector(self.path, allow_not_found=True, recursive=recursive)
            infos = [info for info in self.filesystem.get_file_info(selector) if info.type == fs.FileType.File]
        start = len(self.path.rstrip("/")) + 1
        return {info.path[start:]: int(info.size) for info in infos}

    def open(self) -> Any:
        """Open the file for reading at any position; a local file is memory-mapped."""
        with self.reporting():
            return pa.memory_map(self.path) if self.is_local else self.filesystem.open_input_file(self.path)

    def read(self) -> bytes:
        """Return the content of the file."""
        with self.open() as file, self.reporting():
            return bytes(file.read())

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """Write the file atomically: yield a local temporary file, which replaces the file when the block succeeds."""
        if self.is_local:
            with replacing(Path(self.path), remove_abandoned=False) as temporary:
                yield temporary
            return
        with tempfile.TemporaryDirectory(prefix="vecsmith-") as folder:
            temporary = Path(folder) / self.name
            yield temporary
            with self.reporting():
                self._upload(temporary)

    def _upload(self, temporary: Path) -> None:
        is_atomic = self.filesystem.type_name in ATOMIC_STORES
        target = self.path if is_atomic else f"{self.path}.partial"
        if not is_atomic:
            self.filesystem.create_dir(self.path.rpartition("/")[0], recursive=True)
        with temporary.open("rb") as source, self.filesystem.open_output_stream(target) as sink:
            shutil.copyfileobj(source, sink, 1 << 22)
        if target != self.path:
            self.filesystem.move(target, self.path)

    def write(self, text: str) -> None:
        """Write a text file atomically."""
        with self.writing() as temporary:
            temporary.write_text(text, encoding="utf-8")

    def delete(self) -> None:
        """Delete the file."""
        with self.reporting():
            self.filesystem.delete_file(self.path)

    def fetch(self, folder: Path) -> None:
        """Copy the folder with all files to a local folder."""
        with self.reporting():
            fs.copy_files(self.path, str(folder), source_filesystem=self.filesystem)

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Turn errors of the file system into one sentence that names the location."""
        try:
            yield
        except OSError as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise VecsmithError(
                f"{self.uri} cannot be read or written ({reason}); check the address and your permissions."
            ) from error


def local_copy(where: str | Path) -> Path:
    """Return the path of a folder that vecsmith wrote; a folder at a URI is copied to the cache, once per content.

    Raises
    ------
    VecsmithError
        If there is no folder with a manifest, or it cannot be read.
    """
    if not is_uri(where):
        return Path(where)
    location = Location.parse(where)
    manifest = location / "manifest.json"
    if manifest.size is None:
        raise VecsmithError(f"{where} has no manifest.json; give a folder that vecsmith wrote completely.")
    copy = cache_folder() / "folders" / hashlib.sha256(manifest.read()).hexdigest()
    copy.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(copy.with_name(f"{copy.name}.lock")):
        if not copy.exists():
            with replacing_folder(copy) as temporary:
                location.fetch(temporary)
    return copy


def is_uri(where: str | Path) -> bool:
    """Return whether a text is a URI, and not a local path."""
    return "://" in str(where)


def matching(pattern: str) -> list[Location]:
    """Return the files that a URI or path with ``*`` or ``[…]`` in its last component matches, in natural order.

    Natural order puts ``part-2`` before ``part-10``.

    Raises
    ------
    VecsmithError
        If no file matches, or a component before the last has a wildcard.
    """
    head, mark, query = pattern.partition("?") if is_uri(pattern) else (pattern, "", "")
    parent, _, last = head.rpartition("/")
    if any(letter in parent for letter in "*["):
        raise VecsmithError(f"{pattern} has a wildcard before the file name; use wildcards in file names only.")
    folder = Location.parse(f"{parent}{mark}{query}" if parent else "/" if head.startswith("/") else ".")
    found = sorted(fnmatch.filter(folder.files(), last), key=natural_order)
    if not found:
        raise VecsmithError(f"No file matches {pattern}; check the folder and the pattern.")
    return [folder / name for name in found]
