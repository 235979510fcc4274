"""Losses of a query model against the frozen vectors of a whole corpus."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import torch

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.training import RANKING_LOSSES, unit_rows
from vecsmith.tune.teacher import TeacherScores

if TYPE_CHECKING:
    from torch import Tensor


class FrozenDocumentsLoss(torch.nn.Module):
    """A loss of `RANKING_LOSSES`. The candidates of a query are all documents of the corpus, whose vectors are frozen.

    With a teacher, the loss is the mean of that loss and of the distillation of the teacher's scores of all documents.

    Parameters
    ----------
    model : SentenceTransformer
        The model, which embeds queries only.
    documents : ndarray of shape (n, d), float32
        Unit vectors of the corpus, or vectors decoded from codes.
    relevant : sequence of ndarray of int64
        Rows of the relevant documents of each training query; the label of an example is the number of its query.
    name : str
        Name of the loss.
    teacher : TeacherScores, optional
        Scores of a teacher for each training query.
    """

    documents: "Tensor"

    def __init__(
        self,
        model: Any,
        documents: Floats,
        relevant: Sequence[RowNumbers],
        name: str,
        teacher: TeacherScores | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.relevant = [torch.from_numpy(rows) for rows in relevant]
        self.name = name
        self.taught = None if teacher is None else tuple(map(torch.from_numpy, teacher))
        self.register_buffer("documents", torch.tensor(documents), persistent=False)

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: "Tensor") -> "Tensor":
        """Return the loss of a batch of queries (b,) and the numbers of the queries (b,)."""
        (features,) = sentence_features
        cosines = unit_rows(self.model(features)["sentence_embedding"]) @ self.documents.T
        relevant = torch.zeros_like(cosines, dtype=torch.bool)
        for row, number in enumerate(labels.tolist()):
            relevant[row, self.relevant[number].to(cosines.device)] = True
        loss = RANKING_LOSSES[self.name].function(cosines, relevant, None)
        if self.taught is None:
            return loss
        rows, scores = (each[labels.cpu()].to(cosines.device) for each in self.taught)
        scores_of_all = torch.zeros_like(cosines).scatter(1, rows, scores.to(cosines.dtype))
        return (loss + RANKING_LOSSES["distillation"].function(cosines, relevant, scores_of_all)) / 2
