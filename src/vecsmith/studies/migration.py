"""Planning the switch from one embedding model to another: what each way keeps, from a sample embedded by both."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from vecsmith.embeddings import EmbeddingSet
from vecsmith.errors import VecsmithError
from vecsmith.metrics.expected_gain import DEPTH, ExpectedGain
from vecsmith.progress import track
from vecsmith.search.exact import score_shortlist
from vecsmith.studies.findings import Findings, Table
from vecsmith.translators import fit_sets, join, translate_set, translator

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

METHOD = "canonical"
"""The translator."""
SAMPLE = 20_000
"""Texts embedded by both models that a plan looks at, at most."""
FOLDS = 5
"""Every text is translated by a translator that has not seen it: one of so many."""
PSEUDO_QUERIES = 1000
SHORTLIST = 200
"""Documents whose texts are embedded again for a query."""
RE_EMBEDDED = (0.1, 0.25, 0.5)
"""Shares of the documents that are embedded again before the switch."""
SHARES = (0.25, 0.5, 1.0)
"""Of the pairs, to see how many are needed."""
SPREAD = (0.1, 1.75)
"""How many times the predicted loss nine of ten losses are, at least and at most (docs/migrate.md)."""
FLOOR = 0.005
"""What retention may differ by where nothing is lost."""
FEWEST = 200
"""Pairs that a plan needs."""
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
        nDCG@10 over that of the new model's own index, as predicted.
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


@dataclass(frozen=True)
class Plan:
    """What a switch costs and keeps.

    Attributes
    ----------
    pairs, documents : int
        Texts that both models embedded, and all that the old one did.
    method : str
        The translator.
    ways : list of Way
        The ways to switch.
    learning : list of (int, float, float)
        Pairs fitted on, and what translated queries and translated documents keep then.
    clusters : list of Cluster
        Where the translator is weak: worst first.
    """

    pairs: int
    documents: int
    method: str
    ways: list[Way]
    learning: list[tuple[int, float, float]]
    clusters: list[Cluster]


def plan(old: EmbeddingSet, new: EmbeddingSet, method: str = METHOD, seed: int = 0) -> Plan:
    """Predict what each way of switching keeps of the new model's nDCG@10.

    Documents are taken for queries, each with its own vector of the new model, and judged by `ExpectedGain` under the
    new model's scores. Every document and query is translated by a translator that has not seen it.

    Parameters
    ----------
    old : EmbeddingSet
        The documents in the old index.
    new : EmbeddingSet
        A sample of them, by id, embedded by the new model; of more than 20,000 a random part is looked at.
    method : str
        Spec of the translator.
    seed : int
        Seeds samples and translators.

    Raises
    ------
    VecsmithError
        If fewer than 200 texts are embedded by both.
    """
    pairs = join(old, new)
    if len(pairs) < FEWEST:
        raise VecsmithError(
            f"{len(pairs)} texts embedded by both models are too few to plan on; embed {FEWEST} or more."
        )
    chosen = np.sort(np.random.default_rng(seed).permutation(len(pairs))[:SAMPLE])
    trial = _Trial(old.unit[pairs.source[chosen]], new.unit[pairs.target[chosen]], method, seed, len(old))
    learning = [
        (round(share * trial.pairs), *trial.kept(share)) for share in track(SHARES, "Fitting translators", len(SHARES))
    ]
    texts = old.texts or old.ids
    examples = [texts[row] for row in pairs.source[chosen]]
    return Plan(len(pairs), len(old), method, list(trial.ways()), learning, trial.clusters(examples))


def apply(
    old: EmbeddingSet, new: EmbeddingSet, path: str | Path, method: str = METHOD, seed: int = 0
) -> tuple[EmbeddingSet, int]:
    """Write all documents in the new model's space, and return them and how many were translated.

    Documents that the new model embedded keep those vectors; the others are translated, by a translator fitted on the
    former. Interrupted and called again, it goes on.

    Parameters
    ----------
    old, new, method, seed
        As of `plan`.
    path : str or Path
        The folder to write.

    Raises
    ------
    VecsmithError
        If the sets have no ids in common, or `path` holds something else.
    """
    fitted = translator(method, seed)
    pairs = fit_sets(fitted, old, new)
    return translate_set(fitted, old, path, known=new), len(old) - len(pairs)


class _Trial:
    """A sample in both spaces, A of the old and B of the new model, and what is tried on it."""

    def __init__(self, A: Floats, B: Floats, method: str, seed: int, documents: int) -> None:
        self.A, self.B, self.method, self.seed = A, B, method, seed
        self.n = len(A)
        rng = np.random.default_rng(seed)
        self.fold = rng.permutation(self.n) % FOLDS
        self.queries = np.sort(rng.permutation(np.flatnonzero(A.any(axis=1) & B.any(axis=1)))[:PSEUDO_QUERIES])
        self.gain = ExpectedGain(self._scores(self._found(B[self.queries], B, DEPTH)))
        # as large a part of the sample as the shortlist is of all documents
        self.shortlist = max(DEPTH, round(SHORTLIST * self.n / documents))

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
    def documents(self) -> Floats:
        """All documents, translated to the new space."""
        return self._translate(self.A, self.B)

    def _found(self, Q: Floats, D: Floats, k: int) -> Rows:
        """Return the first k documents (queries, k) of each query, without itself."""
        k = min(k, self.n - 1)
        index = faiss.IndexFlatIP(D.shape[1])
        index.add(D)
        rows = index.search(np.ascontiguousarray(Q), k + 1)[1]
        itself = rows == self.queries[:, None]
        itself[~itself.any(axis=1), -1] = True
        return np.asarray(rows[~itself].reshape(len(rows), k))

    def _scores(self, rows: Rows) -> Floats:
        return score_shortlist(self.B[self.queries], rows, lambda wanted: self.B[wanted])

    def _each(self, Q: Floats, D: Floats) -> NDArray[np.float64]:
        return self.gain.retention(self._scores(self._found(Q, D, DEPTH)))

    def kept(self, share: float) -> tuple[float, float]:
        """Return what translated queries and translated documents keep, with a share of the pairs."""
        old, new = self.A, self.B
        queries = self._translate(new, old, share)[self.queries]
        documents = self.documents if share == 1 else self._translate(old, new, share)
        return float(self._each(queries, old).mean()), float(self._each(new[self.queries], documents).mean())

    def ways(self) -> Iterator[Way]:
        """Yield the ways to switch."""
        Q = self.B[self.queries]
        queries, documents = self.kept(1.0)
        yield Way("queries translated, the old index stays", queries)
        yield Way("documents translated", documents)
        shortlist = np.sort(self._scores(self._found(Q, self.documents, self.shortlist)), axis=1)[:, ::-1]
        best = self.gain.retention(shortlist[:, :DEPTH])
        yield Way(f"documents translated, the top {SHORTLIST} of a query embedded when it is asked", float(best.mean()))
        weakest = np.argsort(-self._weakness, kind="stable")
        for share in RE_EMBEDDED:
            mixed = self.documents.copy()
            again = weakest[: round(share * self.n)]
            mixed[again] = self.B[again]
            name = f"documents translated, the weakest {share:.0%} embedded before"
            yield Way(name, float(self._each(Q, mixed).mean()), share)

    @cached_property
    def _cluster(self) -> Rows:
        """The cluster of every document, in the old space."""
        k = int(np.clip(self.n // CLUSTER, 2, MOST_CLUSTERS))
        kmeans = faiss.Kmeans(self.A.shape[1], k, seed=self.seed + 1, spherical=True)
        kmeans.train(self.A)
        return np.asarray(kmeans.index.search(self.A, 1)[1][:, 0])

    @cached_property
    def _weakness(self) -> NDArray[np.float64]:
        """How far translations are off in a document's cluster, which is known before the document is embedded."""
        error = 1 - (self.documents * self.B).sum(axis=1)
        means = np.array([error[self._cluster == each].mean() for each in range(self._cluster.max() + 1)])
        return np.asarray(means[self._cluster])

    def clusters(self, texts: list[str]) -> list[Cluster]:
        """Return the clusters that have pseudo-queries, the weakest first."""
        each = self._each(self.B[self.queries], self.documents)
        found = []
        for number in np.unique(self._cluster[self.queries]):
            members = np.flatnonzero(self._cluster == number)
            kept = float(each[self._cluster[self.queries] == number].mean())
            middle = members[np.argmax(self.A[members] @ self.A[members].mean(axis=0))]
            found.append(Cluster(len(members), kept, texts[middle]))
        return sorted(found, key=lambda cluster: cluster.retention)


def findings(found: Plan) -> Findings:
    """Return a plan as tables."""
    ways = [
        [
            way.name,
            f"{way.re_embedded:.0%}",
            f"{way.retention:.1%}",
            f"{max(way.interval[0], 0):.1%} – {min(way.interval[1], 1):.1%}",
        ]
        for way in found.ways
    ]
    learning = [[str(pairs), f"{queries:.1%}", f"{documents:.1%}"] for pairs, queries, documents in found.learning]
    clusters = [
        [str(each.rows), f"{each.retention:.1%}", " ".join(each.example.split())[:80]] for each in found.clusters
    ]
    about = (
        f"What each way keeps of the new model's own nDCG@10, predicted from {found.pairs:,} texts embedded by both, "
        f"of {found.documents:,}; translator {found.method}"
    )
    return Findings(
        [
            Table("ways", about, ["way", "embedded before", "keeps", "90 % of cases"], ways),
            Table("learning", "How many pairs", ["pairs", "queries translated", "documents translated"], learning),
            Table("clusters", "Where the translator is weak", ["of the sample", "keeps", "such as"], clusters),
        ]
    )
