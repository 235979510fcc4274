"""Losses of the cosines between queries and candidate documents, some of which are judged relevant."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from vecsmith.errors import require

if TYPE_CHECKING:
    from torch import Tensor

TEMPERATURE = 0.05
"""Temperature of the softmax over cosines."""
BOUNDARY, MARGIN, NEGATIVE_TEMPERATURE = 1.2, 0.4, 10.0
"""α, m and T of the Ranked List Loss, as published."""
EXCLUDED = -1e4
"""Score of a document that a softmax leaves out; finite, because −∞ gives NaN where a query has no other document."""


def infonce(cosines: "Tensor", relevant: "Tensor", teacher: "Tensor | None" = None) -> "Tensor":
    """Return the mean negative log-probability of a relevant document among it and the documents that are not relevant.

    Parameters
    ----------
    cosines : Tensor of shape (m, k)
        Cosines of m queries and their k candidates.
    relevant : Tensor of shape (m, k), bool
        Whether a candidate is relevant; at least one of each query.
    teacher : Tensor of shape (m, k), optional
        Cosines by another encoder; only MarginMSE uses them.

    Returns
    -------
    Tensor of shape ()
        The mean over relevant documents of each query, then over the queries.

    References
    ----------
    van den Oord, Li and Vinyals 2018, Representation learning with contrastive predictive coding,
    https://arxiv.org/abs/1807.03748.
    """
    torch = require("torch", "train")
    logits = cosines / TEMPERATURE
    others = torch.logsumexp(logits.masked_fill(relevant, EXCLUDED), dim=1, keepdim=True)
    return _mean(torch.nn.functional.softplus(others - logits), relevant).mean()


def listwise(cosines: "Tensor", relevant: "Tensor", teacher: "Tensor | None" = None) -> "Tensor":
    """Return the mean cross-entropy between a uniform distribution over relevant documents and the softmax of cosines.

    See `infonce` for the parameters.

    References
    ----------
    Cao et al. 2007, Learning to rank: from pairwise approach to listwise approach, ICML.
    """
    torch = require("torch", "train")
    return -_mean(torch.log_softmax(cosines / TEMPERATURE, dim=1), relevant).mean()


def margin_mse(cosines: "Tensor", relevant: "Tensor", teacher: "Tensor | None" = None) -> "Tensor":
    """Return the mean squared difference of margins by the adapter and by a teacher.

    A margin is the cosine of a relevant document minus the cosine of another candidate. See `infonce` for the
    parameters.

    References
    ----------
    Hofstätter et al. 2020, Improving efficient neural ranking models with cross-architecture knowledge distillation,
    https://arxiv.org/abs/2010.02666.
    """
    assert teacher is not None
    difference = cosines - teacher
    squares = difference**2
    # E[(a − b)²] = E[a²] − 2 E[a] E[b] + E[b²] over all pairs of a relevant document and another one
    means = _mean(difference, relevant) * _mean(difference, ~relevant)
    return (_mean(squares, relevant) - 2 * means + _mean(squares, ~relevant)).mean()


def distillation(cosines: "Tensor", relevant: "Tensor", teacher: "Tensor | None" = None) -> "Tensor":
    """Return the mean cross-entropy between the softmax of a teacher's scores and the softmax of the cosines.

    See `infonce` for the parameters; the teacher's scores are on the scale of cosines.

    References
    ----------
    Hinton, Vinyals and Dean 2015, Distilling the knowledge in a neural network, https://arxiv.org/abs/1503.02531.
    """
    torch = require("torch", "train")
    assert teacher is not None
    taught = torch.softmax(teacher / TEMPERATURE, dim=1)
    loss: Tensor = -(taught * torch.log_softmax(cosines / TEMPERATURE, dim=1)).sum(dim=1).mean()
    return loss


def ranked_list(cosines: "Tensor", relevant: "Tensor", teacher: "Tensor | None" = None) -> "Tensor":
    """Return the Ranked List Loss of the Euclidean distances of unit vectors, d = √(2 − 2 cosine).

    Relevant documents are pulled inside d = α − m and others are pushed beyond d = α. Only documents that violate this
    count. Others have the weight exp(T (α − d)). See `infonce` for the parameters.

    References
    ----------
    Wang et al. 2019, Ranked List Loss for deep metric learning, CVPR, https://arxiv.org/abs/1903.03238.
    """
    distances = (2 - 2 * cosines).clamp(min=1e-6).sqrt()
    too_far = (distances - (BOUNDARY - MARGIN)).clamp(min=0)
    too_near = (BOUNDARY - distances).clamp(min=0)
    weights = (NEGATIVE_TEMPERATURE * too_near.detach()).exp() * (~relevant & (too_near > 0))
    negatives = (weights * too_near).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-6)
    return (_mean(too_far, relevant & (too_far > 0)) + negatives).mean()


def _mean(values: "Tensor", chosen: "Tensor") -> "Tensor":
    """Return the mean of the chosen values (m, k) of each row; 0 for rows without one."""
    total: Tensor = (values * chosen).sum(dim=1)
    return total / chosen.sum(dim=1).clamp(min=1)


class RankingLoss(NamedTuple):
    """A loss of cosines (m, k), relevance (m, k) and cosines of a teacher (m, k), and whether it needs the teacher."""

    function: Callable[["Tensor", "Tensor", "Tensor | None"], "Tensor"]
    needs_teacher: bool = False


RANKING_LOSSES = {
    "infonce": RankingLoss(infonce),
    "listwise": RankingLoss(listwise),
    "margin-mse": RankingLoss(margin_mse, needs_teacher=True),
    "distillation": RankingLoss(distillation, needs_teacher=True),
    "ranked-list": RankingLoss(ranked_list),
}
"""Losses of `vecsmith tune adapter` by name."""
