"""The retention of nDCG@10 by codecs: predicted from documents alone, or measured on judged queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np

from vecsmith.advise.retention_interval import CALIBRATED, Z
from vecsmith.array_types import Floats, RowNumbers
from vecsmith.codecs import Codec
from vecsmith.embeddings import UnitVectors, sample_rows
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.compare import compare_with_baseline, measure
from vecsmith.evaluation.expected_gain import NDCG_DEPTH, ExpectedGain
from vecsmith.evaluation.folds import Encoded, encode_corpus
from vecsmith.evaluation.measurement import Measurement
from vecsmith.index import Index, Scoring
from vecsmith.index.shortlist import score_shortlist
from vecsmith.progress import track
from vecsmith.tasks import Task

MAX_DOCUMENTS = 50_000
"""Maximum vectors that candidates are fitted and tested on."""
MAX_PSEUDO_QUERIES = 1000
"""Maximum number of documents used as queries."""
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
        nDCG@10 divided by that of float32.
    low, high : float
        90 % interval of the retention: on a very large set of queries, or as measured on a given number of judged
        queries.
    fit_seconds : float
        Time to fit the codec on half of the vectors.
    encode_vectors_per_second : float
        Measured in this process, on all its threads.
    scanned : bool
        Whether an `Index` scans the codes. If not, each search decodes all of them.
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


class PseudoQueries:
    """Documents that serve as queries; `ExpectedGain` estimates the quality of their rankings.

    Parameters
    ----------
    vectors : UnitVectors or ndarray of shape (n, d), float32
        Unit vectors of the documents. Of more than `MAX_DOCUMENTS`, only a sample is read.
    seed : int
        Seed of the sample and of the choice of queries.

    Attributes
    ----------
    documents : ndarray of shape (min(n, MAX_DOCUMENTS), d), float32
        The sample of documents.

    Raises
    ------
    VecsmithError
        If there are too few documents.
    """

    def __init__(self, vectors: UnitVectors | Floats, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.documents = vectors[sample_rows(len(vectors), MAX_DOCUMENTS, rng)]
        # empty texts have a zero vector, which cannot rank documents
        nonzero = np.flatnonzero(self.documents.any(axis=1))
        if len(nonzero) < 4 * NDCG_DEPTH:
            raise VecsmithError(f"{len(nonzero)} vectors are too few to predict from; give at least {4 * NDCG_DEPTH}.")
        self._rows = nonzero[sample_rows(len(nonzero), MAX_PSEUDO_QUERIES, rng)]
        self._gain = ExpectedGain(self._scores(encode_corpus("float32", self.documents, seed=seed)))

    def loss(self, encoded: Encoded, scoring: Scoring = "asymmetric") -> float:
        """Return the predicted loss of nDCG@10, as a share of that of float32, when codes replace the documents.

        The loss of a codec with reducers is multiplied by `REDUCER_FACTOR`, because queries have a larger share of
        their length than documents in the directions that a reducer removes.
        """
        loss = 1 - float(self._gain.retention(self._scores(encoded, scoring)).mean())
        return min(loss * REDUCER_FACTOR, 1) if encoded.parts[0].codec.reducers else loss

    def _scores(self, encoded: Encoded, scoring: Scoring = "asymmetric") -> Floats:
        """Return the float scores (n_queries, 10) of the ten first documents by codes, without the query itself."""
        X, rows = self.documents, self._rows
        _, ranked = Index.from_partitions(encoded.parts, scoring).search(X[rows], NDCG_DEPTH + 1)
        return score_shortlist(X[rows], without_own(ranked, rows), lambda chosen: X[chosen])


def without_own(ranked: RowNumbers, queries: RowNumbers) -> RowNumbers:
    """Remove each pseudo-query's own document from its ranking, or the last document if the own one is not in it.

    Parameters
    ----------
    ranked : ndarray of shape (n_queries, k + 1), int64
        Row numbers of the ranked documents, best first.
    queries : ndarray of shape (n_queries,), int64
        Row numbers of the documents that serve as queries.

    Returns
    -------
    ndarray of shape (n_queries, k), int64
        Row numbers of the other documents, best first.
    """
    own = ranked == queries[:, None]
    own[~own.any(axis=1), -1] = True
    return np.asarray(ranked[~own].reshape(len(queries), ranked.shape[1] - 1))


def predict(
    specs: Sequence[str],
    vectors: UnitVectors | Floats,
    seed: int = 0,
    queries: int | None = None,
    scoring: Scoring = "asymmetric",
) -> list[Prediction]:
    """Predict the retention of codecs from documents alone, with cross-fitting.

    Documents serve as queries, and `ExpectedGain` estimates the quality of their rankings.

    Parameters
    ----------
    specs : sequence of str
        Codecs.
    vectors : UnitVectors or ndarray of shape (n, d), float32
        Unit vectors of the documents. Of more than 50,000, only a sample is read.
    seed : int
        Seed of the sample, the queries and the codecs.
    queries : int, optional
        Number of judged queries that the interval refers to; by default, a very large number.
    scoring : {"asymmetric", "symmetric"}
        How queries are scored against codes.

    Raises
    ------
    VecsmithError
        If there are too few vectors or queries, or a codec does not suit the vectors.
    """
    _check_queries(queries)
    pseudo_queries = PseudoQueries(vectors, seed)
    X = pseudo_queries.documents
    predictions = []
    for spec in track(specs, "Trying codecs", len(specs)):
        encoded = encode_corpus(spec, X, seed=seed)
        loss = pseudo_queries.loss(encoded, scoring)
        low, high = CALIBRATED.bounds(max(loss, 0), queries or inf)
        codec = encoded.parts[0].codec
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
            )
        )
    return predictions


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
    """
    _check_queries(queries)
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
            )
        )
    return predictions


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
