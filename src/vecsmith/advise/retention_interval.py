"""The 90 % interval of a predicted retention, for any number of judged queries."""

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

Numbers = float | NDArray[np.float64]

Z = 1.645
"""Standard deviations on either side of the mean of a normal distribution that hold 90 %."""
FLOOR = 0.003
"""Error of the predicted retention where the predicted loss is zero."""
POWER, LEAST_LOSS = 0.4, 0.0005
"""The spread over queries grows with the predicted loss to this power; below this loss it is constant."""


@dataclass(frozen=True)
class RetentionInterval:
    """Intervals around 1 − L for a predicted loss L of the retention.

    The error of the prediction reaches from (1 − 1 / `less`) L + `FLOOR` above to (`more` − 1) L + `FLOOR` below. The
    sampling error of N judged queries is `Z` · σ / √N, where σ = `per_query` · Lᵖ. Their squares add.

    Attributes
    ----------
    more, less : float
        The true loss is at most `more` times the predicted one, and at least the predicted one over `less`.
    per_query : float
        Scale of the standard deviation σ of a single query's share in the retention.
    """

    more: float
    less: float
    per_query: float

    def bounds(self, loss: Numbers, queries: Numbers = inf) -> tuple[Numbers, Numbers]:
        """Return the lowest and highest retention.

        Parameters
        ----------
        loss : float or ndarray
            One less the predicted retention.
        queries : float or ndarray
            Number N of judged queries that the retention is measured on; infinitely many for the population that they
            are drawn from.
        """
        sampling = Z * self.spread(loss) / np.sqrt(queries)
        below = np.hypot((self.more - 1) * loss + FLOOR, sampling)
        above = np.hypot((1 - 1 / self.less) * loss + FLOOR, sampling)
        return np.maximum(1 - loss - below, 0), 1 - loss + above

    def spread(self, loss: Numbers) -> Numbers:
        """Return the standard deviation σ of a single query's share in the retention."""
        return self.per_query * np.maximum(loss, LEAST_LOSS) ** POWER


CALIBRATED = RetentionInterval(more=1.82, less=2.48, per_query=1.18)
"""Set by ``benchmarks/promise.py``, which counts how often the intervals hold."""
