"""Listwise ranking loss."""

from typing import TYPE_CHECKING

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
