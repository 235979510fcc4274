"""Simulate a switch of models on a sample of documents, and estimate the quality of each migration option."""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import faiss
import numpy as np

from vecsmith.advise.pseudo_queries import MAX_PSEUDO_QUERIES, without_own
from vecsmith.array_types import Doubles, Floats, RowNumbers
from vecsmith.embeddings import sample_rows
from vecsmith.evaluation.expected_gain import NDCG_DEPTH, ExpectedGain
from vecsmith.evaluation.folds import Fold
from vecsmith.evaluation.translation import FOLDS, cross_translate
from vecsmith.index.shortlist import score_shortlist
from vecsmith.translators import ScoreCalibration

EMBEDDED_PER_QUERY = 200
"""Documents per query whose texts the new model embeds at query time."""
RE_EMBEDDED = (0.1, 0.25, 0.5)
"""Shares of the documents that the new model embeds before the switch."""
LOSS_RATIOS = (-0.55, 1.75)
"""5 % and 95 % quantiles of the measured loss divided by the predicted loss, on new tasks and models
(docs/studies/migration.md). A ratio below zero is a gain: an old model may be better than the new one."""
INTERVAL_FLOOR = 0.01
"""Half-width of the interval of the retention if the predicted loss is zero."""
PAIRS_PER_CLUSTER = 100
"""Mean number of documents in a cluster."""
MAX_CLUSTERS = 12


@dataclass(frozen=True)
class MigrationOption:
    """An option for the switch from one model to another, and its predicted retention.

    Attributes
    ----------
    name : str
        Description of the option.
    retention : float
        Predicted nDCG@10 divided by that of the new model's own index. If an auxiliary model is fused, it is fused
        with both.
    re_embedded : float
        Share of the documents that the new model embeds before the switch.
    """

    name: str
    retention: float
    re_embedded: float = 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """90 % interval of the retention that real queries will show."""
        loss = 1 - self.retention
        return 1 - LOSS_RATIOS[1] * loss - INTERVAL_FLOOR, 1 - LOSS_RATIOS[0] * loss + INTERVAL_FLOOR


@dataclass(frozen=True)
class Cluster:
    """A cluster of similar documents, and the retention for queries like them.

    Attributes
    ----------
    rows : int
        Number of sampled documents in the cluster.
    retention : float
        Retention for the pseudo-queries of the cluster if the documents are translated.
    example : str
        Text of the document nearest to the centroid, or its id.
    """

    rows: int
    retention: float
    example: str


class MigrationSimulation:
    """A sample of documents embedded by both models, on which migration options are simulated.

    Some of the documents serve as queries. Each query has its own vector of the new model.

    Parameters
    ----------
    A, B : ndarray of shape (n, a) and (n, b), float32
        Unit vectors of the old and of the new model.
    method : str
        Spec of the translator.
    seed : int
        Seed of the samples and of the translators.
    documents : int
        Number of all documents in the old index.
    """

    def __init__(self, A: Floats, B: Floats, method: str, seed: int, documents: int) -> None:
        self.A, self.B, self.method, self.seed = A, B, method, seed
        self.n = len(A)
        rng = np.random.default_rng(seed)
        self.folds = _shuffled_folds(rng.permutation(self.n) % FOLDS, seed)
        nonzero = np.flatnonzero(A.any(axis=1) & B.any(axis=1))
        self.queries = nonzero[sample_rows(len(nonzero), MAX_PSEUDO_QUERIES, rng)]
        self._use_auxiliary(np.empty((self.n, 0), np.float32))
        # the shortlist is the same share of the sample as EMBEDDED_PER_QUERY is of all documents
        self.shortlist = max(NDCG_DEPTH, round(EMBEDDED_PER_QUERY * self.n / documents))

    def with_auxiliary(self, vectors: Floats) -> Self:
        """Return a simulation that adds the scores of an auxiliary model's unit vectors (n, c) to all scores."""
        fused = copy(self)
        fused._use_auxiliary(vectors)
        return fused

    def _use_auxiliary(self, vectors: Floats) -> None:
        self.C = vectors
        self.reference = np.hstack([self.B, vectors])
        self.gain = ExpectedGain(self._reference_scores(self._search(self.B[self.queries], self.B, NDCG_DEPTH)))

    @property
    def pairs(self) -> int:
        """Pairs of vectors that the translator of a fold is fitted on."""
        return self.n - self.n // FOLDS

    def _translate(self, X: Floats, Y: Floats, share: float = 1.0) -> Floats:
        """Translate X to the space of Y with cross-fitting, on a share of the pairs."""
        folds = [Fold(train[: max(round(share * len(train)), FOLDS)], rows) for train, rows in self.folds]
        return cross_translate(self.method, X, Y, self.seed, folds)[0]

    @cached_property
    def _queries_in_old_space(self) -> Floats:
        return self._translate(self.B, self.A)

    @cached_property
    def _documents_in_new_space(self) -> Floats:
        return self._translate(self.A, self.B)

    def _search(self, Q: Floats, D: Floats, k: int) -> RowNumbers:
        """Return the rows (n_queries, k) of the k first documents of each query, without the query itself."""
        k = min(k, self.n - 1)
        documents = np.hstack([D, self.C])
        index = faiss.IndexFlatIP(documents.shape[1])
        index.add(documents)
        rows = index.search(np.hstack([Q, self.C[self.queries]]), k + 1)[1]
        return without_own(rows, self.queries)

    def _reference_scores(self, rows: RowNumbers) -> Floats:
        """Return the scores of documents by the new model and the auxiliary model."""
        return score_shortlist(self.reference[self.queries], rows, lambda chosen: self.reference[chosen])

    def _retention_by_query(self, Q: Floats, D: Floats) -> Doubles:
        return self.gain.retention(self._reference_scores(self._search(Q, D, NDCG_DEPTH)))

    def retention(self, share: float) -> tuple[float, float]:
        """Return the retention with translated queries and with translated documents.

        Parameters
        ----------
        share : float
            Share of the pairs that the translators are fitted on.
        """
        queries = self._queries_in_old_space if share == 1 else self._translate(self.B, self.A, share)
        documents = self._documents_in_new_space if share == 1 else self._translate(self.A, self.B, share)
        by_query = (
            self._retention_by_query(queries[self.queries], self.A),
            self._retention_by_query(self.B[self.queries], documents),
        )
        return float(by_query[0].mean()), float(by_query[1].mean())

    def options(self) -> Iterator[MigrationOption]:
        """Yield the migration options."""
        Q, D = self.B[self.queries], self._documents_in_new_space
        queries, documents = self.retention(1.0)
        yield MigrationOption("queries translated, the old index stays", queries)
        yield MigrationOption("documents translated", documents)
        shortlist = np.sort(self._reference_scores(self._search(Q, D, self.shortlist)), axis=1)[:, ::-1]
        reranked = self.gain.retention(shortlist[:, :NDCG_DEPTH])
        yield MigrationOption(
            f"documents translated, the top {EMBEDDED_PER_QUERY} of a query embedded at query time",
            float(reranked.mean()),
        )
        weakest = np.argsort(-self._translation_errors, kind="stable")
        calibration = ScoreCalibration.fit(self.B, D, self.seed)
        for share in RE_EMBEDDED:
            mixed = D.copy()
            re_embedded = weakest[: round(share * self.n)]
            mixed[re_embedded] = calibration.transform(self.B[re_embedded])
            name = f"documents translated, the weakest {share:.0%} embedded before"
            yield MigrationOption(name, float(self._retention_by_query(Q, mixed).mean()), share)

    @cached_property
    def _cluster(self) -> RowNumbers:
        """Cluster number (n,) of every document, by k-means in the old space."""
        k = int(np.clip(self.n // PAIRS_PER_CLUSTER, 2, MAX_CLUSTERS))
        kmeans = faiss.Kmeans(self.A.shape[1], k, seed=(self.seed + 1) % 2**31, spherical=True)
        kmeans.train(self.A)
        return np.asarray(kmeans.index.search(self.A, 1)[1][:, 0])

    @cached_property
    def _translation_errors(self) -> Doubles:
        """Mean translation error (n,) of each document's cluster, known before the new model embeds the document."""
        error = 1 - (self._documents_in_new_space * self.B).sum(axis=1)
        sums, sizes = np.bincount(self._cluster, error), np.bincount(self._cluster)
        return np.asarray((sums / np.maximum(sizes, 1))[self._cluster])

    def clusters(self, texts: list[str]) -> list[Cluster]:
        """Return the clusters that contain pseudo-queries, in ascending order of retention.

        Parameters
        ----------
        texts : list of str
            Text or id of each sampled document.
        """
        by_query = self._retention_by_query(self.B[self.queries], self._documents_in_new_space)
        clusters = []
        for number in np.unique(self._cluster[self.queries]):
            members = np.flatnonzero(self._cluster == number)
            retention = float(by_query[self._cluster[self.queries] == number].mean())
            central = members[np.argmax(self.A[members] @ self.A[members].mean(axis=0))]
            clusters.append(Cluster(len(members), retention, texts[central]))
        return sorted(clusters, key=lambda cluster: cluster.retention)


def _shuffled_folds(numbers: RowNumbers, seed: int) -> list[Fold]:
    """Return the folds for fold numbers (n,) of rows, with shuffled training sets and sorted rows."""
    return [
        Fold(np.random.default_rng(seed).permutation(np.flatnonzero(numbers != fold)), np.flatnonzero(numbers == fold))
        for fold in range(FOLDS)
    ]
