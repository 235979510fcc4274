"""A switch of models tried on a sample: what is found among translated vectors, judged by the new model's scores."""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import faiss
import numpy as np
from numpy.typing import NDArray

from vecsmith.embeddings import sample_rows
from vecsmith.evaluation.expected_gain import DEPTH, ExpectedGain
from vecsmith.index.shortlist import score_shortlist
from vecsmith.translators import ScoreCalibration, translator

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

FOLDS = 5
"""Every text is translated by a translator that has not seen it: one of so many."""
PSEUDO_QUERIES = 1000
SHORTLIST = 200
"""Documents whose texts are embedded again for a query."""
RE_EMBEDDED = (0.1, 0.25, 0.5)
"""Shares of the documents that are embedded again before the switch."""
SPREAD = (0.1, 1.75)
"""How many times the predicted loss nine of ten losses are, at least and at most (docs/migrate.md)."""
FLOOR = 0.005
"""What retention may differ by where nothing is lost."""
CLUSTER = 100
"""Pairs a cluster, on the average."""
MOST_CLUSTERS = 12


@dataclass(frozen=True)
class Way:
    """A way to switch, and what it is likely to keep.

    Attributes
    ----------
    name : str
        What is done.
    retention : float
        nDCG@10 over that of the new model's own index, with the same model beside, as predicted.
    re_embedded : float
        Share of the documents that the new model embeds before the switch.
    """

    name: str
    retention: float
    re_embedded: float = 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """What lies in the middle 90 % of how such predictions turn out."""
        loss = 1 - self.retention
        return 1 - SPREAD[1] * loss - FLOOR, 1 - SPREAD[0] * loss + FLOOR


@dataclass(frozen=True)
class Cluster:
    """Texts that are alike.

    Attributes
    ----------
    rows : int
        How many.
    retention : float
        What pseudo-queries among them keep when documents are translated.
    example : str
        The text nearest to their middle, or its id.
    """

    rows: int
    retention: float
    example: str


class Trial:
    """A sample in both spaces, and what is tried on it; some of its documents are taken for queries.

    Parameters
    ----------
    A, B : ndarray of shape (n, a) and (n, b)
        Unit vectors of the old and of the new model.
    method : str
        Spec of the translator.
    seed : int
        Seeds samples and translators.
    documents : int
        How many there are in all.
    """

    def __init__(self, A: Floats, B: Floats, method: str, seed: int, documents: int) -> None:
        self.A, self.B, self.method, self.seed = A, B, method, seed
        self.n = len(A)
        rng = np.random.default_rng(seed)
        self.fold = rng.permutation(self.n) % FOLDS
        nonzero = np.flatnonzero(A.any(axis=1) & B.any(axis=1))
        self.queries = nonzero[sample_rows(len(nonzero), PSEUDO_QUERIES, rng)]
        self._judge_beside(np.empty((self.n, 0), np.float32))
        # as large a part of the sample as the shortlist is of all documents
        self.shortlist = max(DEPTH, round(SHORTLIST * self.n / documents))

    def beside(self, vectors: Floats) -> Self:
        """Return the same trial with the scores of another model's unit vectors (n, c) added to all others."""
        other = copy(self)
        other._judge_beside(vectors)
        return other

    def _judge_beside(self, vectors: Floats) -> None:
        self.C = vectors
        self.whole = np.hstack([self.B, vectors])
        self.gain = ExpectedGain(self._scores(self._found(self.B[self.queries], self.B, DEPTH)))

    @property
    def pairs(self) -> int:
        """Pairs that a fold is fitted on."""
        return self.n - self.n // FOLDS

    def _translate(self, X: Floats, Y: Floats, share: float = 1.0) -> Floats:
        """Return X in the space of Y, every row by a translator that has not seen it."""
        translated = np.empty_like(Y)
        for fold in range(FOLDS):
            rows = np.random.default_rng(self.seed).permutation(np.flatnonzero(self.fold != fold))
            rows = rows[: max(round(share * len(rows)), FOLDS)]
            unseen = self.fold == fold
            translated[unseen] = translator(self.method, self.seed).fit(X[rows], Y[rows]).transform(X[unseen])
        return translated

    @cached_property
    def _old(self) -> Floats:
        """All new vectors, translated to the old space."""
        return self._translate(self.B, self.A)

    @cached_property
    def _new(self) -> Floats:
        """All old vectors, translated to the new space."""
        return self._translate(self.A, self.B)

    def _found(self, Q: Floats, D: Floats, k: int) -> Rows:
        """Return the first k documents (queries, k) of each query, without itself."""
        k = min(k, self.n - 1)
        documents = np.hstack([D, self.C])
        index = faiss.IndexFlatIP(documents.shape[1])
        index.add(documents)
        rows = index.search(np.hstack([Q, self.C[self.queries]]), k + 1)[1]
        itself = rows == self.queries[:, None]
        itself[~itself.any(axis=1), -1] = True
        return np.asarray(rows[~itself].reshape(len(rows), k))

    def _scores(self, rows: Rows) -> Floats:
        return score_shortlist(self.whole[self.queries], rows, lambda wanted: self.whole[wanted])

    def _each(self, Q: Floats, D: Floats) -> NDArray[np.float64]:
        return self.gain.retention(self._scores(self._found(Q, D, DEPTH)))

    def kept(self, share: float) -> tuple[float, float]:
        """Return what translated queries and translated documents keep, with a share of the pairs."""
        queries = self._old if share == 1 else self._translate(self.B, self.A, share)
        documents = self._new if share == 1 else self._translate(self.A, self.B, share)
        kept = self._each(queries[self.queries], self.A), self._each(self.B[self.queries], documents)
        return float(kept[0].mean()), float(kept[1].mean())

    def ways(self) -> Iterator[Way]:
        """Yield the ways to switch."""
        Q = self.B[self.queries]
        queries, documents = self.kept(1.0)
        yield Way("queries translated, the old index stays", queries)
        yield Way("documents translated", documents)
        shortlist = np.sort(self._scores(self._found(Q, self._new, self.shortlist)), axis=1)[:, ::-1]
        best = self.gain.retention(shortlist[:, :DEPTH])
        yield Way(f"documents translated, the top {SHORTLIST} of a query embedded when it is asked", float(best.mean()))
        weakest, level = np.argsort(-self._weakness, kind="stable"), ScoreCalibration.fit(self.B, self._new, self.seed)
        for share in RE_EMBEDDED:
            mixed = self._new.copy()
            again = weakest[: round(share * self.n)]
            mixed[again] = level.transform(self.B[again])
            name = f"documents translated, the weakest {share:.0%} embedded before"
            yield Way(name, float(self._each(Q, mixed).mean()), share)

    @cached_property
    def _cluster(self) -> Rows:
        """The cluster of every document, in the old space."""
        k = int(np.clip(self.n // CLUSTER, 2, MOST_CLUSTERS))
        kmeans = faiss.Kmeans(self.A.shape[1], k, seed=(self.seed + 1) % 2**31, spherical=True)
        kmeans.train(self.A)
        return np.asarray(kmeans.index.search(self.A, 1)[1][:, 0])

    @cached_property
    def _weakness(self) -> NDArray[np.float64]:
        """How far translations are off in a document's cluster, which is known before the document is embedded."""
        error = 1 - (self._new * self.B).sum(axis=1)
        sums, sizes = np.bincount(self._cluster, error), np.bincount(self._cluster)
        return np.asarray((sums / np.maximum(sizes, 1))[self._cluster])

    def clusters(self, texts: list[str]) -> list[Cluster]:
        """Return the clusters that have pseudo-queries, the weakest first."""
        each = self._each(self.B[self.queries], self._new)
        found = []
        for number in np.unique(self._cluster[self.queries]):
            members = np.flatnonzero(self._cluster == number)
            kept = float(each[self._cluster[self.queries] == number].mean())
            middle = members[np.argmax(self.A[members] @ self.A[members].mean(axis=0))]
            found.append(Cluster(len(members), kept, texts[middle]))
        return sorted(found, key=lambda cluster: cluster.retention)
