"""Ranking losses over the documents of a batch."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch

from vecsmith.training import RANKING_LOSSES, unit_rows

if TYPE_CHECKING:
    from torch import Tensor


class BatchRankingLoss(torch.nn.Module):
    """A loss of `RANKING_LOSSES`. The candidates of a query are all documents of the batch; only its own is relevant.

    Parameters
    ----------
    model : SentenceTransformer
        The model.
    name : str
        Name of the loss.
    """

    def __init__(self, model: Any, name: str) -> None:
        super().__init__()
        self.model = model
        self.name = name

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: "Tensor | None" = None) -> "Tensor":
        """Return the loss of a batch: the columns query, positive and any number of negatives."""
        queries, *documents = (unit_rows(self.model(features)["sentence_embedding"]) for features in sentence_features)
        cosines = queries @ torch.cat(documents).T
        relevant = torch.eye(*cosines.shape, dtype=torch.bool, device=cosines.device)
        return RANKING_LOSSES[self.name].function(cosines, relevant, None)
