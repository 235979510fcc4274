"""The retention of nDCG@10 by codecs: predicted from documents alone, or measured on judged queries."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, sqrt

import numpy as np

from vecsmith.advise.corpus_size import CALIBRATED_GROWTH, DEPTH, SHARES, Forecast, check_sizes, fit_exponents
from vecsmith.advise.pseudo_queries import MAX_DOCUMENTS, PseudoQueries
from vecsmith.advise.retention_interval import CALIBRATED, Z
from vecsmith.array_types import Doubles, Floats
from vecsmith.codecs import Codec
from vecsmith.embeddings import UnitVectors
from vecsmith.encoders import embed_task
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.compare import compare_with_baseline, measure
from vecsmith.evaluation.expected_gain import NDCG_DEPTH
from vecsmith.evaluation.folds import encode_corpus
from vecsmith.evaluation.measurement import Measurement
from vecsmith.index import Scoring
from vecsmith.progress import track
from vecsmith.stores import searching_stores, store_named
from vecsmith.tasks import Task

REDUCER_FACTOR = 1.5
"""Factor by which the predicted loss of a codec with reducers is multiplied (docs/studies/prediction.md)."""


@dataclass(frozen=True)
class Prediction:
    """The predicted retention of a codec, and its costs.

    Attributes
    ----------
    codec : str
        Spec of the codec.
    bytes_per_vector : int
        Bytes stored per document.
    memory_bytes_per_vector : int
        Bytes per document that an `Index` holds in memory during a search.
    retention : float
        nDCG@10 relative to float32.
    low, high : float
        90 % interval of the retention: on a very large set of queries, or as measured on a given number of judged
        queries.
    fit_seconds : float
        Time to fit the codec on half of the vectors.
    encode_vectors_per_second : float
        Measured in this process, on all its threads.
    scanned : bool
        Whether an `Index` scans the codes. If not, each search decodes all of them.
    stores : tuple of str
        Stores that search the codes without decoding them.
    future : Forecast or None
        The retention among the documents that the corpus will have, if their number was given.
    """

    codec: str
    bytes_per_vector: int
    memory_bytes_per_vector: int
    retention: float
    low: float
    high: float
    fit_seconds: float
    encode_vectors_per_second: float
    scanned: bool
    stores: tuple[str, ...] = ()
    future: Forecast | None = None

    @property
    def decisive(self) -> "Prediction | Forecast":
        """Retention by which a codec is chosen: in the future corpus if its size was given, otherwise in this one."""
        return self.future or self


def predict(
    specs: Sequence[str],
    vectors: UnitVectors | Floats,
    seed: int = 0,
    queries: int | None = None,
    scoring: Scoring = "asymmetric",
    corpus_size: int | None = None,
) -> list[Prediction]:
    """Predict the retention of codecs from documents alone, with cross-fitting.

    Documents serve as queries, and `ExpectedGain` estimates the quality of their rankings.

    Parameters
    ----------
    specs : sequence of str
        Codecs.
    vectors : UnitVectors or ndarray of shape (n, d), float32
        Unit vectors of the documents. Of more than 50,000, only a sample is tried, and the growth of the loss from the
        sample to all documents is predicted.
    seed : int
        Seed of the sample, the queries and the codecs.
    queries : int, optional
        Number of judged queries that the interval refers to; by default, a very large number.
    scoring : {"asymmetric", "symmetric"}
        How queries are scored against codes.
    corpus_size : int, optional
        Number of documents that the corpus will have, for `Prediction.future`.

    Raises
    ------
    VecsmithError
        If there are too few vectors or queries, the corpus size is too small, or a codec does not suit the vectors.
    """
    _check_queries(queries)
    if corpus_size is not None:
        check_sizes(len(vectors), corpus_size)
    grows = corpus_size is not None or len(vectors) > MAX_DOCUMENTS
    shares = SHARES if grows else (1.0,)
    pseudo_queries = PseudoQueries(vectors, seed, DEPTH if grows else NDCG_DEPTH)
    X = pseudo_queries.documents
    predictions, losses = [], []
    for spec in track(specs, "Trying codecs", len(specs)):
        encoded = encode_corpus(spec, X, seed=seed)
        losses.append(pseudo_queries.losses(encoded, scoring, shares))
        codec = encoded.parts[0].codec
        loss = predicted_loss(losses[-1][-1], codec)
        low, high = CALIBRATED.bounds(max(loss, 0), queries or inf)
        predictions.append(
            Prediction(
                spec,
                codec.bytes_per_vector,
                codec.memory_bytes_per_vector,
                1 - loss,
                float(low),
                float(high),
                encoded.fit_seconds,
                len(X) / encoded.encode_seconds,
                codec.quantizer.scanned,
                stores_of(codec),
            )
        )
    return with_growth(predictions, losses, len(X), len(vectors), corpus_size, seed) if grows else predictions


def predicted_loss(losses: Doubles, codec: Codec) -> float:
    """Return the predicted loss of a codec for the losses (n_queries,) of pseudo-queries.

    The loss of a codec with reducers is multiplied by `REDUCER_FACTOR`, because queries have a larger share of their
    length than documents in the directions that a reducer removes.
    """
    loss = float(losses.mean())
    return min(loss * REDUCER_FACTOR, 1) if codec.reducers else loss


def stores_of(codec: Codec) -> tuple[str, ...]:
    """Return the names of the stores that search the codes of a codec without decoding them."""
    return tuple(name for name in searching_stores() if store_named(name).searches(codec))


def with_growth(
    predictions: Sequence[Prediction],
    losses: Sequence[Doubles],
    tried: int,
    documents: int,
    corpus_size: int | None,
    seed: int,
) -> list[Prediction]:
    """Return predictions for all documents, and for a larger corpus if `corpus_size` is given.

    Parameters
    ----------
    predictions : sequence of Prediction
        Predictions among the documents that the codecs were tried on.
    losses : sequence of ndarray of shape (n_shares, n_queries)
        Losses of the codecs among shares of the documents (see `fit_exponents`).
    tried : int
        Number of documents that the codecs were tried on.
    documents : int
        Number of documents at hand.
    corpus_size : int or None
        Number of documents that the corpus will have.
    seed : int
        Seed of the bootstrap.
    """
    grown = []
    for each, exponent, variance in zip(predictions, *fit_exponents(losses, seed), strict=True):
        growth = CALIBRATED_GROWTH.growth(exponent, variance)
        known = Forecast(tried, each.retention, each.low, each.high)
        now = growth.forecast(known, documents)
        future = growth.forecast(known, corpus_size) if corpus_size else None
        grown.append(replace(each, retention=now.retention, low=now.low, high=now.high, future=future))
    return grown


def _check_queries(queries: int | None) -> None:
    if queries is not None and queries < 1:
        raise VecsmithError(f"--queries {queries} is not a number of queries; give 1 or more, or leave it out.")


@dataclass(frozen=True)
class ValidationTask:
    """A task whose judged queries serve as validation set, such as to choose a codec.

    The queries must not be those of a result that is reported later.

    Attributes
    ----------
    task : Task
        The task.
    encoder : str
        Spec of the encoder.
    split : str
        The split of the judgements, such as ``dev`` or ``train``.
    """

    task: Task
    encoder: str
    split: str


def measure_on_queries(
    specs: Sequence[str],
    validation: ValidationTask,
    seed: int = 0,
    queries: int | None = None,
    scoring: Scoring = "asymmetric",
    corpus_size: int | None = None,
) -> list[Prediction]:
    """Measure the retention of codecs on judged queries, with cross-fitting and an interval over the queries.

    Parameters
    ----------
    specs : sequence of str
        Codecs.
    validation : ValidationTask
        The judged queries.
    seed : int
        Seed of the codecs and of the halves of the corpus.
    queries : int, optional
        Number of other judged queries that the interval refers to; by default, a very large number.
    scoring : {"asymmetric", "symmetric"}
        How queries are scored against codes.
    corpus_size : int, optional
        Number of documents that the corpus will have, for `Prediction.future`. The growth of the loss is predicted from
        the documents.

    Raises
    ------
    VecsmithError
        If an argument is invalid, or the corpus size is too small.
    """
    _check_queries(queries)
    documents = len(validation.task.corpus)
    if corpus_size is not None:
        check_sizes(documents, corpus_size)
    [[baseline, *measured]] = measure(
        [validation.task], [validation.encoder], specs, [scoring], split=validation.split, seed=seed
    )
    predictions = []
    for spec, measurement in zip(specs, measured, strict=True):
        result = compare_with_baseline(measurement, baseline)
        error = sampling_error(measurement, baseline, queries or inf)
        predictions.append(
            Prediction(
                spec,
                result.bytes_per_vector,
                result.memory_bytes_per_vector,
                result.retention,
                result.retention - error,
                result.retention + error,
                result.fit_seconds,
                result.encode_vectors_per_second,
                Codec(spec).quantizer.scanned,
                stores_of(Codec(spec)),
            )
        )
    if corpus_size is None:
        return predictions
    corpus, _ = embed_task(validation.task, validation.encoder)
    pseudo_queries = PseudoQueries(corpus.unit, seed, DEPTH)
    losses = [
        pseudo_queries.losses(encode_corpus(spec, pseudo_queries.documents, seed=seed), scoring, SHARES)
        for spec in track(specs, "Predicting the growth of the loss", len(specs))
    ]
    return with_growth(predictions, losses, documents, documents, corpus_size, seed)


def sampling_error(measurement: Measurement, baseline: Measurement, others: float = inf) -> float:
    """Return the half-width of the 90 % interval of the retention on other queries.

    The standard error is that of a ratio of two means, by the delta method.

    Parameters
    ----------
    measurement, baseline : Measurement
        Measurements on the same queries.
    others : float
        Number of the other queries.
    """
    ndcg, reference = np.array(measurement.ndcg_at_10), np.array(baseline.ndcg_at_10)
    retention = ndcg.mean() / reference.mean()
    differences = (ndcg - retention * reference) / reference.mean()
    # a small number of queries may show no difference by chance, so the spread has a lower bound
    spread = max(float(differences.std(ddof=1)) if len(ndcg) > 1 else 0, float(CALIBRATED.spread(0)))
    return Z * spread * sqrt(1 / len(ndcg) + 1 / others)
