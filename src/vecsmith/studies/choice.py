"""Choosing a codec for given vectors: what each candidate is likely to keep, before there are judgements."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vecsmith.codecs import Codec
from vecsmith.codecs.base import Quantiser
from vecsmith.embeddings import UnitVectors
from vecsmith.errors import VecsmithError
from vecsmith.metrics.expected_gain import DEPTH, ExpectedGain
from vecsmith.progress import track
from vecsmith.search import Encoded, Index, encode_corpus
from vecsmith.search.exact import score_shortlist
from vecsmith.studies.bench import Measurement
from vecsmith.studies.compare import against, measure
from vecsmith.studies.findings import Table
from vecsmith.tasks import Task

Floats = NDArray[np.float32]

DOCUMENTS = 50_000
"""Vectors that candidates are tried on at most."""
PSEUDO_QUERIES = 1000
"""Documents that are taken for queries."""
SPREAD = 1.75
"""How many times smaller or larger than predicted nine of ten losses are, at most (docs/choosing.md)."""
FLOOR = 0.002
"""What retention may differ by where nothing is lost."""


@dataclass(frozen=True)
class Prediction:
    """What a codec is likely to keep, and what it costs.

    Attributes
    ----------
    codec : str
        Its spec.
    bytes_per_vector : int
        Stored per document.
    retention : float
        nDCG@10 over that of float32, as predicted, for float queries.
    low, high : float
        What lies in the middle 90 % of how such predictions turn out.
    fit_seconds : float
        Time to fit on half of what it was tried on.
    encode_vectors_per_second : float
        In this process, on all its threads.
    scanned : bool
        Whether an index scans the codes; if not, it holds the decoded vectors.
    """

    codec: str
    bytes_per_vector: int
    retention: float
    low: float
    high: float
    fit_seconds: float
    encode_vectors_per_second: float
    scanned: bool


def sized(dimensions: int, size: int) -> list[str]:
    """Return the candidates for a budget of `size` bytes a vector of d dimensions.

    Raises
    ------
    VecsmithError
        If the budget is not at least a byte.
    """
    if size < 1:
        raise VecsmithError(f"--bytes {size} leaves nothing to store; give 1 or more.")
    whole = {"float16": 2 * dimensions, "int8": dimensions, "int4": -(-dimensions // 2), "levels4": -(-dimensions // 4)}
    fitting = [spec for spec, cost in whole.items() if cost <= size]
    reduced = [f"pca{size},int8"] if size < dimensions else []
    reduced += [f"pca{2 * size},int4"] if 2 * size < dimensions else []
    learned = min(size, dimensions // 2)
    families = ["trellis", "hybrid", "binary-autoencoder"] if learned else []
    return [*fitting, *reduced, *(f"{family}{learned}B" for family in families)]


def ladder(dimensions: int) -> list[str]:
    """Return candidates of many sizes, from two bytes a dimension to a quarter of a bit, largest first."""
    shares = (1 / 2, 3 / 8, 1 / 4, 3 / 16, 1 / 8, 3 / 32, 1 / 16, 1 / 32)
    sizes = dict.fromkeys(round(dimensions * share) for share in shares if round(dimensions * share) >= 1)
    learned = [f"{family}{size}B" for size in sizes for family in ("trellis", "hybrid") if size <= dimensions // 2]
    return ["float16", "int8", "int4", *learned]


def predict(specs: Sequence[str], vectors: UnitVectors | Floats, seed: int = 0) -> list[Prediction]:
    """Predict what codecs keep from documents alone, cross-fitted.

    Documents are taken for queries, and what a codec finds for them among the others is judged by `ExpectedGain`.

    Parameters
    ----------
    specs : sequence of str
        Codecs.
    vectors : UnitVectors or ndarray of shape (n, d), float32
        Documents at unit length; of more than 50,000 a sample is used, and no other is read.
    seed : int
        Seeds the sample, the queries and the codecs.

    Raises
    ------
    VecsmithError
        If there are too few vectors, or a codec does not suit them.
    """
    rng = np.random.default_rng(seed)
    n = len(vectors)
    if n < 4 * DEPTH:
        raise VecsmithError(f"{n} vectors are too few to predict from; give at least {4 * DEPTH}.")
    X = vectors[np.sort(rng.permutation(n)[:DOCUMENTS])]
    # the vector of an empty text is zero and ranks nothing
    queries = np.sort(rng.permutation(np.flatnonzero(X.any(axis=1)))[:PSEUDO_QUERIES])
    gain = ExpectedGain(_scores(X, queries, encode_corpus("float32", X, seed=seed)))
    predictions = []
    for spec in track(specs, "Trying codecs", len(specs)):
        encoded = encode_corpus(spec, X, seed=seed)
        loss = 1 - float(gain.retention(_scores(X, queries, encoded)).mean())
        interval = (1 - SPREAD * loss - FLOOR, 1 - loss / SPREAD + FLOOR)
        predictions.append(_prediction(spec, encoded, len(X), 1 - loss, interval))
    return predictions


def _scores(X: Floats, queries: NDArray[np.int64], encoded: Encoded) -> Floats:
    """Return the float scores (queries, 10) of the documents that an index of codes finds, without the query itself."""
    _, rows = Index.of_parts(encoded.parts).search(X[queries], DEPTH + 1)
    itself = rows == queries[:, None]
    # where a document does not find itself, the last one goes instead
    itself[~itself.any(axis=1), -1] = True
    return score_shortlist(X[queries], rows[~itself].reshape(len(queries), DEPTH), lambda wanted: X[wanted])


def _prediction(spec: str, encoded: Encoded, n: int, retention: float, interval: tuple[float, float]) -> Prediction:
    codec = encoded.parts[0].codec
    rate = n / encoded.encode_seconds
    scanned = type(codec.quantiser).index is not Quantiser.index
    return Prediction(spec, codec.bytes_per_vector, retention, *interval, encoded.fit_seconds, rate, scanned)


@dataclass(frozen=True)
class Judged:
    """A task whose judged queries codecs may be chosen by: not those that a figure is reported on later.

    Attributes
    ----------
    task : Task
        The task.
    encoder : str
        Spec of the encoder.
    split : str
        Such as ``dev`` or ``train``.
    """

    task: Task
    encoder: str
    split: str


def judge(specs: Sequence[str], judged: Judged, seed: int = 0) -> list[Prediction]:
    """Measure what codecs keep on judged queries, cross-fitted, with an interval over the queries.

    Parameters
    ----------
    specs : sequence of str
        Codecs.
    judged : Judged
        The queries.
    seed : int
        Seeds codecs and halves.
    """
    [[baseline, *measured]] = measure([judged.task], [judged.encoder], specs, split=judged.split, seed=seed)
    predictions = []
    for spec, measurement in zip(specs, measured, strict=True):
        result = against(measurement, baseline)
        error = sampling_error(measurement, baseline)
        scanned = type(Codec(spec).quantiser).index is not Quantiser.index
        interval = (result.retention - error, result.retention + error)
        costs = (result.fit_seconds, result.encode_vectors_per_second)
        kept = (result.retention, *interval)
        predictions.append(Prediction(spec, result.bytes_per_vector, *kept, *costs, scanned))
    return predictions


def sampling_error(measurement: Measurement, baseline: Measurement) -> float:
    """Return what other queries change of the retention in 90 % of cases, by the delta method for a ratio of means."""
    kept, reference = np.array(measurement.ndcg_at_10), np.array(baseline.ndcg_at_10)
    differences = kept - kept.mean() / reference.mean() * reference
    return 1.645 * float(differences.std(ddof=1) / np.sqrt(len(kept)) / reference.mean())


def choose(
    vectors: UnitVectors, size: int | None, keep: float | None, seed: int = 0, judged: Judged | None = None
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

    Raises
    ------
    VecsmithError
        If both or neither of `size` and `keep` are given, or no candidate does.
    """
    if (size is None) == (keep is None):
        raise VecsmithError("Give either --bytes or --keep, not both.")
    dimensions = vectors.shape[1]
    specs = ladder(dimensions) if size is None else sized(dimensions, size)
    predictions = predict(specs, vectors, seed) if judged is None else judge(specs, judged, seed)
    return (best(predictions) if keep is None else smallest(predictions, keep)), predictions


def best(predictions: Sequence[Prediction]) -> Prediction:
    """Return the one that keeps most; of equals, the smallest."""
    return max(predictions, key=lambda prediction: (prediction.retention, -prediction.bytes_per_vector))


def smallest(predictions: Sequence[Prediction], keep: float) -> Prediction:
    """Return the smallest whose interval lies above `keep`; of equals, the one that keeps most.

    Raises
    ------
    VecsmithError
        If `keep` is no share, or there is none.
    """
    if not 0 < keep < 1:
        raise VecsmithError(f"--keep {keep} is not a share between 0 and 1; give one such as 0.98.")
    sure = [prediction for prediction in predictions if prediction.low >= keep]
    if not sure:
        surest = max(predictions, key=lambda prediction: prediction.low)
        raise VecsmithError(
            f"No candidate is sure to keep {keep:.2%}: {surest.codec} keeps at least {surest.low:.1%}; "
            "ask for that, or stay with float32."
        )
    return min(sure, key=lambda prediction: (prediction.bytes_per_vector, -prediction.retention))


def trade_off(predictions: Sequence[Prediction]) -> Table:
    """Return predictions as a table, largest codes first."""
    title = "What codecs keep of float32's nDCG@10, cross-fitted, for float queries"
    return Table(
        "trade-off",
        title,
        ["codec", "bytes", "keeps", "90 % of cases", "fit s", "enc/s", "index"],
        [*_rows(predictions)],
    )


def _rows(predictions: Sequence[Prediction]) -> Iterator[list[str]]:
    for each in sorted(predictions, key=lambda prediction: (-prediction.bytes_per_vector, -prediction.retention)):
        costs = [f"{each.fit_seconds:.1f}", f"{each.encode_vectors_per_second:,.0f}"]
        interval = f"{each.low:.1%} – {min(each.high, 1):.1%}"
        index = "scans codes" if each.scanned else "holds floats"
        yield [each.codec, str(each.bytes_per_vector), f"{each.retention:.1%}", interval, *costs, index]
