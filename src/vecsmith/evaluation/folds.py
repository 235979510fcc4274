"""What may be fitted on what: cross-fitting, fitting on the corpus, and transfer from another set."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vecsmith.codecs import Codec, is_codec, load_codec
from vecsmith.embeddings import EmbeddingSet, check_blocks, normalize
from vecsmith.errors import VecsmithError
from vecsmith.index.scanning import CodePartition

FIT_ON = ("cross", "corpus")


@dataclass(frozen=True)
class Encoded:
    """A corpus encoded under a protocol, and what that took.

    Attributes
    ----------
    parts : list of CodePartition
        One a fitted codec.
    fit_seconds : float
        Time to fit one codec.
    encode_seconds : float
        Time to encode the corpus.
    """

    parts: list[CodePartition]
    fit_seconds: float
    encode_seconds: float


def training_set(fit_on: str, corpus: EmbeddingSet) -> EmbeddingSet | None:
    """Open the set that `fit_on` names, or return None where it is ``cross`` or ``corpus``.

    Raises
    ------
    VecsmithError
        If it is neither of these nor the folder of a set of the same model.
    """
    if fit_on in FIT_ON:
        return None
    other = EmbeddingSet.open(fit_on)
    ours, theirs = corpus.provenance, other.provenance
    same_model = (ours.encoder, ours.revision) == (theirs.encoder, theirs.revision)
    if other.dimensions != corpus.dimensions or (ours.encoder and theirs.encoder and not same_model):
        raise VecsmithError(
            f"--fit-on {fit_on} has {other!r}, but the corpus has {corpus!r}; fit on vectors of the same model."
        )
    return other


def encode_corpus(
    spec: str,
    X: NDArray[np.float32],
    fit_on: str = "cross",
    seed: int = 0,
    other: EmbeddingSet | None = None,
    recenter: bool = False,
    blocks: Mapping[str, int] | None = None,
) -> Encoded:
    """Fit a codec under a protocol and encode a corpus with it.

    Parameters
    ----------
    spec : str
        The codec; or the folder of a fitted one, which is used as it is, whatever `fit_on` says.
    X : ndarray of shape (n, d), float32
        The documents' unit vectors.
    fit_on : {"cross", "corpus"} or str
        ``cross``: each random half of the documents is encoded by the codec fitted on the other half, so that no
        vector is encoded by a codec that has seen it. ``corpus``: fitted on what it encodes, as in production.
        Anything else: fitted on `other`. A codec that learns nothing is the same under all of them.
    seed : int
        Seeds the codec and the halves.
    other : EmbeddingSet, optional
        The vectors to fit on under transfer.
    recenter : bool
        Replace the codec's means by those of the vectors that it encodes.
    blocks : mapping of str to int, optional
        Names and dimensions of what lies side by side in fused vectors, as of `EmbeddingSet.blocks`.
    """
    everything = np.arange(len(X))
    if is_codec(spec):
        return _encoded_by(load_codec(spec), X, recenter, blocks)
    if other is not None:
        folds = [(normalize(other.vectors), everything)]
    elif fit_on == "cross" and Codec(spec, seed).requires_fit:
        halves = _halves(len(X), seed)
        folds = [(X[halves[1]], halves[0]), (X[halves[0]], halves[1])]
    else:
        folds = [(X, everything)]
    parts, fit_seconds, encode_seconds = [], 0.0, 0.0
    for train, rows in folds:
        start = time.perf_counter()
        codec = Codec(spec, seed).fit(train, blocks=blocks)
        if recenter:
            codec = codec.recentered(X[rows])
        fitted = time.perf_counter()
        codes = codec.encode(X[rows])
        fit_seconds += (fitted - start) / len(folds)
        encode_seconds += time.perf_counter() - fitted
        parts.append(CodePartition(codec, codes, rows))
    return Encoded(parts, fit_seconds, encode_seconds)


def _encoded_by(codec: Codec, X: NDArray[np.float32], recenter: bool, blocks: Mapping[str, int] | None) -> Encoded:
    check_blocks(codec.blocks, blocks or {}, repr(codec))
    if recenter:
        codec = codec.recentered(X)
    start = time.perf_counter()
    codes = codec.encode(X)
    return Encoded([CodePartition(codec, codes, np.arange(len(X)))], 0.0, time.perf_counter() - start)


def _halves(n: int, seed: int) -> Sequence[NDArray[np.int64]]:
    if n < 4:
        raise VecsmithError(f"Cross-fitting halves the corpus, and {n} documents are too few; use --fit-on corpus.")
    order = np.random.default_rng(seed).permutation(n)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])
