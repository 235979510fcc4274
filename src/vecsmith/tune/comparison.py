"""Measurement of a tuning on test queries: all of them, and those with and without seen documents."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vecsmith.array_types import Doubles, RowMask
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.evaluation.metrics import Quality
from vecsmith.tune.data import TuningData, relevant
from vecsmith.tune.popularity import Popularity
from vecsmith.tune.verdict import Verdict

SEEN_SHARE = 0.2
"""Share of seen documents from which the test queries return to the documents of the training queries."""


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

    Attributes
    ----------
    judged : JudgedQueries
        The test queries.
    quality : Quality
        Quality of the vectors before tuning.
    """

    def __init__(self, data: TuningData) -> None:
        self.data = data
        self.judged = JudgedQueries(data.task, data.test, data.queries.ids, data.corpus.ids)
        self.queries, self.documents = data.queries.unit[self.judged.rows], data.corpus.unit[:]
        self.quality = self.judged.search_exactly(self.queries, self.documents)

    @property
    def seen_share(self) -> float:
        """Share of the test judgements of relevant documents whose document is relevant to a training query too."""
        judgements = self.data.task.judgements(self.data.test)
        documents = [document for query in self.quality.query_ids for document in relevant(judgements[query])]
        return float(np.mean([document in self.data.seen for document in documents]))

    def popularity(self) -> tuple[float, Doubles | None]:
        """Return the weight of the popularity baseline and its nDCG@10 of each query; None without judgements."""
        data = self.data
        if not data.is_judged:
            return 0.0, None
        everyone = data.validation(np.unique(data.pairs.relevant[:, 0]), both=False)
        fitted = Popularity.fit(data.pairs, everyone)
        return fitted.weight, fitted.quality(self.judged, self.queries, self.documents, data.rows).ndcg_at_10

    def compare(self, after: Quality, popular: Doubles | None, before: Quality | None = None) -> list[Comparison]:
        """Compare the quality after tuning with the quality before, for each group of queries.

        Parameters
        ----------
        after : Quality
            Quality after tuning.
        popular : ndarray of shape (n_queries,) or None
            nDCG@10 of the popularity baseline.
        before : Quality, optional
            Quality before tuning; by default that of the vectors.
        """
        old = (self.quality if before is None else before).ndcg_at_10
        return [
            Comparison(
                name,
                int(group.sum()),
                Verdict.of(f"nDCG@10 of {group.sum()} queries", old[group], after.ndcg_at_10[group]),
                None if popular is None else float(popular[group].mean()),
            )
            for name, group in self._groups()
        ]

    def _groups(self) -> Iterator[tuple[str, RowMask]]:
        """Yield names and masks of groups of the measured queries that are not empty."""
        judgements = self.data.task.judgements(self.data.test)
        ids = self.quality.query_ids
        seen = np.array([bool(relevant(judgements[query]) & self.data.seen) for query in ids])
        groups = {"all": np.ones(len(seen), np.bool_), "seen": seen, "unseen": ~seen}
        yield from ((name, group) for name, group in groups.items() if group.any())
