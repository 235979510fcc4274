"""Popularity baseline: cosines plus a prior of documents that are relevant to many training queries."""

from dataclasses import dataclass

import numpy as np

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.evaluation.metrics import Quality
from vecsmith.training import JudgedPairs
from vecsmith.tune.held_out import Validation, cosines

WEIGHTS = (0.0, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2)
"""Candidate weights of the prior."""


@dataclass(frozen=True)
class Popularity:
    """Scores ⟨q, d⟩ + w log(1 + number of training queries that d is relevant to).

    The baseline learns nothing about queries. An adapter that does not rank seen documents better than this has learned
    which documents tend to be relevant.

    Attributes
    ----------
    weight : float
        w.
    prior : ndarray of shape (n,), float32
        w log(1 + count) of each document.
    """

    weight: float
    prior: Floats

    @classmethod
    def fit(cls, pairs: JudgedPairs, validation: Validation) -> "Popularity":
        """Choose the weight of highest nDCG@10 on the training queries, each without its own judgements in the counts.

        Parameters
        ----------
        pairs : JudgedPairs
            The training judgements.
        validation : Validation
            All queries of `pairs` with a relevant document, in the same order.
        """
        n, rows = len(pairs.documents), validation.rows
        counts = np.bincount(pairs.relevant[:, 1], minlength=n)
        # a relevant document of a query has one judgement less without the query's own
        own = np.isin(np.unique(pairs.relevant[:, 0])[:, None] * n + rows, pairs.relevant @ np.array([n, 1]))
        others = counts[rows] - own
        plain, prior = cosines(validation.queries, validation.documents, rows), np.log1p(others)
        quality = {weight: validation.rank(np.asarray(plain + weight * prior, np.float32)) for weight in WEIGHTS}
        weight = max(quality, key=lambda each: quality[each])
        return cls(weight, np.asarray(weight * np.log1p(counts), np.float32))

    def quality(self, judged: JudgedQueries, Q: Floats, D: Floats, rows: RowNumbers) -> Quality:
        """Return the quality of the rankings of all documents (n, d) for the judged queries (m, d).

        `rows` are the rows of the documents of the training judgements.
        """
        prior = np.zeros((len(D), 1), np.float32)
        prior[rows, 0] = self.prior
        return judged.search_exactly(np.hstack([Q, np.ones((len(Q), 1), np.float32)]), np.hstack([D, prior]))
