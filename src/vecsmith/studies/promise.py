"""`study promise`: how what ``vecsmith fit auto`` predicts turns out."""

from collections.abc import Sequence

import numpy as np

from vecsmith.embeddings import UnitVectors
from vecsmith.encoders import embed_task
from vecsmith.results import Result
from vecsmith.studies.choice import Prediction, predict, sampling_error
from vecsmith.studies.compare import against, measure
from vecsmith.studies.findings import Findings, Table
from vecsmith.tasks import load_task

SHARES = (4, 8, 16, 32)


def promise(
    tasks: Sequence[str],
    encoders: Sequence[str],
    split: str = "test",
    fit_on: str = "cross",
    seeds: Sequence[int] = (0, 1, 2),
) -> Findings:
    """Compare predicted with measured retention, and count how often the interval holds it.

    Parameters
    ----------
    tasks, encoders, split, fit_on, seeds
        As of `quantization`.

    Returns
    -------
    Findings
        How often, per task and encoder, and every prediction beside what was measured.
    """
    counts, lines, results = [], [], []
    for spec in tasks:
        task = load_task(spec)
        present = "+".join(name for name in split.split("+") if name in task.qrels) or split
        for encoder in encoders:
            corpus, _ = embed_task(task, encoder)
            codecs = specs(corpus.dimensions)
            rows = []
            for seed in seeds:
                [[baseline, *measured]] = measure([task], [encoder], codecs, split=present, fit_on=fit_on, seed=seed)
                predictions = predict(codecs, UnitVectors(corpus.shards), seed)
                results += [against(measurement, baseline) for measurement in (baseline, *measured)]
                rows += [
                    _line(prediction, against(measurement, baseline), sampling_error(measurement, baseline))
                    for prediction, measurement in zip(predictions, measured, strict=True)
                ]
            lines += rows
            counts.append(_count(task.name, encoder, rows))
    counts.append(_count("all", "all", lines))
    kept = ["task", "encoder", "codec", "bytes", "seed", "predicted", "low", "high", "measured", "90 % of queries"]
    return Findings(
        [
            Table(
                "coverage",
                "How often the measured retention lies inside the predicted interval; or inside it but for the "
                "sampling error of the test queries (90 %); mean of measured less predicted, in points",
                ["task", "encoder", "predictions", "inside", "inside but for sampling", "measured − predicted"],
                counts,
            ),
            Table("predictions", "Every prediction", [*kept, "inside"], lines),
        ],
        results,
    )


def specs(dimensions: int) -> list[str]:
    """Return the codecs for vectors of d dimensions."""
    sizes = [dimensions // share for share in SHARES if dimensions // share]
    return ["int8", "int4", *(f"{family}{size}B" for size in sizes for family in ("trellis", "hybrid"))]


def _line(prediction: Prediction, result: Result, error: float) -> list[str]:
    below = result.retention < prediction.low, result.retention + error < prediction.low
    above = result.retention > prediction.high, result.retention - error > prediction.high
    inside = "no" if below[1] or above[1] else "but for sampling" if below[0] or above[0] else "yes"
    shares = (prediction.retention, prediction.low, prediction.high, result.retention)
    names = [result.task, result.encoder, result.codec, str(result.bytes_per_vector), str(result.seed)]
    return [*names, *(f"{share:.2%}" for share in shares), f"±{100 * error:.2f}", inside]


def _count(task: str, encoder: str, lines: Sequence[Sequence[str]]) -> list[str]:
    inside = [line[-1] for line in lines]
    differences = [float(line[8].rstrip("%")) - float(line[5].rstrip("%")) for line in lines]
    shares = [np.mean([each == "yes" for each in inside]), np.mean([each != "no" for each in inside])]
    return [task, encoder, str(len(lines)), *(f"{share:.0%}" for share in shares), f"{np.mean(differences):+.1f}"]
