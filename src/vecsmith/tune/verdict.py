"""Verdict of a tuning: the difference from the baseline, and its significance."""

from dataclasses import dataclass
from typing import Literal

from vecsmith.array_types import Doubles
from vecsmith.evaluation import paired_p_value

SIGNIFICANCE = 0.05
"""Maximum p-value of a significant difference."""


@dataclass(frozen=True)
class Verdict:
    """Comparison of tuned vectors with the same vectors before tuning, on the same queries.

    Attributes
    ----------
    metric : str
        The metric and its queries.
    baseline, value : float
        Mean of the metric before and after tuning.
    p_value : float
        p-value of a paired t-test over the queries.
    """

    metric: str
    baseline: float
    value: float
    p_value: float

    @classmethod
    def of(cls, metric: str, before: Doubles, after: Doubles) -> "Verdict":
        """Compare the values of a metric for each query, (n_queries,), before and after tuning."""
        return cls(metric, float(before.mean()), float(after.mean()), paired_p_value(after, before))

    @property
    def difference(self) -> float:
        """Value minus baseline."""
        return self.value - self.baseline

    @property
    def label(self) -> Literal["WIN", "MARGINAL", "REGRESSION"]:
        """WIN for a significant gain, MARGINAL for another gain, REGRESSION without a gain."""
        if self.difference <= 0:
            return "REGRESSION"
        return "WIN" if self.p_value < SIGNIFICANCE else "MARGINAL"

    def __str__(self) -> str:
        return (
            f"VERDICT: {self.label}, {self.metric} {self.value:.4f}, baseline {self.baseline:.4f}, difference "
            f"{self.difference:+.4f}, p = {self.p_value:.4f}"
        )
