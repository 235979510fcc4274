"""Vectors and judgements of a task for tuning, and the queries that validate it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.embeddings import EmbeddingSet
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.judged_pairs import judged_pairs, training_rows
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.tasks import Task
from vecsmith.training import Candidates, JudgedPairs
from vecsmith.translators.adapter import NEGATIVES
from vecsmith.tune.held_out import Validation, document_folds, nearest

TRAIN, DEV, NO_SPLIT = "train", "dev", "none"
"""Default split, split of validation queries, and the name for no split."""
FOLDS = 3
"""Folds of the training queries where there is no dev split."""
MIN_QUERIES = 10
"""Minimum number of training queries, and of dev queries with unseen documents."""


class Fold(NamedTuple):
    """Training queries, and validation queries whose relevant documents are not relevant to any of them."""

    training: Candidates
    validation: Validation


@dataclass(frozen=True)
class TuningData:
    """Vectors of a task and the judgements that an adapter is trained on.

    Attributes
    ----------
    task : Task
        The task.
    split, test : str
        Splits of the judgements to train on and to measure on.
    corpus, queries : EmbeddingSet
        Vectors of the documents and queries.
    seed : int
        Seed of the folds, and of the sample of a large corpus.
    teacher : (corpus, queries), optional
        Vectors of the documents and queries by another encoder, whose cosines are the teacher's scores.

    Raises
    ------
    VecsmithError
        If a split is missing, or there are too few judgements.
    """

    task: Task
    split: str
    test: str
    corpus: EmbeddingSet
    queries: EmbeddingSet
    seed: int
    teacher: tuple[EmbeddingSet, EmbeddingSet] | None = None

    @cached_property
    def rows(self) -> RowNumbers:
        """Rows of the documents used in training: all of a small corpus."""
        return training_rows(self.task, self.split, self.corpus, self.seed)

    @cached_property
    def pairs(self) -> JudgedPairs:
        """Training judgements, except for queries that are also in the test split."""
        pairs = judged_pairs(self.task, self.split, self.queries, self.corpus, self.rows)
        tested = self.task.judgements(self.test)
        kept = np.array([self.query_ids[row] not in tested for row in pairs.relevant[:, 0]], np.bool_)
        pairs = JudgedPairs(pairs.queries, pairs.documents, pairs.relevant[kept])
        count = len(np.unique(pairs.relevant[:, 0]))
        if count < MIN_QUERIES:
            raise VecsmithError(
                f"The split {self.split} of {self.task.name} has relevant documents for {count} queries that "
                f"{self.test} does not judge, which is too few; give judgements of {MIN_QUERIES} queries or more."
            )
        return pairs

    @cached_property
    def query_ids(self) -> list[str]:
        """Ids of the queries of `pairs`."""
        judged = self.task.judgements(self.split)
        return [id_ for id_ in self.queries.ids if id_ in judged]

    @cached_property
    def candidates(self) -> Candidates:
        """Training queries with their candidates."""
        mined = self._mined()
        return mined if self.teacher is None else replace(mined, teacher=self._teacher_cosines(mined))

    def _teacher_cosines(self, candidates: Candidates) -> Floats:
        """Return the cosines (m, k) of the queries with their candidates, by the teacher."""
        assert self.teacher is not None
        corpus, queries = self.teacher
        row_of = {id_: row for row, id_ in enumerate(queries.ids)}
        Q = queries.unit[np.array([row_of[self.query_ids[query]] for query in candidates.queries], np.int64)]
        D = corpus.unit[self.rows]
        return np.stack([D[own] @ query for own, query in zip(candidates.documents, Q, strict=True)])

    def _mined(self) -> Candidates:
        mined = Candidates.mine(self.pairs, NEGATIVES)
        if not self.task.ignore_identical_ids:
            return mined
        # a query that is a document of the corpus is not its own negative; the last candidate takes its place
        row_of = {self.corpus.ids[row]: position for position, row in enumerate(self.rows.tolist())}
        own = np.array([row_of.get(self.query_ids[query], -1) for query in mined.queries])[:, None]
        replaced = mined.documents == own
        return replace(
            mined,
            documents=np.where(replaced, mined.documents[:, -1:], mined.documents),
            relevant=np.where(replaced, mined.relevant[:, -1:], mined.relevant),
        )

    @cached_property
    def seen(self) -> set[str]:
        """Ids of the documents that are relevant to training queries; empty without training judgements."""
        if not self.is_judged:
            return set()
        return {self.corpus.ids[row] for row in self.rows[np.unique(self.pairs.relevant[:, 1])]}

    @property
    def is_judged(self) -> bool:
        """Whether there are training judgements."""
        return all(name in self.task.qrels for name in self.split.split("+"))

    @property
    def validated_on(self) -> str:
        """Description of the validation queries."""
        if self._dev_ids:
            return f"{len(self._dev_ids)} {DEV} queries"
        return f"{len(self.candidates)} {self.split} queries in {len(self._folds)} folds by documents"

    def validation(self, numbers: RowNumbers, both: bool) -> Validation:
        """Return training queries, by their rows in `pairs`, as validation queries."""
        near = self._nearest[numbers]
        return self._validation(self.split, [self.query_ids[row] for row in numbers], both, near)

    def folds(self, both: bool) -> Iterator[Fold]:
        """Yield the dev queries with unseen documents as one fold, or folds of the training queries by documents.

        Parameters
        ----------
        both : bool
            Whether adapters transform documents too.
        """
        if self._dev_ids:
            yield Fold(self.candidates, self._validation(DEV, self._dev_ids, both))
            return
        for fold in self._folds:
            held_out = np.isin(self.candidates.queries, fold)
            yield Fold(self.candidates.of(~held_out), self.validation(fold, both))

    def held_out(self, count: int) -> tuple[str, list[str]]:
        """Return the split and the ids of about `count` validation queries with unseen documents.

        They are dev queries, or training queries that share no relevant document with the other training queries.
        """
        if self._dev_ids:
            order = np.random.default_rng(self.seed).permutation(len(self._dev_ids))[:count]
            return DEV, [self._dev_ids[row] for row in sorted(order)]
        queries = len(np.unique(self.pairs.relevant[:, 0]))
        smallest = min(self._split_by_documents(max(2, round(queries / count))), key=len)
        return self.split, [self.query_ids[row] for row in smallest]

    @cached_property
    def _folds(self) -> list[RowNumbers]:
        return self._split_by_documents(FOLDS)

    def _split_by_documents(self, count: int) -> list[RowNumbers]:
        folds = document_folds(self.pairs.relevant, count, self.seed)
        if len(folds) == 1:
            raise VecsmithError(
                f"All queries of the split {self.split} of {self.task.name} share relevant documents, so none can be "
                f"held out with unseen documents; add a split {DEV} of other documents."
            )
        return folds

    @cached_property
    def _dev_ids(self) -> list[str]:
        """Ids of dev queries none of whose relevant documents is seen; none if there are fewer than `MIN_QUERIES`."""
        if DEV not in self.task.qrels or DEV in (*self.split.split("+"), *self.test.split("+")):
            return []
        judged, others = self.task.judgements(DEV), {*self.task.judgements(self.test), *self.query_ids}
        ids = [id_ for id_ in self.queries.ids if id_ in judged and id_ not in others]
        unseen = [id_ for id_ in ids if relevant(judged[id_]) and not relevant(judged[id_]) & self.seen]
        return unseen if len(unseen) >= MIN_QUERIES else []

    @cached_property
    def _nearest(self) -> RowNumbers:
        return nearest(self.pairs.queries, self.pairs.documents)

    def _validation(self, split: str, ids: list[str], both: bool, near: RowNumbers | None = None) -> Validation:
        judged = JudgedQueries(self.task, split, ids, [self.corpus.ids[row] for row in self.rows])
        row_of = {id_: row for row, id_ in enumerate(self.queries.ids)}
        Q, D = self.queries.unit[np.array([row_of[id_] for id_ in ids], np.int64)], self.pairs.documents
        return Validation(judged, Q, D, nearest(Q, D) if near is None else near, both)


def relevant(gains: Mapping[str, int]) -> set[str]:
    """Return the ids of the relevant documents of a query."""
    return {document for document, gain in gains.items() if gain > 0}


def check_searched(task: Task) -> None:
    """Check that the queries of a task search all documents.

    Raises
    ------
    VecsmithError
        If it is a reranking task.
    """
    if task.candidates is not None:
        raise VecsmithError(f"{task.name} is a reranking task; tune on a task whose queries search all documents.")
