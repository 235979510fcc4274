"""Writing folders of parts (see `vecsmith.embeddings.part_files`), part by part.

A folder with the file ``unfinished`` instead of a manifest is continued by a run with the same input.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vecsmith.distributed.locations import Location
from vecsmith.embeddings import MARKER, Provenance
from vecsmith.embeddings.part_files import PARTS_VERSION, part_name
from vecsmith.errors import VecsmithError
from vecsmith.files import fingerprint
from vecsmith.manifests import sealed

FACTS = b"vecsmith"
"""Key of the facts in the metadata of a Parquet file."""


@dataclass(frozen=True)
class Part:
    """Facts of one written part.

    Attributes
    ----------
    number : int
        Position of the part.
    rows : int
        Number of rows.
    sha256 : str
        SHA-256 of the file; empty if there are no rows.
    zero_rows : list of int
        Numbers of the rows, within the part, of all-zero vectors.
    normalised : bool
        Whether all other vectors of the input have unit length.
    """

    number: int
    rows: int
    sha256: str
    zero_rows: list[int]
    normalised: bool


@dataclass(frozen=True)
class PartsFolder:
    """A folder of parts that is written.

    Attributes
    ----------
    location : Location
        The folder.
    kind : str
        ``VECTOR_PARTS`` or ``CODE_PARTS``.
    """

    location: Location
    kind: str

    def begin(self, key: Any, force: bool = False) -> None:
        """Start or continue a run.

        Parameters
        ----------
        key : object
            JSON-serializable description of the input and the work; a run continues only with an equal key.
        force : bool
            Delete other content of the folder.

        Raises
        ------
        VecsmithError
            If the folder holds something else.
        """
        files = self.location.files(recursive=True)
        marker, expected = self.location / MARKER, fingerprint(key)
        if MARKER in files and marker.read().decode(errors="replace") == expected:
            return
        if not force and files and not self._is_ours(files):
            raise VecsmithError(
                f"{self.location} already holds something else; give another folder, or --force (force=True) to "
                "replace it."
            )
        for name in sorted(files, key=lambda name: name != "manifest.json"):
            (self.location / name).delete()
        marker.write(expected)

    def _is_ours(self, files: Iterable[str]) -> bool:
        """Return whether the folder is complete, of this kind, and has only files that its manifest names."""
        with suppress(ValueError, KeyError, TypeError, VecsmithError):
            manifest = json.loads((self.location / "manifest.json").read())
            return manifest["kind"] == self.kind and set(files) <= {"manifest.json", *manifest["files"]}
        return False

    def part(self, number: int) -> Location:
        """Return the location of a part."""
        return self.location / part_name(number)

    def written(self, number: int) -> Part | None:
        """Return the facts of a part that an earlier run wrote; None if it is missing or damaged."""
        file = self.part(number)
        if file.size is None:
            return None
        try:
            content = file.read()
            facts = json.loads(pq.read_metadata(pa.BufferReader(content)).metadata[FACTS])
            return Part(number, sha256=hashlib.sha256(content).hexdigest(), **facts)
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, number: int, blocks: Iterable[pa.Table], facts: Callable[[], Mapping[str, Any]]) -> Part:
        """Write a part atomically; a shard without rows has no file.

        Parameters
        ----------
        number : int
            Position of the part.
        blocks : iterable of pyarrow.Table
            Its rows; each table becomes a row group.
        facts : callable
            Returns the facts of `Part` that are known after the last block: ``zero_rows`` and ``normalised``.
        """
        blocks = iter(blocks)
        first = next(blocks, None)
        if first is None:
            return Part(number, 0, "", [], True)
        rows = 0
        with self.part(number).writing() as temporary:
            with pq.ParquetWriter(temporary, first.schema, compression="zstd", use_dictionary=False) as writer:
                for block in chain([first], blocks):
                    writer.write_table(block)
                    rows += len(block)
                known = {"rows": rows, **facts()}
                writer.add_key_value_metadata({FACTS.decode(): json.dumps(known)})
            with temporary.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return Part(number, sha256=sha256, **known)

    def finish(
        self, parts: Iterable[Part], provenance: Provenance, about: Mapping[str, Any], files: Mapping[str, str]
    ) -> None:
        """Write the manifest, which completes the folder.

        Parameters
        ----------
        parts : iterable of Part
            All parts in order.
        provenance : Provenance
            Origin of the vectors.
        about : mapping
            Further entries of the manifest.
        files : mapping of str to str
            SHA-256 of the other files, by name.
        """
        parts = list(parts)
        content = {
            "rows": sum(part.rows for part in parts),
            "parts": [part.rows for part in parts],
            "zero_rows": {str(part.number): part.zero_rows for part in parts if part.zero_rows},
            "provenance": asdict(provenance),
            **about,
        }
        hashes = {part_name(part.number): part.sha256 for part in parts if part.rows}
        (self.location / "manifest.json").write(sealed(self.kind, PARTS_VERSION, content, {**hashes, **files}))
        (self.location / MARKER).delete()
