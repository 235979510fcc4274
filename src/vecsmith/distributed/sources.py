"""Vectors or texts in many files: embedding sets, ``.npy`` files, Parquet files and Lance datasets, read by shards."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vecsmith.distributed.locations import Location, is_uri, matching
from vecsmith.distributed.shards import LanceShard, NpyShard, ParquetShard, SetShard, Shard
from vecsmith.embeddings import Columns, Provenance
from vecsmith.embeddings.arrow_columns import choose_columns
from vecsmith.embeddings.columns import chosen_text_columns
from vecsmith.embeddings.part_files import VECTOR_PARTS, parts_of
from vecsmith.embeddings.vector_files import check_one_side, natural_order
from vecsmith.embeddings.writer import KIND as SET
from vecsmith.errors import VecsmithError, require

COUNTING_THREADS = 16
"""Files whose numbers of rows are read at the same time."""
FORMATS = (".npy", ".parquet", ".lance")


@dataclass(frozen=True)
class Source:
    """Shards of one set of vectors or texts.

    Attributes
    ----------
    where : str
        URI or path as given, for messages.
    shards : sequence of Shard
        The shards in order. A shard is a file, a fragment of a Lance dataset, or a shard of an embedding set.
    provenance : Provenance
        Origin of the vectors, as far as it is known.
    """

    where: str
    shards: Sequence[Shard]
    provenance: Provenance = field(default_factory=Provenance)

    @property
    def key(self) -> list[Any]:
        """Names and sizes of all shards and the columns that are read, by which a resumed run knows its input."""
        return [[shard.key for shard in self.shards], repr(self.shards[0].columns)]

    def count(self) -> int:
        """Return the number of rows, from the headers of the files, which are read once."""
        return self._count

    @cached_property
    def _count(self) -> int:
        return sum(counts(self.shards))

    def dimensions(self) -> int:
        """Return the number of dimensions of the first vector.

        Raises
        ------
        VecsmithError
            If there is no vector.
        """
        for shard in self.shards:
            for block in shard.blocks():
                if block.vectors is not None and len(block.vectors):
                    return int(block.vectors.shape[1])
        raise VecsmithError(f"{self.where} is empty: it contains no vector.")


def open_source(where: str | Path, columns: Columns | None = None, texts: bool = False) -> Source:
    """Open vectors, or texts to embed, of which only headers are read.

    Parameters
    ----------
    where : str or Path
        A local path or a URI, such as ``s3://bucket/corpus/*.parquet``, of an embedding set; of a ``.npy`` or
        ``.parquet`` file; of a folder of such files, or a pattern for their names; or of a Lance dataset.
    columns : Columns, optional
        Columns to read from Parquet files and Lance datasets; by default those with usual names.
    texts : bool
        Read texts and ids, but no vectors.

    Raises
    ------
    VecsmithError
        If nothing is there, the format is unknown, a column is missing, or the location cannot be read.
    """
    columns = columns or Columns()
    location = None if is_pattern(where) else Location.parse(where)
    if location is not None and not location.exists():
        raise VecsmithError(f"There is no file or folder {where}.")
    if location is not None and (location.name.endswith(".lance") or (location / "_versions").exists()):
        return _numbered(Source(str(where), _lance_shards(str(where), columns, texts)))
    if location is not None and (manifest := _manifest(location)):
        if columns != Columns() and manifest["kind"] == SET:
            raise VecsmithError(f"{where} has no columns to choose; leave out --column, --id-column and --text-column.")
        provenance = Provenance(**manifest["provenance"])
        if manifest["kind"] == SET:
            return Source(str(where), _set_shards(location, manifest, texts), provenance)
        files = [location / name for name in parts_of(manifest)]
        return Source(str(where), _parquet_shards(files, columns, texts), provenance)
    files = matching(str(where)) if location is None else _files(location)
    suffixes = {Path(file.path).suffix for file in files}
    if len(suffixes) > 1 or not suffixes <= set(FORMATS):
        raise VecsmithError(
            f"{where} has files of the formats {', '.join(sorted(suffixes))}; give files of one format: .parquet, "
            ".npy, or a Lance dataset."
        )
    if suffixes == {".parquet"}:
        return _numbered(Source(str(where), _parquet_shards(files, columns, texts)))
    if texts or columns != Columns():
        raise VecsmithError(f"{where} has .npy files, which have no columns and no texts; give .parquet files.")
    return _numbered(Source(str(where), [NpyShard(file, Columns()) for file in files]))


def is_pattern(where: str | Path) -> bool:
    """Return whether a path or URI has a wildcard, and is not the path of an existing file."""
    has_wildcard = any(letter in str(where).partition("?")[0] for letter in "*[")
    return has_wildcard and (is_uri(where) or not Path(where).exists())


def counts(shards: Sequence[Shard]) -> list[int]:
    """Return the number of rows of each shard; the headers of several files are read at the same time."""
    with ThreadPoolExecutor(COUNTING_THREADS) as pool:
        return list(pool.map(lambda shard: shard.count(), shards))


def _numbered(source: Source) -> Source:
    """Give shards without ids the number of their first row, so that row numbers serve as ids."""
    if source.shards[0].columns.ids:
        return source
    starts = accumulate(counts(source.shards), initial=0)
    numbered = [replace(shard, first_row=start) for shard, start in zip(source.shards, starts, strict=False)]
    return replace(source, shards=numbered)


def _files(location: Location) -> list[Location]:
    """Return a file, or the files of a folder in natural order."""
    if location.size is not None:
        return [location]
    names = [name for name in location.files() if Path(name).suffix in FORMATS and not name.startswith((".", "_"))]
    check_one_side(location, list(map(Path, names)))
    if not names:
        raise VecsmithError(f"{location} has no .parquet or .npy file; give a folder of such files.")
    return [location / name for name in sorted(names, key=natural_order)]


def _manifest(location: Location) -> dict[str, Any] | None:
    """Return the manifest of an embedding set or of vectors in parts; None for files of other programs."""
    if (location / "manifest.json").size is None:
        return None
    try:
        manifest = json.loads((location / "manifest.json").read())
        return dict(manifest) if manifest["kind"] in (SET, VECTOR_PARTS) else None
    except (ValueError, KeyError, TypeError):
        return None


def _set_shards(location: Location, manifest: dict[str, Any], texts: bool) -> list[Shard]:
    rows, per_shard = manifest["rows"], manifest["shard_rows"]
    with pq.ParquetFile((location / "rows.parquet").open()) as file:
        has_texts = "text" in file.schema_arrow.names
    if texts and not has_texts:
        raise VecsmithError(f"{location} has no texts; give files that have a column of texts.")
    columns = Columns(None if texts else "vectors", "id", "text" if has_texts else None)
    starts = range(0, rows, per_shard)
    return [
        SetShard(location / f"vectors-{number:05d}.npy", columns, start, rows=min(per_shard, rows - start))
        for number, start in enumerate(starts)
    ]


def _parquet_shards(files: Sequence[Location], columns: Columns, texts: bool) -> list[Shard]:
    try:
        with pq.ParquetFile(files[0].open()) as file:
            schema = file.schema_arrow
    except (pa.ArrowException, OSError) as error:
        raise VecsmithError(f"{files[0]} is not a Parquet file ({error}); write it again.") from error
    chosen, title = _columns(schema, columns, texts, str(files[0]))
    return [ParquetShard(file, chosen, title=title) for file in files]


def _lance_shards(where: str, columns: Columns, texts: bool) -> list[Shard]:
    try:
        dataset = require("lance", "ray").dataset(where)
    except (OSError, ValueError) as error:
        raise VecsmithError(f"{where} is not a Lance dataset ({str(error).splitlines()[0]}).") from error
    chosen, title = _columns(dataset.schema, columns, texts, where)
    location = Location.parse(where)
    return [
        LanceShard(location, chosen, title=title, dataset=where, fragment=fragment.fragment_id, version=dataset.version)
        for fragment in dataset.get_fragments()
    ]


def _columns(schema: Any, columns: Columns, texts: bool, source: str) -> tuple[Columns, str | None]:
    """Return the columns to read, and the column of titles that are put before the texts."""
    if not texts:
        return choose_columns(schema, columns, source), None
    ids, title, text = chosen_text_columns(schema.names, columns.texts, columns.ids, source)
    return Columns(None, ids, text), title
