"""Cross-fitting: folds of rows, and corpora encoded by codecs that were fitted under a protocol."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.codecs import Codec, is_codec, load_codec
from vecsmith.embeddings import EmbeddingSet, check_blocks, normalize
from vecsmith.errors import VecsmithError
from vecsmith.index.scanning import CodePartition
from vecsmith.training import JudgedPairs

FIT_ON = ("cross", "corpus")


class Fold(NamedTuple):
    """One fold of a cross-fitting: the training set of a model, and the rows that the model is applied to.

    Attributes
    ----------
    train : ndarray of int64
        Rows of the training set.
    rows : ndarray of int64
        Rows that the fitted model encodes or translates.
    """

    train: RowNumbers
    rows: RowNumbers


def folds(n: int, count: int, seed: int, train_rows: int | None = None) -> list[Fold]:
    """Split n rows at random into folds; the training set of a fold consists of the rows of all other folds.

    Parameters
    ----------
    n : int
        Number of rows.
    count : int
        Number of folds. Their sizes differ by at most one row.
    seed : int
        Seed of the permutation.
    train_rows : int, optional
        Maximum rows of each training set; unlimited by default.

    Returns
    -------
    list of Fold
        Rows are in random order, so that the first rows of a training set are a random sample of it.
    """
    order = np.random.default_rng(seed).permutation(n)
    # with an odd n, the second half is the larger one; with more than two folds, the first folds are the larger ones
    parts = np.split(order, [n // 2]) if count == 2 else np.array_split(order, count)
    return [
        Fold(np.concatenate(parts[:number] + parts[number + 1 :])[:train_rows], rows)
        for number, rows in enumerate(parts)
    ]


def protocol_folds(n: int, fit_on: str, seed: int) -> list[Fold]:
    """Return the folds of a protocol (see `encode_corpus`), with sorted rows.

    Parameters
    ----------
    n : int
        Number of documents.
    fit_on : str
        ``cross`` for two halves; otherwise a single fold in which all documents are training set and encoded.
    seed : int
        Seed of the halves.

    Raises
    ------
    VecsmithError
        If there are fewer than four documents to halve.
    """
    if fit_on != "cross":
        return [Fold(np.arange(n), np.arange(n))]
    if n < 4:
        raise VecsmithError(f"Cross-fitting halves the corpus, and {n} documents are too few; use --fit-on corpus.")
    return [Fold(np.sort(train), np.sort(rows)) for train, rows in folds(n, 2, seed)]


@dataclass(frozen=True)
class Encoded:
    """A corpus that was encoded under a protocol.

    Attributes
    ----------
    parts : list of CodePartition
        The codes, one partition per fitted codec.
    fit_seconds : float
        Time to fit one codec.
    encode_seconds : float
        Time to encode the corpus.
    """

    parts: list[CodePartition]
    fit_seconds: float
    encode_seconds: float


def training_set(fit_on: str, corpus: EmbeddingSet) -> EmbeddingSet | None:
    """Open the embedding set that `fit_on` names, or return None if it is ``cross`` or ``corpus``.

    Raises
    ------
    VecsmithError
        If the folder cannot be opened, or its vectors are of another model than those of the corpus.
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
    X: Floats,
    fit_on: str = "cross",
    seed: int = 0,
    other: EmbeddingSet | None = None,
    recenter: bool = False,
    blocks: Mapping[str, int] | None = None,
    pairs: Callable[[RowNumbers], JudgedPairs] | None = None,
) -> Encoded:
    """Fit a codec under a protocol and encode a corpus with it.

    Parameters
    ----------
    spec : str
        Spec of the codec, or the folder of a fitted codec. A fitted codec is applied without fitting, whatever
        `fit_on` says.
    X : ndarray of shape (n, d), float32
        Unit vectors of the documents.
    fit_on : {"cross", "corpus"} or str
        ``cross``: two-fold cross-fitting. Each random half of the documents is encoded by the codec fitted on the
        other half, so that no vector is encoded by a codec that has seen it. ``corpus``: the codec is fitted on the
        documents that it encodes, as in production. Any other value: the codec is fitted on `other`. A codec without
        fitted parameters gives the same codes under all protocols.
    seed : int
        Seed of the codec and of the halves.
    other : EmbeddingSet, optional
        The training set of the transfer protocol.
    recenter : bool
        Whether to replace the mean of the codec by the mean of the vectors that it encodes.
    blocks : mapping of str to int, optional
        Names and dimensions of the models whose vectors lie side by side in fused vectors, as in
        `EmbeddingSet.blocks`.
    pairs : callable, optional
        From the rows of a training set to judged pairs with these documents, for codecs that use them. Without it, and
        in the transfer protocol, such codecs are trained on pseudo-queries.

    Raises
    ------
    VecsmithError
        If there are too few documents, or the codec does not suit the vectors.
    """
    if is_codec(spec):
        return _encode_with(load_codec(spec), X, recenter, blocks)
    protocol = fit_on if other is None and Codec(spec, seed).requires_fit else "corpus"
    training_folds = protocol_folds(len(X), protocol, seed)
    training = X if other is None else normalize(other.vectors)
    parts, fit_seconds, encode_seconds = [], 0.0, 0.0
    for train, rows in training_folds:
        codec = Codec(spec, seed)
        judged = pairs(train) if pairs is not None and other is None and codec.uses_pairs else None
        start = time.perf_counter()
        # a fold of all documents is not copied
        codec.fit(training if len(train) == len(X) else X[train], blocks=blocks, pairs=judged)
        if recenter:
            codec = codec.recentered(X[rows])
        fitted = time.perf_counter()
        codes = codec.encode(X[rows])
        fit_seconds += (fitted - start) / len(training_folds)
        encode_seconds += time.perf_counter() - fitted
        parts.append(CodePartition(codec, codes, rows))
    return Encoded(parts, fit_seconds, encode_seconds)


def _encode_with(codec: Codec, X: Floats, recenter: bool, blocks: Mapping[str, int] | None) -> Encoded:
    """Encode a corpus with a fitted codec."""
    check_blocks(codec.blocks, blocks or {}, codec)
    if recenter:
        codec = codec.recentered(X)
    start = time.perf_counter()
    codes = codec.encode(X)
    return Encoded([CodePartition(codec, codes, np.arange(len(X)))], 0.0, time.perf_counter() - start)
