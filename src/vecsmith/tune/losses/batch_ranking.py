"""Ranking losses over the documents of a batch, in which a query may have several relevant documents."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sentence_transformers.base.sampler import DefaultBatchSampler

from vecsmith.training import RANKING_LOSSES, unit_rows
from vecsmith.tune.examples import TrainingExamples

if TYPE_CHECKING:
    from torch import Tensor

POSITIVES_PER_QUERY = 2
"""Maximum positives of a query that are kept together in a batch."""

Relevance = Mapping[int, frozenset[int]]
"""Numbers of the documents that are relevant to each query, by the number of the query."""


def numbered(examples: TrainingExamples) -> tuple[Any, Relevance]:
    """Return pairs or triplets with numbers for their texts.

    Parameters
    ----------
    examples : TrainingExamples
        The examples.

    Returns
    -------
    dataset : datasets.Dataset
        The examples with the column ``label``: the number of the query and of each document of an example.
    relevant : Relevance
        The positives of each query.
    """
    numbers: dict[str, int] = {}
    following = count()
    columns = [
        [numbers.setdefault(text, next(following)) for text in examples.column(name)]
        for name in examples.dataset.column_names
    ]
    positives: dict[int, set[int]] = {}
    for query, positive in zip(columns[0], columns[1], strict=True):
        positives.setdefault(query, set()).add(positive)
    labels = [list(row) for row in zip(*columns, strict=True)]
    return examples.dataset.add_column("label", labels), {query: frozenset(each) for query, each in positives.items()}


class BatchRankingLoss(torch.nn.Module):
    """A loss of `RANKING_LOSSES`. The candidates of a query are all documents of the batch.

    Parameters
    ----------
    model : SentenceTransformer
        The model.
    name : str
        Name of the loss.
    relevant : Relevance
        The relevant documents of each query; others are negatives.
    """

    def __init__(self, model: Any, name: str, relevant: Relevance) -> None:
        super().__init__()
        self.model, self.name, self.relevant = model, name, relevant

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: "Tensor") -> "Tensor":
        """Return the loss of a batch: the columns query, positive and any number of negatives, and their numbers."""
        queries, *documents = (unit_rows(self.model(features)["sentence_embedding"]) for features in sentence_features)
        cosines = queries @ torch.cat(documents).T
        numbers = labels[:, 1:].T.flatten().tolist()
        rows = [[number in self.relevant[query] for number in numbers] for query in labels[:, 0].tolist()]
        relevant = torch.tensor(rows, device=cosines.device)
        return RANKING_LOSSES[self.name].function(cosines, relevant, None)


class QueryBatchSampler(DefaultBatchSampler):  # type: ignore[misc]  # sentence-transformers is not typed here
    """Batches in which examples of one query are together, in a random order of queries.

    Parameters
    ----------
    dataset : datasets.Dataset
        Examples with numbered texts (see `numbered`).
    **options : object
        Options of the sampler of sentence-transformers, which takes the same arguments.
    """

    def __init__(self, dataset: Any, **options: Any) -> None:
        super().__init__(dataset, **options)
        self.queries = np.array([label[0] for label in dataset["label"]])

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the rows of each batch."""
        if self.generator is not None and self.seed is not None:
            self.generator.manual_seed(self.seed + self.epoch)
        order = torch.randperm(len(self.queries), generator=self.generator).numpy()
        groups: dict[int, list[list[int]]] = {}
        for row in order.tolist():
            own = groups.setdefault(int(self.queries[row]), [[]])
            if len(own[-1]) == POSITIVES_PER_QUERY:
                own.append([])
            own[-1].append(row)
        pieces = [piece for own in groups.values() for piece in own]
        shuffled = torch.randperm(len(pieces), generator=self.generator).tolist()
        rows = [row for number in shuffled for row in pieces[number]]
        for start in range(0, len(rows), self.batch_size):
            yield rows[start : start + self.batch_size]

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(range(0, len(self.queries), self.batch_size))
