"""`study promise`: how what ``vecsmith fit auto`` predicts turns out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vecsmith.advise.prediction import Prediction, predict
from vecsmith.evaluation.compare import against
from vecsmith.evaluation.results import Result
from vecsmith.report.findings import Findings, Table
from vecsmith.studies.setting import STUDIES, Setting

SHARES = (4, 8, 16, 32)
"""Sizes of codes: d/4, d/8, d/16 and d/32 bytes."""


@dataclass(frozen=True)
class Outcome:
    """A prediction, and what was measured then.

    Attributes
    ----------
    prediction : Prediction
        From documents alone, with the interval for the number of judged queries.
    result : Result
        On the judged queries.
    """

    prediction: Prediction
    result: Result

    @property
    def inside(self) -> bool:
        """Whether the measured retention lies inside the interval."""
        return self.prediction.low <= self.result.retention <= self.prediction.high


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
            predictions = predict(codecs, corpus.unit, seed, baseline.result.n_queries)
            found += [
                Outcome(prediction, against(measurement, baseline))
                for prediction, measurement in zip(predictions, measured, strict=True)
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
        "How often the measured retention lies inside the 90 % interval for so many judged queries; mean of measured "
        "less predicted, in points",
        ["task", "encoder", "queries", "predictions", "inside", "measured − predicted"],
        [_count(*names, str(group[0].result.n_queries), group) for names, group in groups.items()]
        + [_count("all", "all", "", found)],
    )
    columns = ["task", "encoder", "codec", "bytes", "seed", "predicted", "low", "high", "measured", "inside"]
    predictions = Table("predictions", "Every prediction", columns, [_line(each) for each in found])
    return Findings([coverage, predictions], [outcome.result for outcome in found])


def _line(outcome: Outcome) -> list[str]:
    prediction, result = outcome.prediction, outcome.result
    shares = (prediction.retention, prediction.low, prediction.high, result.retention)
    names = [result.task, result.encoder, result.codec, str(result.bytes_per_vector), str(result.seed)]
    return [*names, *(f"{share:.1%}" for share in shares), "yes" if outcome.inside else "no"]


def _count(task: str, encoder: str, queries: str, group: Sequence[Outcome]) -> list[str]:
    inside = sum(outcome.inside for outcome in group) / len(group)
    difference = 100 * np.mean([outcome.result.retention - outcome.prediction.retention for outcome in group])
    return [task, encoder, queries, str(len(group)), f"{inside:.0%}", f"{difference:+.1f}"]


STUDIES["promise"] = promise
