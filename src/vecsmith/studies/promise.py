"""`study promise`: compare the predictions of ``vecsmith fit auto`` with the measured retention."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vecsmith.advise.prediction import Prediction, predict
from vecsmith.evaluation.compare import compare_with_baseline
from vecsmith.evaluation.results import Result
from vecsmith.report.findings import Findings, Table
from vecsmith.studies.config import STUDIES, StudyConfig
from vecsmith.studies.outline import OUTLINES, Outline

SHARES = (4, 8, 16, 32)
"""Sizes of codes: d/4, d/8, d/16 and d/32 bytes."""


@dataclass(frozen=True)
class MeasuredPrediction:
    """A prediction and the measured result of the same codec.

    Attributes
    ----------
    prediction : Prediction
        Prediction from documents alone, with the interval for the number of judged queries.
    result : Result
        Result on the judged queries.
    """

    prediction: Prediction
    result: Result

    @property
    def inside(self) -> bool:
        """Whether the measured retention lies inside the interval."""
        return self.prediction.low <= self.result.retention <= self.prediction.high


def promise(config: StudyConfig) -> Findings:
    """Compare predicted with measured retention, and count how often the interval contains it.

    Parameters
    ----------
    config : StudyConfig
        Tasks, encoders and protocol.

    Returns
    -------
    Findings
        The coverage of the interval by task and encoder, and every prediction with its measured value.
    """
    return findings(measure_predictions(config))


def measure_predictions(config: StudyConfig) -> list[MeasuredPrediction]:
    """Return a prediction and its result for each task, encoder, seed and codec."""
    measured_predictions: list[MeasuredPrediction] = []
    for number, (task, encoder) in enumerate(config.cases, 1):
        corpus, _ = config.embed(task, encoder)
        codecs = specs(corpus.dimensions)
        for seed, (baseline, *measured) in zip(config.seeds, config.measure(task, encoder, codecs), strict=True):
            predictions = predict(codecs, corpus.unit, seed, baseline.result.n_queries)
            measured_predictions += [
                MeasuredPrediction(prediction, compare_with_baseline(measurement, baseline))
                for prediction, measurement in zip(predictions, measured, strict=True)
            ]
        config.publish(findings(measured_predictions), number, len(config.loaded) * len(config.encoders))
    return measured_predictions


def specs(dimensions: int) -> list[str]:
    """Return the specs of the codecs for vectors of d dimensions."""
    sizes = [dimensions // share for share in SHARES if dimensions // share]
    return ["int8", "int4", *(f"{family}{size}B" for size in sizes for family in ("trellis", "hybrid"))]


def findings(measured: Sequence[MeasuredPrediction]) -> Findings:
    """Return the tables for the values of one or several calls of `measure_predictions`."""
    groups: dict[tuple[str, str], list[MeasuredPrediction]] = {}
    for each in measured:
        groups.setdefault((each.result.task, each.result.encoder), []).append(each)
    coverage = Table(
        "coverage",
        "How often the measured retention lies inside the 90 % interval for this number of judged queries; mean "
        "difference of measured and predicted retention, in points",
        ["task", "encoder", "queries", "predictions", "inside", "measured − predicted"],
        [_coverage_row(*names, str(group[0].result.n_queries), group) for names, group in groups.items()]
        + [_coverage_row("all", "all", "", measured)],
    )
    columns = ["task", "encoder", "codec", "bytes", "seed", "predicted", "low", "high", "measured", "inside"]
    predictions = Table("predictions", "Every prediction", columns, [_prediction_row(each) for each in measured])
    return Findings([coverage, predictions], [each.result for each in measured])


def _prediction_row(measured: MeasuredPrediction) -> list[str]:
    prediction, result = measured.prediction, measured.result
    shares = (prediction.retention, prediction.low, prediction.high, result.retention)
    names = [result.task, result.encoder, result.codec, str(result.bytes_per_vector), str(result.seed)]
    return [*names, *(f"{share:.1%}" for share in shares), "yes" if measured.inside else "no"]


def _coverage_row(task: str, encoder: str, queries: str, group: Sequence[MeasuredPrediction]) -> list[str]:
    inside = sum(each.inside for each in group) / len(group)
    difference = 100 * np.mean([each.result.retention - each.prediction.retention for each in group])
    return [task, encoder, queries, str(len(group)), f"{inside:.0%}", f"{difference:+.1f}"]


STUDIES["promise"] = promise
OUTLINES["promise"] = Outline(
    "Predicted and measured retention",
    "Does the 90 % interval of `vecsmith fit auto`, which sees no query, contain the measured retention?",
    expected={"coverage": "Coverage of the interval", "predictions": "Every prediction"},
)
