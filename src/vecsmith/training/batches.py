"""Batches for the training of binary codes: queries, documents and the targets of their scores."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vecsmith.errors import require
from vecsmith.training.losses import LOSSES
from vecsmith.training.pairs import JudgedPairs
from vecsmith.training.pseudo_queries import pseudo_queries

if TYPE_CHECKING:
    from torch import Tensor

TEMPERATURE = 0.05
"""Temperature of the similarities of the vectors, which are the targets of the losses without judgements."""


class Batch(NamedTuple):
    """A batch of m queries and n ≥ m documents. Query i is a pseudo-query of document i, or judges it.

    Attributes
    ----------
    queries, documents : Tensor of shape (m, d) and (n, d)
        Unit vectors.
    targets : Tensor of shape (m, n)
        Targets of the loss: similarities divided by `TEMPERATURE`, or for a contrastive loss whether a document is
        relevant.
    """

    queries: "Tensor"
    documents: "Tensor"
    targets: "Tensor"


def pseudo_batch(documents: "Tensor", loss: str, rng: np.random.Generator) -> Batch:
    """Return a batch of documents (n, d) and of the pseudo-queries made from them."""
    queries = pseudo_queries(documents, rng)
    if LOSSES[loss].judged:
        return Batch(queries, documents, require("torch", "train").eye(len(documents), dtype=bool))
    return Batch(queries, documents, queries @ documents.T / TEMPERATURE)


def judged_batch(pairs: JudgedPairs, size: int, rng: np.random.Generator) -> Batch:
    """Return a batch of at most `size` documents, at most half of which are drawn with a query that judges them.

    The other documents are drawn at random and serve as negatives.
    """
    torch = require("torch", "train")
    chosen = pairs.relevant[rng.permutation(len(pairs.relevant))[: max(1, size // 2)]]
    others = rng.permutation(len(pairs.documents))[: max(0, size - len(chosen))]
    queries, documents = chosen[:, 0], np.concatenate([chosen[:, 1], others])
    relevant = pairs.judged_relevant(queries, documents)
    return Batch(*map(torch.from_numpy, (pairs.queries[queries], pairs.documents[documents], relevant)))
