"""What codecs are likely to keep of nDCG@10: predicted from documents alone, or measured on judged queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray

from vecsmith.advise.retention_interval import CALIBRATED, Z
from vecsmith.codecs import Codec
from vecsmith.embeddings import UnitVectors, sample_rows
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.compare import against, measure
from vecsmith.evaluation.expected_gain import DEPTH, ExpectedGain
from vecsmith.evaluation.folds import Encoded, encode_corpus
from vecsmith.evaluation.runner import Measurement
from vecsmith.index import Index, Scoring
from vecsmith.index.shortlist import score_shortlist
from vecsmith.progress import track
from vecsmith.tasks import Task

Floats = NDArray[np.float32]

DOCUMENTS = 50_000
"""Maximum vectors that candidates are tried on."""
PSEUDO_QUERIES = 1000
"""Documents that serve as queries."""
REDUCER_FACTOR = 1.5
"""What the loss of a codec with reducers is multiplied with (docs/studies/prediction.md)."""


@dataclass(frozen=True)
class Prediction:
    """What a codec is likely to keep, and what it costs.

    Attributes
    ----------
    codec : str
        Its spec.
    bytes_per_vector : int
        Bytes stored per document.
    memory_bytes_per_vector : int
        Bytes per document that an `Index` holds in memory during a search.
    retention : float
        nDCG@10 over that of float32.
    low, high : float
        The 90 % interval: of the retention on a very large set of queries, or of what a given number of judged queries
        will measure.
    fit_seconds : float
        Time to fit on half of the vectors that it was tried on.
    encode_vectors_per_second : float
        In this process, on all its threads.
    scanned : bool
        Whether an `Index` scans the codes; if not, it holds the decoded vectors.
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
    """Documents that serve as queries, whose rankings are judged by `ExpectedGain`.

    Parameters
    ----------
    vectors : UnitVectors or ndarray of shape (n, d), float32
        Documents at unit length; of more than `DOCUMENTS` a sample is used, and no other is read.
    seed : int
        Seeds the sample, and which documents are queries.

    Attributes
    ----------
    documents : ndarray of shape (min(n, DOCUMENTS), d), float32
        The sample.

    Raises
    ------
    VecsmithError
        If there are too few documents.
    """

    def __init__(self, vectors: UnitVectors | Floats, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.documents = vectors[sample_rows(len(vectors), DOCUMENTS, rng)]
        # the vector of an empty text is zero and ranks nothing
        ranked = np.flatnonzero(self.documents.any(axis=1))
        if len(ranked) < 4 * DEPTH:
            raise VecsmithError(f"{len(ranked)} vectors are too few to predict from; give at least {4 * DEPTH}.")
        self._rows = ranked[sample_rows(len(ranked), PSEUDO_QUERIES, rng)]
        self._gain = ExpectedGain(self._scores(encode_corpus("float32", self.documents, seed=seed)))

    def loss(self, encoded: Encoded, scoring: Scoring = "asymmetric") -> float:
        """Return the share of float32's nDCG@10 that codes of the documents are likely to lose.

        Queries have more of their length in the directions that a reducer leaves out than documents have: see
        `REDUCER_FACTOR`.
        """
        loss = 1 - float(self._gain.retention(self._scores(encoded, scoring)).mean())
        return min(loss * REDUCER_FACTOR, 1) if encoded.parts[0].codec.reducers else loss

    def _scores(self, encoded: Encoded, scoring: Scoring = "asymmetric") -> Floats:
        """Return the float scores (n_queries, 10) of the documents that codes rank first, the query itself left out."""
        X, rows = self.documents, self._rows
        _, found = Index.from_partitions(encoded.parts, scoring).search(X[rows], DEPTH + 1)
        itself = found == rows[:, None]
        # where a document does not find itself, the last one is left out instead
        itself[~itself.any(axis=1), -1] = True
        return score_shortlist(X[rows], found[~itself].reshape(len(rows), DEPTH), lambda wanted: X[wanted])


def predict(
    specs: Sequence[str],
    vectors: UnitVectors | Floats,
    seed: int = 0,
    queries: int | None = None,
    scoring: Scoring = "asymmetric",
) -> list[Prediction]:
    """Predict what codecs keep from documents alone, cross-fitted.

    Documents serve as queries, and the documents that a codec ranks first for them are judged by `ExpectedGain`.

    Parameters
    ----------
    specs : sequence of str
        Codecs.
    vectors : UnitVectors or ndarray of shape (n, d), float32
        Documents at unit length; of more than 50,000 a sample is used, and no other is read.
    seed : int
        Seeds the sample, the queries and the codecs.
    queries : int, optional
        Number of judged queries that the interval is for; by default that of a very large set.
    scoring : {"asymmetric", "symmetric"}
        How the codes are searched.

    Raises
    ------
    VecsmithError
        If there are too few vectors or queries, or a codec does not suit them.
    """
    _check(queries)
    pseudo = PseudoQueries(vectors, seed)
    X = pseudo.documents
    predictions = []
    for spec in track(specs, "Trying codecs", len(specs)):
        encoded = encode_corpus(spec, X, seed=seed)
        loss = pseudo.loss(encoded, scoring)
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


def _check(queries: int | None) -> None:
    if queries is not None and queries < 1:
        raise VecsmithError(f"--queries {queries} measure nothing; give 1 or more, or leave it out.")


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


def judge(
    specs: Sequence[str],
    judged: Judged,
    seed: int = 0,
    queries: int | None = None,
    scoring: Scoring = "asymmetric",
) -> list[Prediction]:
    """Measure what codecs keep on judged queries, cross-fitted, with an interval over the queries.

    Parameters
    ----------
    specs : sequence of str
        Codecs.
    judged : Judged
        The queries.
    seed : int
        Seeds codecs and halves.
    queries : int, optional
        Number of other queries that the interval is for; by default that of a very large set.
    scoring : {"asymmetric", "symmetric"}
        How the codes are searched.
    """
    _check(queries)
    [[baseline, *measured]] = measure([judged.task], [judged.encoder], specs, [scoring], split=judged.split, seed=seed)
    predictions = []
    for spec, measurement in zip(specs, measured, strict=True):
        result = against(measurement, baseline)
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
    """Return how far other queries may move the retention in 90 % of cases, by the delta method for a ratio of means.

    Parameters
    ----------
    measurement, baseline : Measurement
        On the same queries.
    others : float
        Number of the other queries.
    """
    kept, reference = np.array(measurement.ndcg_at_10), np.array(baseline.ndcg_at_10)
    retention = kept.mean() / reference.mean()
    differences = (kept - retention * reference) / reference.mean()
    # few queries may by chance not differ at all
    spread = max(float(differences.std(ddof=1)) if len(kept) > 1 else 0, float(CALIBRATED.spread(0)))
    return Z * spread * sqrt(1 / len(kept) + 1 / others)
