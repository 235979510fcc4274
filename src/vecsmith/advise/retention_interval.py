"""90 % interval of a predicted retention, for any number of judged queries."""

from dataclasses import dataclass
from math import inf

import numpy as np

from vecsmith.array_types import Doubles

Numbers = float | Doubles

Z = 1.645
"""Half-width of the central 90 % of a normal distribution, in standard deviations."""
ERROR_FLOOR = 0.003
"""Error of the predicted retention at a predicted loss of zero."""
POWER, LEAST_LOSS = 0.4, 0.0005
"""The standard deviation over queries is proportional to this power of the predicted loss, and constant below
`LEAST_LOSS`."""


@dataclass(frozen=True)
class RetentionInterval:
    """Intervals around the retention 1 − L for a predicted loss L.

    The prediction error is (1 − 1 / `less`) L + `ERROR_FLOOR` above and (`more` − 1) L + `ERROR_FLOOR` below the
    retention. The sampling error of N judged queries is `Z` · σ / √N, where σ = `per_query` · Lᵖ. The squares of both
    errors add up.

    Attributes
    ----------
    more, less : float
        The true loss is at most `more` times the predicted loss, and at least the predicted loss divided by `less`.
    per_query : float
        Scale of the standard deviation σ of the contribution of a single query to the retention.
    """

    more: float
    less: float
    per_query: float

    def bounds(self, loss: Numbers, queries: Numbers = inf) -> tuple[Numbers, Numbers]:
        """Return the lower and upper bound of the retention.

        Parameters
        ----------
        loss : float or ndarray
            Predicted loss L: 1 minus the predicted retention.
        queries : float or ndarray
            Number N of judged queries that the retention is measured on. The default is the limit of many queries.
        """
        sampling = Z * self.spread(loss) / np.sqrt(queries)
        below = np.hypot((self.more - 1) * loss + ERROR_FLOOR, sampling)
        above = np.hypot((1 - 1 / self.less) * loss + ERROR_FLOOR, sampling)
        return np.maximum(1 - loss - below, 0), 1 - loss + above

    def spread(self, loss: Numbers) -> Numbers:
        """Return the standard deviation σ of the contribution of a single query to the retention."""
        return self.per_query * np.maximum(loss, LEAST_LOSS) ** POWER


CALIBRATED = RetentionInterval(more=2.14, less=3.11, per_query=1.25)
"""Calibrated by ``benchmarks/predictions.py``, which also counts how often the intervals hold."""
