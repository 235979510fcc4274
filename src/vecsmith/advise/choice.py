"""Choosing a codec for given vectors: `vecsmith fit auto`."""

from collections.abc import Iterator, Sequence

from vecsmith.advise.prediction import Judged, Prediction, judge, predict
from vecsmith.codecs import Codec
from vecsmith.embeddings import UnitVectors, VectorsLike, as_unit
from vecsmith.errors import VecsmithError, unknown
from vecsmith.index import Scoring
from vecsmith.report.findings import Table
from vecsmith.stores import searching_stores, store_named

SHARES = (1 / 2, 3 / 8, 1 / 4, 3 / 16, 1 / 8, 3 / 32, 1 / 16, 1 / 32)
"""Sizes that are tried where none is given, in bytes per dimension."""


def targets() -> tuple[str, ...]:
    """Return the targets of a choice: an `Index` that scans the codes, storage alone, or a store that searches them."""
    return ("index", "storage", *searching_stores())


class ChosenCodec(Codec):
    """A codec that `auto` has chosen and fitted.

    Attributes
    ----------
    predictions_ : list of Prediction
        What was predicted for it and for all other candidates.
    """

    predictions_: list[Prediction]


def auto(
    X: VectorsLike,
    *,
    bytes: int | None = None,
    keep: float | None = None,
    target: str = "index",
    queries: int | None = None,
    seed: int = 0,
) -> ChosenCodec:
    """Choose a codec for vectors and fit it on all of them, as ``vecsmith fit auto`` does.

    Parameters
    ----------
    X : array-like of shape (n, d), or EmbeddingSet
        The documents' vectors.
    bytes : int, optional
        Choose what keeps most in so many bytes a vector; give either this or `keep`.
    keep : float, optional
        Choose the smallest codec that keeps at least this share of nDCG@10, by the lower end of the 90 % interval.
    target : {"index", "storage", "faiss", "usearch", "lancedb", "chroma", "pgvector"}
        What the codec is for: ``index`` chooses among codecs that `Index` searches without decoding them, ``storage``
        among all, and the name of a store among those that it searches without decoding them.
    queries : int, optional
        Number of judged queries that the intervals are for; by default that of a very large set.
    seed : int
        Seeds samples and codecs.

    Returns
    -------
    ChosenCodec
        The fitted codec; its ``predictions_`` list every candidate.

    Raises
    ------
    VecsmithError
        If an argument makes no sense, there are too few vectors, or no candidate qualifies.

    Examples
    --------
    >>> import numpy as np, vecsmith
    >>> X = np.random.default_rng(0).standard_normal((1000, 64)).astype("float32")
    >>> vecsmith.auto(X, bytes=16).bytes_per_vector
    16
    """
    vectors = as_unit(X)
    chosen, predictions = choose(vectors, bytes, keep, seed, target=target, queries=queries)
    codec = ChosenCodec(chosen.codec, seed)
    codec.fit(vectors)
    codec.predictions_ = predictions
    return codec


def choose(
    vectors: UnitVectors,
    size: int | None,
    keep: float | None,
    seed: int = 0,
    judged: Judged | None = None,
    target: str = "index",
    queries: int | None = None,
) -> tuple[Prediction, list[Prediction]]:
    """Try candidates, and return what keeps most in `size` bytes, or the smallest that keeps `keep`; and all of them.

    Parameters
    ----------
    vectors : UnitVectors
        The documents.
    size : int or None
        Bytes a vector.
    keep : float or None
        A share of nDCG@10; give one of the two.
    seed : int
        Seeds codecs and samples.
    judged : Judged, optional
        Queries to measure on, instead of predicting from the documents.
    target : str
        One of `targets`.
    queries : int, optional
        Number of queries that the intervals are for; by default that of a very large set.

    Raises
    ------
    VecsmithError
        If both or neither of `size` and `keep` are given, the target is unknown, or no candidate qualifies.
    """
    if (size is None) == (keep is None):
        raise VecsmithError("Give either --bytes or --min-retention, not both.")
    if keep is not None and not 0 < keep < 1:
        raise VecsmithError(f"--min-retention {keep} is not a share between 0 and 1; give one such as 0.98.")
    if target not in targets():
        raise unknown("target", target, targets())
    specs = candidates(vectors.shape[1], size, target)
    store_scoring = store_named(target).scoring if target in searching_stores() else None
    scoring: Scoring = store_scoring or "asymmetric"
    if judged is None:
        predictions = predict(specs, vectors, seed, queries, scoring)
    else:
        predictions = judge(specs, judged, seed, queries, scoring)
    qualified = [each for each in predictions if each.scanned or target != "index"]
    return (best(qualified) if keep is None else smallest(qualified, keep)), predictions


def candidates(dimensions: int, size: int | None, target: str = "index") -> list[str]:
    """Return the codecs to try for vectors of d dimensions.

    Parameters
    ----------
    dimensions : int
        Dimensions d.
    size : int or None
        Most bytes a vector; None for many sizes, from two bytes a dimension to a quarter of a bit.
    target : str
        One of `targets`; for a store, only codecs that it searches are returned.

    Raises
    ------
    VecsmithError
        If the budget is not at least a byte, or the store searches no codes of this size.
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
        # some take long to fit: many sizes are tried only for stores, which search few kinds of codes
        specs += _others(d, each) if store or size is not None else []
        specs += _for_stores(d, each) if store else []
    specs = [spec for spec in dict.fromkeys(specs) if not store or store.searches(Codec(spec))]
    if not specs:
        raise VecsmithError(f"{target} searches no codes of {size} bytes without decoding them; give more --bytes.")
    return specs


def _others(d: int, size: int) -> Iterator[str]:
    """Yield more codecs of just so many bytes for vectors of d dimensions."""
    if size < d:
        yield f"pca{size},int8"
    if 2 * size < d:
        yield f"pca{2 * size},int4"
    if d > 1:
        yield f"binary-autoencoder{min(size, d // 2)}B"


def _for_stores(d: int, size: int) -> Iterator[str]:
    """Yield codecs for stores that search bits or floats alone."""
    if size <= d // 8:
        yield f"itq{size}B"
    if 1 <= size // 4 < d:
        yield f"pca{size // 4}"


def best(predictions: Sequence[Prediction]) -> Prediction:
    """Return the one that keeps most; of equals, the smallest."""
    return max(predictions, key=lambda prediction: (prediction.retention, -prediction.bytes_per_vector))


def smallest(predictions: Sequence[Prediction], keep: float) -> Prediction:
    """Return the smallest whose interval lies above `keep`; of equals, the one that keeps most.

    Raises
    ------
    VecsmithError
        If there is none.
    """
    sure = [prediction for prediction in predictions if prediction.low >= keep]
    if not sure:
        surest = max(predictions, key=lambda prediction: prediction.low)
        raise VecsmithError(
            f"No candidate is sure to keep {keep:.2%}: {surest.codec} keeps at least {surest.low:.1%}; "
            "ask for that, or stay with float32."
        )
    return min(sure, key=lambda prediction: (prediction.bytes_per_vector, -prediction.retention))


def trade_off(predictions: Sequence[Prediction], queries: int | None = None) -> Table:
    """Return predictions as a table, largest codes first."""
    of = "of a very large set of queries" if queries is None else f"of what {queries:,} judged queries will measure"
    title = f"What codecs keep of float32's nDCG@10, cross-fitted; 90 % intervals {of}"
    columns = ["codec", "bytes", "in memory", "keeps", "90 % interval", "fit s", "enc/s", "index"]
    return Table("trade-off", title, columns, [*_rows(predictions)])


def _rows(predictions: Sequence[Prediction]) -> Iterator[list[str]]:
    for each in sorted(predictions, key=lambda prediction: (-prediction.bytes_per_vector, -prediction.retention)):
        sizes = [str(each.bytes_per_vector), str(each.memory_bytes_per_vector)]
        kept = [f"{each.retention:.1%}", f"{each.low:.1%} – {each.high:.1%}"]
        costs = [f"{each.fit_seconds:.1f}", f"{each.encode_vectors_per_second:,.0f}"]
        yield [each.codec, *sizes, *kept, *costs, "scans codes" if each.scanned else "holds floats"]
