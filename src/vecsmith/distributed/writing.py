"""Write parts: encode, reduce, embed and translate files of any number, and continue an interrupted run."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vecsmith.codecs import Codec
from vecsmith.codecs.reduced import reducers_of
from vecsmith.distributed.engines import Engine, LocalEngine
from vecsmith.distributed.locations import Location
from vecsmith.distributed.parts import PartsFolder
from vecsmith.distributed.sources import Source
from vecsmith.distributed.stages import Embed, Encode, Reduce, Stage, Translate
from vecsmith.distributed.unique_ids import check_unique
from vecsmith.distributed.work import WriteParts
from vecsmith.embeddings import Provenance
from vecsmith.embeddings.checks import warn_of_zero_rows
from vecsmith.embeddings.part_files import CODE_PARTS, VECTOR_PARTS
from vecsmith.encoders.base import Encoder
from vecsmith.errors import VecsmithError
from vecsmith.files import sha256_of
from vecsmith.index.code_writing import CODE_FILES
from vecsmith.index.two_stages import first_stage
from vecsmith.translators import Translator
from vecsmith.translators.sets import translated_provenance


@dataclass(frozen=True)
class Written:
    """A finished folder of parts.

    Attributes
    ----------
    where : str
        The folder.
    rows, parts : int
        Number of rows and of parts.
    """

    where: str
    rows: int
    parts: int


def encode(codec: Codec, source: Source, out: str | Path, engine: Engine | None = None, force: bool = False) -> Written:
    """Encode vectors into a folder of parts, one for each shard.

    Parameters
    ----------
    codec : Codec
        A fitted codec.
    source : Source
        Vectors of the model on which it was fitted.
    out : str or Path
        Local path or URI of the folder: new, or left by an interrupted run, which is then continued.
    engine : Engine, optional
        The engine; threads of this process by default. The files are the same for every engine.
    force : bool
        Replace any content of the folder.

    Raises
    ------
    VecsmithError
        If the folder holds something else, an id occurs twice, a shard is damaged, or a vector has other dimensions
        than the codec or a value that is not finite; the message has file and row.
    """
    folder = PartsFolder(Location.parse(out), CODE_PARTS)
    scoring = "rescored" if first_stage(codec) else "asymmetric"
    about = {"spec": codec.spec, "bytes_per_vector": codec.bytes_per_vector, "scoring": scoring}
    with tempfile.TemporaryDirectory(prefix="vecsmith-") as temporary:
        codec.write(Path(temporary) / "codec")
        files = {name: Path(temporary) / name for name in CODE_FILES if name.startswith("codec/")}
        return _write(Encode(codec), source, folder, source.provenance, about, files, engine, force)


def reduce(codec: Codec, source: Source, out: str | Path, engine: Engine | None = None, force: bool = False) -> Written:
    """Write the reduced vectors of a codec, before the quantizer; parameters and errors as for `encode`."""
    if not codec.reducers:
        raise VecsmithError(f"{codec!r} has no reducer; name one, such as pca256 or pca256,int8.")
    provenance = replace(source.provenance, blocks={}, normalised=False, reduced_by=reducers_of(codec))
    return write_vectors(Reduce(codec), source, out, provenance, engine, force)


def translate(
    translator: Translator, source: Source, out: str | Path, engine: Engine | None = None, force: bool = False
) -> Written:
    """Write translated vectors; other parameters and errors as for `encode`.

    Raises
    ------
    VecsmithError
        Also if the vectors are known to be of another model than the translator takes.
    """
    provenance = translated_provenance(translator, source.where, source.provenance, [])
    return write_vectors(Translate(translator), source, out, provenance, engine, force)


def embed(
    encoder: Encoder, source: Source, out: str | Path, engine: Engine | None = None, force: bool = False
) -> Written:
    """Embed texts as documents, and write the vectors; other parameters and errors as for `encode`.

    Parameters
    ----------
    encoder : Encoder
        The encoder, of which every actor of Ray loads a copy.
    source : Source
        The texts.
    """
    provenance = replace(encoder.provenance("passage"), dataset=source.where)
    return write_vectors(Embed(encoder), source, out, provenance, engine or LocalEngine(threads=1), force)


def write_vectors(
    stage: Stage, source: Source, out: str | Path, provenance: Provenance, engine: Engine | None, force: bool
) -> Written:
    """Write the vectors that a stage returns, with their provenance; other parameters and errors as for `encode`."""
    folder = PartsFolder(Location.parse(out), VECTOR_PARTS)
    return _write(stage, source, folder, replace(provenance, dtype="float32"), {}, {}, engine, force)


def _write(
    stage: Stage,
    source: Source,
    folder: PartsFolder,
    provenance: Provenance,
    about: Mapping[str, Any],
    files: Mapping[str, Path],
    engine: Engine | None,
    force: bool,
) -> Written:
    """Write all parts that are missing, other files by their names, and the manifest last."""
    engine = engine or LocalEngine()
    hashes = {name: sha256_of(path) for name, path in files.items()}
    reads_texts = source.shards[0].columns.vectors is None
    dimensions = None if reads_texts else source.dimensions()
    check_unique(source, engine)
    folder.begin([source.key, type(stage).__name__, provenance.key, hashes], force)
    work, count = WriteParts(stage, list(source.shards), folder, dimensions), len(source.shards)
    parts = sorted(engine.run(work, count, f"{count:,} shards of {source.where}"), key=lambda part: part.number)
    rows = sum(part.rows for part in parts)
    if zero_rows := [row for part in parts for row in part.zero_rows]:
        first = next(part.number for part in parts if part.zero_rows)
        warn_of_zero_rows(np.array(zero_rows), rows, source.shards[first].name)
    for name, path in files.items():
        with (folder.location / name).writing() as temporary:
            temporary.write_bytes(path.read_bytes())
    normalised = provenance.normalised or reads_texts or all(part.normalised for part in parts)
    folder.finish(parts, replace(provenance, normalised=normalised), about, hashes)
    return Written(str(folder.location), rows, len(parts))
