"""Fit codecs on vectors in many files, by a sample that every engine draws alike."""

import numpy as np

from vecsmith.array_types import Vectors
from vecsmith.codecs import Codec
from vecsmith.codecs.codec import FIT_VECTORS
from vecsmith.distributed.engines import Engine, LocalEngine
from vecsmith.distributed.sources import Source
from vecsmith.distributed.work import Sample


def sample(
    source: Source, size: int = FIT_VECTORS, seed: int = 0, engine: Engine | None = None, half: int | None = None
) -> Vectors:
    """Return about `size` vectors (m, d), chosen by a hash of their ids; all of them if there are fewer.

    The sample and its order depend only on the ids and the seed, and not on how rows are split into files.

    Parameters
    ----------
    source : Source
        The vectors.
    size : int
        Expected size of the sample, and its maximum.
    seed : int
        Seed of the hash.
    engine : Engine, optional
        The engine; threads of this process by default.
    half : {0, 1}, optional
        Draw only from this half of the rows, for cross-fitting; another hash of the ids splits them.

    Raises
    ------
    VecsmithError
        If a vector of the sample is not valid; the message has file and row.
    """
    count = source.count()
    share = size / count * (1 if half is None else 2)
    threshold = int(min(share, 1) * ((1 << 64) - 1))
    work = Sample(list(source.shards), min(threshold, (1 << 64) - 1), seed, source.dimensions(), half)
    drawn = list((engine or LocalEngine()).run(work, len(source.shards), f"Sampling {count:,} vectors"))
    hashes, ids, vectors = (np.concatenate(column) for column in zip(*drawn, strict=True))
    # ids order the rows of equal hashes
    return np.asarray(vectors[np.lexsort((ids, hashes))[:size]])


def fit(spec: str, source: Source, seed: int = 0, engine: Engine | None = None) -> Codec:
    """Return a codec that is fitted on a sample of vectors; see `sample`.

    The codec is equal, bit for bit, for every engine and every way to split the rows into files.

    Parameters
    ----------
    spec : str
        Spec of the codec.
    source : Source
        The vectors of one model.
    seed : int
        Seed of the sample and of the fit.
    engine : Engine, optional
        The engine that draws the sample.

    Raises
    ------
    VecsmithError
        As for `sample` and `Codec.fit`.
    """
    return Codec(spec, seed).fit(sample(source, FIT_VECTORS, seed, engine))
