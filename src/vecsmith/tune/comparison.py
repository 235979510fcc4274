"""Measurement of a tuning on test queries: all of them, and those with and without seen documents."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vecsmith.array_types import Doubles, Floats, RowMask, RowNumbers
from vecsmith.evaluation.folds import encode_corpus
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.evaluation.metrics import Quality
from vecsmith.index import Index
from vecsmith.tune.data import TuningData, relevant
from vecsmith.tune.popularity import Popularity
from vecsmith.tune.verdict import Verdict

SEEN_SHARE = 0.2
"""Share of seen documents from which the test queries return to the documents of the training queries."""
FLOAT = "float32"


@dataclass(frozen=True)
class Comparison:
    """Mean nDCG@10 of a group of test queries.

    Attributes
    ----------
    name : str
        ``all``; ``seen``: a relevant document is relevant to a training query too; ``unseen``: the others.
    queries : int
        Number of queries.
    verdict : Verdict
        Comparison with the vectors before tuning.
    popularity : float or None
        nDCG@10 of the popularity baseline; None without training judgements.
    """

    name: str
    queries: int
    verdict: Verdict
    popularity: float | None


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """Measurement of a tuning on the test queries.

    Attributes
    ----------
    validated_on : str
        Description of the validation queries.
    comparisons : list of Comparison
        All test queries, then those with and without seen documents, where there are any.
    seen_share : float
        Share of the test judgements of relevant documents whose document is relevant to a training query too.
    popularity_weight : float
        Chosen weight of the popularity baseline.
    """

    validated_on: str
    comparisons: list[Comparison]
    seen_share: float
    popularity_weight: float

    @property
    def verdict(self) -> Verdict:
        """The verdict on all test queries."""
        return self.comparisons[0].verdict

    @property
    def advice(self) -> str:
        """A sentence that says which group of test queries stands for the user's queries."""
        share = f"{self.seen_share:.0%} of the relevant test documents are relevant to training queries too"
        if self.seen_share < SEEN_SHARE:
            return f"{share}: your queries ask for new documents, so expect the gain of the unseen ones."
        return (
            f"{share}: if your users return to the same documents, expect the gain of all queries, otherwise the "
            "gain of the unseen ones."
        )


class Baseline:
    """Test queries of a task and their nDCG@10 before tuning.

    Parameters
    ----------
    data : TuningData
        Judgements, and the vectors before tuning.
    codec : str, optional
        Spec of a codec, with whose codes the documents are measured too.

    Attributes
    ----------
    queries, documents : ndarray of shape (m, d) and (n, d), float32
        Unit vectors of the test queries and of the documents.
    """

    def __init__(self, data: TuningData, codec: str | None = None) -> None:
        self.data = data
        self.codec = codec
        self._judged = JudgedQueries(data.task, data.test, data.queries.ids, data.corpus.ids)
        self.queries, self.documents = data.queries.unit[self._judged.rows], data.corpus.unit[:]
        self._before = self._measure(self.queries, self.documents)

    @property
    def rows(self) -> RowNumbers:
        """Rows of the test queries among the task's queries."""
        return self._judged.rows

    @property
    def seen_share(self) -> float:
        """Share of the test judgements of relevant documents whose document is relevant to a training query too."""
        documents = [document for query in self._ids for document in self._relevant(query)]
        return float(np.mean([document in self.data.seen for document in documents]))

    @cached_property
    def popularity(self) -> tuple[float, Doubles | None]:
        """Weight of the popularity baseline and its nDCG@10 of each query; None without training judgements."""
        data = self.data
        if not data.is_judged:
            return 0.0, None
        everyone = data.validation(np.unique(data.pairs.relevant[:, 0]), both=False)
        fitted = Popularity.fit(data.pairs, everyone)
        return fitted.weight, fitted.quality(self._judged, self.queries, self.documents, data.rows).ndcg_at_10

    def compare(self, Q: Floats, D: Floats) -> dict[str, list[Comparison]]:
        """Compare tuned vectors with those before tuning, for each group of queries.

        Parameters
        ----------
        Q, D : ndarray of shape (m, d) and (n, d), float32
            Tuned unit vectors of the test queries and of the documents.

        Returns
        -------
        dict of str to list of Comparison
            Comparisons with the codes of the codec, if there is one, and without, by the codec's spec.
        """
        after, popular = self._measure(Q, D), self.popularity[1]

        def of(spec: str, name: str, group: RowMask) -> Comparison:
            metric = f"nDCG@10 of {group.sum()} queries" + (f" with {spec} codes" if spec != FLOAT else "")
            old, new = (measured[spec].ndcg_at_10[group] for measured in (self._before, after))
            prior = None if popular is None else float(popular[group].mean())
            return Comparison(name, int(group.sum()), Verdict.of(metric, old, new), prior)

        return {spec: [of(spec, *group) for group in self._groups()] for spec in after}

    def _measure(self, Q: Floats, D: Floats) -> dict[str, Quality]:
        """Return the quality of rankings by cross-fitted codes, if there is a codec, and by vectors."""
        measured = {}
        if self.codec is not None:
            encoded = encode_corpus(self.codec, D, seed=self.data.seed)
            index = Index.from_partitions(encoded.parts, "asymmetric", None, self.data.corpus.ids)
            measured[self.codec] = self._judged.search(index, Q)
        return {**measured, FLOAT: self._judged.search_exactly(Q, D)}

    @property
    def _ids(self) -> list[str]:
        return self._before[FLOAT].query_ids

    def _relevant(self, query: str) -> set[str]:
        return relevant(self.data.task.judgements(self.data.test)[query])

    def _groups(self) -> Iterator[tuple[str, RowMask]]:
        """Yield names and masks of groups of the measured queries that are not empty."""
        seen = np.array([bool(self._relevant(query) & self.data.seen) for query in self._ids])
        groups = {"all": np.ones(len(seen), np.bool_), "seen": seen, "unseen": ~seen}
        yield from ((name, group) for name, group in groups.items() if group.any())
