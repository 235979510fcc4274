"""`study promise`: how what ``vecsmith fit auto`` predicts turns out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vecsmith.results import Result
from vecsmith.studies.choice import Prediction, predict, sampling_error
from vecsmith.studies.compare import against
from vecsmith.studies.findings import Findings, Table
from vecsmith.studies.setting import Setting

SHARES = (4, 8, 16, 32)
"""Sizes of codes: d/4, d/8, d/16 and d/32 bytes."""


@dataclass(frozen=True)
class Outcome:
    """A prediction, and what was measured then.

    Attributes
    ----------
    prediction : Prediction
        From documents alone.
    result : Result
        On judged queries.
    error : float
        What other queries would change of the measured retention in 90 % of cases.
    """

    prediction: Prediction
    result: Result
    error: float

    @property
    def inside(self) -> str:
        """Whether the measured retention lies inside the interval: ``yes``, ``but for sampling`` or ``no``."""
        measured, low, high = self.result.retention, self.prediction.low, self.prediction.high
        if low <= measured <= high:
            return "yes"
        return "but for sampling" if low - self.error <= measured <= high + self.error else "no"


def promise(setting: Setting) -> Findings:
    """Compare predicted with measured retention, and count how often the interval holds it.

    Parameters
    ----------
    setting : Setting
        On what it measures, and how.

    Returns
    -------
    Findings
        How often, per task and encoder, and every prediction beside what was measured.
    """
    return findings(outcomes(setting))


def outcomes(setting: Setting) -> list[Outcome]:
    """Return an outcome per task, encoder, seed and codec."""
    found = []
    for task, encoder in setting.cases:
        corpus, _ = setting.embed(task, encoder)
        codecs = specs(corpus.dimensions)
        for seed, (baseline, *measured) in zip(setting.seeds, setting.measure(task, encoder, codecs), strict=True):
            found += [
                Outcome(prediction, against(measurement, baseline), sampling_error(measurement, baseline))
                for prediction, measurement in zip(predict(codecs, corpus.unit, seed), measured, strict=True)
            ]
    return found


def specs(dimensions: int) -> list[str]:
    """Return the codecs for vectors of d dimensions."""
    sizes = [dimensions // share for share in SHARES if dimensions // share]
    return ["int8", "int4", *(f"{family}{size}B" for size in sizes for family in ("trellis", "hybrid"))]


def findings(found: Sequence[Outcome]) -> Findings:
    """Return the tables of what `outcomes` returned, of one call or several."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in found:
        groups.setdefault((outcome.result.task, outcome.result.encoder), []).append(outcome)
    coverage = Table(
        "coverage",
        "How often the measured retention lies inside the predicted interval; or inside it but for the sampling error "
        "of the test queries (90 %); mean of measured less predicted, in points",
        ["task", "encoder", "predictions", "inside", "inside but for sampling", "measured − predicted"],
        [_count(*names, group) for names, group in groups.items()] + [_count("all", "all", found)],
    )
    columns = ["task", "encoder", "codec", "bytes", "seed", "predicted", "low", "high", "measured", "90 % of queries"]
    predictions = Table("predictions", "Every prediction", [*columns, "inside"], [_line(each) for each in found])
    return Findings([coverage, predictions], [outcome.result for outcome in found])


def _line(outcome: Outcome) -> list[str]:
    prediction, result = outcome.prediction, outcome.result
    shares = (prediction.retention, prediction.low, prediction.high, result.retention)
    names = [result.task, result.encoder, result.codec, str(result.bytes_per_vector), str(result.seed)]
    return [*names, *(f"{share:.1%}" for share in shares), f"±{100 * outcome.error:.1f}", outcome.inside]


def _count(task: str, encoder: str, group: Sequence[Outcome]) -> list[str]:
    inside = [outcome.inside for outcome in group]
    shares = [inside.count("yes") / len(inside), 1 - inside.count("no") / len(inside)]
    differences = [100 * (outcome.result.retention - outcome.prediction.retention) for outcome in group]
    return [task, encoder, str(len(group)), *(f"{share:.0%}" for share in shares), f"{np.mean(differences):+.1f}"]
