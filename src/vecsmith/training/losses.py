"""Losses: how far a ranking by codes is from the ranking by vectors."""

from typing import TYPE_CHECKING

from vecsmith.errors import require

if TYPE_CHECKING:
    from torch import Tensor


def listwise(scores: "Tensor", targets: "Tensor") -> "Tensor":
    """Return how far the distributions that scores make of documents are from those that targets make.

    Parameters
    ----------
    scores, targets : Tensor of shape (m, n)
        Of m pseudo-queries and n documents, of which the first m are those that they were made from, each over its
        temperature. A query's own document does not count.

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
    # finite, so that the only document of a query does not give NaN
    predicted, wanted = (torch.log_softmax(x.masked_fill(own, -1e4), dim=1) for x in (scores, targets))
    return (wanted.exp() * (wanted - predicted)).sum(dim=1).mean()  # type: ignore[no-any-return]  # torch comes late
