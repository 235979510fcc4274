"""Embedding sets of reduced vectors, before quantization."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from vecsmith.codecs.codec import Codec
from vecsmith.embeddings import EmbeddingSet, EmbeddingWriter
from vecsmith.embeddings.writer import KIND
from vecsmith.errors import VecsmithError
from vecsmith.outputs import output_folder
from vecsmith.progress import track


def reduce_set(codec: Codec, embedded: EmbeddingSet, path: str | Path, force: bool = False) -> EmbeddingSet:
    """Reduce the vectors of an embedding set as `Codec.transform` does, and write them as an embedding set.

    The quantizer of the codec is not applied. Only one block of vectors is in memory at a time.

    Parameters
    ----------
    codec : Codec
        A fitted codec with a reducer, such as ``pca256`` or ``whitened-pca96,int8``.
    embedded : EmbeddingSet
        The vectors (n, d).
    path : str or Path
        Folder of the result. An embedding set in it is replaced.
    force : bool
        Replace other contents of the folder as well.

    Returns
    -------
    EmbeddingSet
        Vectors (n, k), float32, with the ids, texts and provenance of `embedded`; `Provenance.reduced_by` names the
        reducers.

    Raises
    ------
    VecsmithError
        If the codec has no reducer or was not fitted on vectors of these dimensions, or `path` holds something else.
    """
    if not codec.reducers:
        raise VecsmithError(f"{codec!r} has no reducer; name one, such as pca256 or pca256,int8.")
    codec.check_dimensions(embedded.unit)
    provenance = replace(embedded.provenance, blocks={}, normalised=False, reduced_by=reducers_of(codec))
    with output_folder(Path(path), KIND, force) as beside:
        writer = EmbeddingWriter(beside, embedded.ids, embedded.texts, provenance)
        for rows in track(writer.remaining, f"Reducing {len(embedded)} vectors", len(writer.remaining)):
            writer.write(codec.transform(embedded.unit[rows]))
        writer.finish()
    return EmbeddingSet.open(path)


def reducers_of(codec: Codec) -> str:
    """Return the spec of a codec's reducers and the SHA-256 of their weights, which identify the reduction."""
    digest = hashlib.sha256()
    for reducer in codec.reducers:
        for name, array in reducer.arrays().items():
            digest.update(f"{name} {array.shape} {array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return f"{','.join(reducer.spec for reducer in codec.reducers)} {digest.hexdigest()}"
