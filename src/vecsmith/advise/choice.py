"""Choose a codec for given vectors: `vecsmith fit auto`."""

from collections.abc import Iterator, Sequence

from vecsmith.advise.prediction import Prediction, ValidationTask, measure_on_queries, predict
from vecsmith.codecs import Codec
from vecsmith.embeddings import UnitVectors, VectorsLike, as_unit
from vecsmith.errors import VecsmithError, unknown
from vecsmith.index import Scoring
from vecsmith.stores import searching_stores, store_named

SHARES = (1 / 2, 3 / 8, 1 / 4, 3 / 16, 1 / 8, 3 / 32, 1 / 16, 1 / 32)
"""Sizes of codes to try if no size is given, in bytes per dimension."""


def targets() -> tuple[str, ...]:
    """Return the targets of a choice: an `Index` that scans the codes, storage alone, or a store that searches them."""
    return ("index", "storage", *searching_stores())


class ChosenCodec(Codec):
    """A codec that `auto` has chosen and fitted.

    Attributes
    ----------
    predictions_ : list of Prediction
        Predictions for all candidates.
    """

    predictions_: list[Prediction]


def auto(
    X: VectorsLike,
    *,
    bytes: int | None = None,
    min_retention: float | None = None,
    target: str = "index",
    queries: int | None = None,
    corpus_size: int | None = None,
    seed: int = 0,
) -> ChosenCodec:
    """Choose a codec for vectors and fit it on all of them, as ``vecsmith fit auto`` does.

    Parameters
    ----------
    X : array-like of shape (n, d), or EmbeddingSet
        Vectors of the documents.
    bytes : int, optional
        Maximum bytes per vector: the codec with the highest predicted retention is chosen. Give either this or
        `min_retention`.
    min_retention : float, optional
        Minimum retention of nDCG@10: the smallest codec is chosen for which the lower end of the 90 % interval is at
        least this share.
    target : {"index", "storage", "faiss", "usearch", "lancedb", "chroma", "pgvector"}
        Use of the codec. ``index`` chooses among codecs that `Index` searches without decoding, ``storage`` among all
        codecs, and the name of a store among the codecs that the store searches without decoding.
    queries : int, optional
        Number of judged queries that the intervals refer to; by default, a very large number.
    corpus_size : int, optional
        Number of documents that the corpus will have. The codec is then chosen by its retention among as many
        documents, because the loss of a codec grows with the corpus.
    seed : int
        Seed of the samples and codecs.

    Returns
    -------
    ChosenCodec
        The fitted codec. Its ``predictions_`` list every candidate.

    Raises
    ------
    VecsmithError
        If an argument is invalid, there are too few vectors, or no candidate qualifies.

    Examples
    --------
    >>> import numpy as np, vecsmith
    >>> X = np.random.default_rng(0).standard_normal((1000, 64)).astype("float32")
    >>> vecsmith.auto(X, bytes=16).bytes_per_vector
    16
    """
    vectors = as_unit(X)
    chosen, predictions = choose(
        vectors, bytes, min_retention, seed, target=target, queries=queries, corpus_size=corpus_size
    )
    codec = ChosenCodec(chosen.codec, seed)
    codec.fit(vectors)
    codec.predictions_ = predictions
    return codec


def choose(
    vectors: UnitVectors,
    size: int | None,
    min_retention: float | None,
    seed: int = 0,
    validation: ValidationTask | None = None,
    target: str = "index",
    queries: int | None = None,
    corpus_size: int | None = None,
) -> tuple[Prediction, list[Prediction]]:
    """Choose a codec by its size or by its predicted retention.

    Parameters
    ----------
    vectors : UnitVectors
        Vectors of the documents.
    size : int or None
        Maximum bytes per vector. Give either this or `min_retention`.
    min_retention : float or None
        Minimum retention of nDCG@10.
    seed : int
        Seed of the codecs and samples.
    validation : ValidationTask, optional
        Judged queries to measure the candidates on. By default, retention is predicted from the documents.
    target : str
        One of `targets`.
    queries : int, optional
        Number of judged queries that the intervals refer to; by default, a very large number.
    corpus_size : int, optional
        Number of documents that the corpus will have, whose retention is then decisive.

    Returns
    -------
    chosen : Prediction
        The chosen codec: that with the highest retention in `size` bytes, or the smallest with a retention of
        `min_retention`.
    predictions : list of Prediction
        All candidates.

    Raises
    ------
    VecsmithError
        If both or neither of `size` and `min_retention` are given, the target is unknown, or no candidate qualifies.
    """
    if (size is None) == (min_retention is None):
        raise VecsmithError("Give either --bytes or --min-retention, not both.")
    if min_retention is not None and not 0 < min_retention < 1:
        raise VecsmithError(f"--min-retention {min_retention} is not a share between 0 and 1; give one such as 0.98.")
    if target not in targets():
        raise unknown("target", target, targets())
    specs = candidates(vectors.shape[1], size, target)
    store_scoring = store_named(target).scoring if target in searching_stores() else None
    scoring: Scoring = store_scoring or "asymmetric"
    if validation is None:
        predictions = predict(specs, vectors, seed, queries, scoring, corpus_size)
    else:
        predictions = measure_on_queries(specs, validation, seed, queries, scoring, corpus_size)
    qualified = [each for each in predictions if each.scanned or target != "index"]
    return (best(qualified) if min_retention is None else smallest(qualified, min_retention)), predictions


def candidates(dimensions: int, size: int | None, target: str = "index") -> list[str]:
    """Return the specs of the codecs to try for vectors of d dimensions.

    Parameters
    ----------
    dimensions : int
        Dimensions d.
    size : int or None
        Maximum bytes per vector. None gives codecs of many sizes, from two bytes to a quarter of a bit per dimension.
    target : str
        One of `targets`. For a store, only codecs whose codes it searches are returned.

    Raises
    ------
    VecsmithError
        If `size` is less than one byte, or the store searches no codes of this size.
    """
    if size is not None and size < 1:
        raise VecsmithError(f"--bytes {size} leaves nothing to store; give 1 or more.")
    store = store_named(target) if target in searching_stores() else None
    d, sizes = dimensions, [size] if size is not None else [round(dimensions * share) for share in SHARES]
    costs = {"float16": 2 * d, "int8": d, "int4": -(-d // 2), "levels4": -(-d // 4)}
    if store:
        costs |= {"float32": 4 * d, "binary": -(-d // 8)}
    specs = [spec for spec, cost in costs.items() if size is None or cost <= size]
    for each in filter(None, dict.fromkeys(sizes)):
        specs += [f"{family}{min(each, d // 2)}B" for family in ("trellis", "hybrid") if d > 1]
        # some of these take long to fit; many sizes are tried only for stores, which search few kinds of codes
        specs += _other_codecs(d, each) if store or size is not None else []
        specs += _store_codecs(d, each) if store else []
    specs = [spec for spec in dict.fromkeys(specs) if not store or store.searches(Codec(spec))]
    if not specs:
        raise VecsmithError(f"{target} searches no codes of {size} bytes without decoding them; give more --bytes.")
    return specs


def _other_codecs(d: int, size: int) -> Iterator[str]:
    """Yield further codecs of exactly `size` bytes for vectors of d dimensions."""
    if size < d:
        yield f"pca{size},int8"
    if 2 * size < d:
        yield f"pca{2 * size},int4"
    if d > 1:
        yield f"binary-autoencoder{min(size, d // 2)}B"


def _store_codecs(d: int, size: int) -> Iterator[str]:
    """Yield codecs for stores that search only bits or floats."""
    if size <= d // 8:
        yield f"itq{size}B"
    if 1 <= size // 4 < d:
        yield f"pca{size // 4}"


def best(predictions: Sequence[Prediction]) -> Prediction:
    """Return the prediction with the highest retention; among equals, the smallest codec."""
    return max(predictions, key=lambda prediction: (prediction.decisive.retention, -prediction.bytes_per_vector))


def smallest(predictions: Sequence[Prediction], min_retention: float) -> Prediction:
    """Return the smallest codec whose interval lies above `min_retention`; of several, the one that retains most.

    Raises
    ------
    VecsmithError
        If there is no such codec.
    """
    qualified = [prediction for prediction in predictions if prediction.decisive.low >= min_retention]
    if not qualified:
        highest = max(predictions, key=lambda prediction: prediction.decisive.low)
        raise VecsmithError(
            f"No candidate has a retention of {min_retention:.2%} with confidence: {highest.codec} keeps at least "
            f"{highest.decisive.low:.1%}; ask for that, or stay with float32."
        )
    return min(qualified, key=lambda prediction: (prediction.bytes_per_vector, -prediction.decisive.retention))
