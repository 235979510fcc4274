"""Losses between the scores of codes and their targets: listwise, similarity preservation, contrastive."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from vecsmith.errors import require

if TYPE_CHECKING:
    from torch import Tensor


def listwise(scores: "Tensor", targets: "Tensor") -> "Tensor":
    """Return the mean KL divergence of predicted from target score distributions over documents.

    Parameters
    ----------
    scores, targets : Tensor of shape (m, n)
        Predicted and target scores of m pseudo-queries and n documents, divided by their temperatures. Pseudo-query i
        is made from document i, which is excluded from its distribution.

    Returns
    -------
    Tensor of shape ()
        The mean over queries of KL(softmax(targets) ‖ softmax(scores)).

    References
    ----------
    Cao et al. 2007, Learning to rank: from pairwise approach to listwise approach, ICML.
    """
    torch = require("torch", "train")
    own = torch.eye(*scores.shape, dtype=torch.bool)
    # finite, because −∞ would give NaN where a query has no other document
    predicted, target = (torch.log_softmax(x.masked_fill(own, -1e4), dim=1) for x in (scores, targets))
    return (target.exp() * (target - predicted)).sum(dim=1).mean()  # type: ignore[no-any-return]  # torch comes late


def similarity_preservation(scores: "Tensor", targets: "Tensor") -> "Tensor":
    """Return the mean squared difference of predicted and target scores, over all pairs but a query's own document.

    Parameters
    ----------
    scores, targets : Tensor of shape (m, n)
        As for `listwise`.
    """
    torch = require("torch", "train")
    others = ~torch.eye(*scores.shape, dtype=torch.bool)
    squares = (scores - targets) ** 2 * others
    return squares.sum() / others.sum().clamp(min=1)  # type: ignore[no-any-return]  # torch comes late


def contrastive(scores: "Tensor", relevant: "Tensor") -> "Tensor":
    """Return the mean negative log-probability of a query's document among documents that are not relevant to it.

    Parameters
    ----------
    scores : Tensor of shape (m, n)
        Scores of m queries and n documents, divided by the temperature.
    relevant : Tensor of shape (m, n), bool
        Whether a document is relevant to a query. Document i is the one whose probability is maximized for query i; the
        other relevant documents are left out of the softmax.

    References
    ----------
    van den Oord, Li and Vinyals 2018, Representation learning with contrastive predictive coding,
    https://arxiv.org/abs/1807.03748.
    """
    torch = require("torch", "train")
    own = torch.eye(*scores.shape, dtype=torch.bool)
    candidates = scores.masked_fill(relevant & ~own, -1e4)
    return -torch.log_softmax(candidates, dim=1).diagonal().mean()  # type: ignore[no-any-return]  # torch comes late


class Loss(NamedTuple):
    """A loss of scores and targets.

    Attributes
    ----------
    function : callable
        Returns the loss of scores (m, n) and targets (m, n).
    judged : bool
        Whether the targets are relevance instead of similarities.
    """

    function: Callable[["Tensor", "Tensor"], "Tensor"]
    judged: bool = False


LOSSES = {
    "listwise": Loss(listwise),
    "similarity": Loss(similarity_preservation),
    "contrastive": Loss(contrastive, judged=True),
}
"""Losses for the training of binary codes, by the names that specs use."""
