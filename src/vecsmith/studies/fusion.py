"""`study fusion`: several models fused, compared with each model alone and with reduced fused vectors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean

import numpy as np

from vecsmith.array_types import Doubles
from vecsmith.embeddings import EmbeddingSet
from vecsmith.errors import VecsmithError
from vecsmith.evaluation import stratified_p_value
from vecsmith.evaluation.compare import compare_with_baseline
from vecsmith.evaluation.measurement import Measurement
from vecsmith.evaluation.results import Result
from vecsmith.report.architectures import Models, autoencoder_diagram, codec_diagram
from vecsmith.report.article import Block
from vecsmith.report.findings import Findings, Plot, Table, mean_and_spread, ndcg_beside
from vecsmith.studies.checkpoints import measure_checkpoints
from vecsmith.studies.config import STUDIES, StudyConfig
from vecsmith.studies.outline import OUTLINES, Outline
from vecsmith.tasks import Task

SHARES = (1, 3 / 4, 1 / 2, 3 / 8, 1 / 4)
"""Widths, as shares of the dimensions of the fused vectors."""
WEIGHT = 0.7
"""Weight of every model but the first in the fusion with fixed weights."""
CHECKPOINT_SHARE = 1 / 2
"""Width of the autoencoders whose checkpoints are measured, as a share of the dimensions of the fused vectors."""
CHECKPOINT_PRESETS = ("linear", "mlp1")


@dataclass(frozen=True)
class SeedResults:
    """Results of a codec on one task with several seeds.

    Attributes
    ----------
    results : list of Result
        One result for each seed.
    ndcg_at_10 : ndarray of shape (n_queries,), float64
        Mean nDCG@10 over the seeds for each query.
    """

    results: list[Result]
    ndcg_at_10: Doubles


Lines = dict[tuple[str, str], dict[str, SeedResults]]
"""Results by encoder and codec, and by task."""


def fusion(config: StudyConfig, widths: Sequence[int] | None = None) -> Findings:
    """Measure models alone, side by side, and reduced to a share of the joint width.

    Parameters
    ----------
    config : StudyConfig
        Tasks, encoders and protocol. All encoders are fused. The first encoder, which should be the best, is the
        baseline.
    widths : sequence of int, optional
        Widths of the reduced fused vectors, such as 2048, 1024, 768, 512 and 256 for two models of 1,024 dimensions; by
        default `SHARES` of the dimensions of the fused vectors.

    Returns
    -------
    Findings
        nDCG@10, also relative to the first encoder, with a paired test; the validation loss and nDCG@10 of the
        checkpoints of a training; and plots of both.

    Raises
    ------
    VecsmithError
        If there are fewer than two encoders, or a width is larger than the fused vectors.
    """
    if len(config.encoders) < 2:
        raise VecsmithError("The study fuses encoders, and there is one; give --encoder two or more times.")
    joined = "+".join(config.encoders)
    lines: Lines = {}
    tasks = config.loaded
    chosen = {
        task.name: config.chosen_widths(widths, config.embed(task, joined)[0].dimensions, _widths) for task in tasks
    }
    steps = len(tasks) * (1 + len(CHECKPOINT_PRESETS))
    for number, task in enumerate(tasks, 1):
        for encoder in config.encoders:
            [alone] = next(config.measure(task, encoder, []))
            lines.setdefault((encoder, "float32"), {})[task.name] = _seed_results([alone], alone)
        specs = list(_specs(config.embed(task, joined)[0], chosen[task.name]))
        runs = list(config.measure(task, joined, specs))
        for measurements in zip(*runs, strict=True):
            spec = measurements[0].result.codec
            lines.setdefault((joined, spec), {})[task.name] = _seed_results(measurements, runs[0][0])
        config.publish(_findings(lines, [], config), number, steps)
    checkpoints: list[list[str]] = []
    for number, (task, preset) in enumerate(product(tasks, CHECKPOINT_PRESETS), len(tasks) + 1):
        checkpoints += _checkpoints(task, joined, preset, config)
        config.publish(_findings(lines, checkpoints, config), number, steps)
    return _findings(lines, checkpoints, config)


def _findings(lines: Lines, checkpoints: list[list[str]], config: StudyConfig) -> Findings:
    """Return the findings for the tasks and checkpoints that are measured."""
    shown = [_fusion_table(lines, config), *([_checkpoint_table(checkpoints, config)] if checkpoints else [])]
    results = [result for by_task in lines.values() for line in by_task.values() for result in line.results]
    return Findings([table for table, _ in shown], results, [plot for _, plot in shown])


def _seed_results(measurements: Sequence[Measurement], baseline: Measurement) -> SeedResults:
    results = [compare_with_baseline(each, baseline) for each in measurements]
    return SeedResults(results, np.mean([each.ndcg_at_10 for each in measurements], axis=0))


def _widths(dimensions: int) -> list[int]:
    return [round(dimensions * share) for share in SHARES]


def _specs(fused: EmbeddingSet, widths: Sequence[int]) -> Iterator[str]:
    names = [f"m{number}" for number in range(1, len(fused.blocks) + 1)]
    equal = f"fuse({','.join(names)})"
    fitted = f"{equal}:fit"
    yield from (f"fuse({names[0]},{','.join(f'{name}:{WEIGHT}' for name in names[1:])})", fitted)
    for width in widths:
        yield f"{equal},autoencoder{width}"
        yield f"{fitted},autoencoder{width}"
        if width < fused.dimensions and width <= len(fused) // 2:
            yield f"{fitted},pca{width}"


def _checkpoints(task: Task, encoder: str, preset: str, config: StudyConfig) -> Iterator[list[str]]:
    """Yield task, preset, number, validation loss and nDCG@10 of every checkpoint of a trained autoencoder."""
    width = round(config.embed(task, encoder)[0].dimensions * CHECKPOINT_SHARE)
    for number, each in enumerate(measure_checkpoints(task, encoder, f"autoencoder{width}:{preset}", config)):
        yield [task.name, preset, str(number), f"{each.loss:.4f}", f"{each.ndcg_at_10:.4f}"]


def _fusion_table(lines: Lines, config: StudyConfig) -> tuple[Table, Plot]:
    """Return the table and plot of nDCG@10 relative to the first encoder."""
    first = config.encoders[0]
    baseline = lines[first, "float32"]
    rows, points = [], dict[str, list[tuple[float, float]]]()
    for (encoder, codec), by_task in lines.items():
        retentions = {
            task: [result.ndcg_at_10 / baseline[task].results[0].ndcg_at_10 for result in line.results]
            for task, line in by_task.items()
        }
        complete = len(retentions) == len(baseline)
        mean = fmean(map(fmean, retentions.values()))
        differences = [(line.ndcg_at_10 - baseline[task].ndcg_at_10) for task, line in by_task.items()]
        result = next(iter(by_task.values())).results[0]
        size = [str(result.dimensions), str(result.bytes_per_vector)]
        ndcgs = {task: fmean(result.ndcg_at_10 for result in line.results) for task, line in by_task.items()}
        cells = [
            ndcg_beside(ndcgs[task], mean_and_spread(retentions[task])) if task in ndcgs else "" for task in baseline
        ]
        ends = (
            [ndcg_beside(fmean(ndcgs.values()), f"{mean:.1%}"), f"{stratified_p_value(differences):.3f}"]
            if complete
            else ["", ""]
        )
        rows.append([encoder, codec, *size, *cells, *ends])
        if complete and encoder != first:
            name = codec.rstrip("0123456789") if "," in codec else f"{encoder} {codec}"
            points.setdefault(name, []).append((float(result.dimensions), 100 * mean))
    title = (
        f"nDCG@10, and divided by that of {first}, mean and half the range of seeds {', '.join(map(str, config.seeds))}"
        f", and p of a paired test over the queries; fit on {config.fit_on}"
    )
    columns = ["encoder", "codec", "width", "bytes", *baseline, "mean", "p"]
    return Table("fusion", title, columns, rows), Plot("fusion", title, "dimensions", f"nDCG@10, % of {first}", points)


def _checkpoint_table(rows: list[list[str]], config: StudyConfig) -> tuple[Table, Plot]:
    """Return the table and plot of the validation loss and nDCG@10 of checkpoints."""
    title = (
        "Validation loss and nDCG@10 of checkpoints of trained autoencoders at half of the joint width, fitted on "
        f"{config.full_training_set}"
    )
    points = dict[str, list[tuple[float, float]]]()
    for task, preset, _, loss, ndcg in rows:
        points.setdefault(f"{task}, {preset}", []).append((float(loss), float(ndcg)))
    correlations = "; ".join(f"{name}: {_rank_correlation(each):+.2f}" for name, each in points.items())
    columns = ["task", "preset", "check", "loss", "nDCG@10"]
    table = Table("checkpoints", f"{title}; rank correlation {correlations}", columns, rows)
    return table, Plot("checkpoints", title, "validation loss", "nDCG@10", points, joined=False)


def _rank_correlation(points: Sequence[tuple[float, float]]) -> float:
    from scipy.stats import spearmanr

    losses, ndcgs = (set(values) for values in zip(*points, strict=True))
    if len(losses) < 2 or len(ndcgs) < 2:
        return float("nan")
    return float(spearmanr(*zip(*points, strict=True)).statistic)


def methods(models: Models) -> Sequence[Block]:
    """Return the methods for the article, with diagrams at half of the joint width where it is known."""
    width = round(sum(models.values()) * CHECKPOINT_SHARE) if all(models.values()) else 256
    names = ",".join(f"m{number}" for number in range(1, len(models) + 1))
    return [
        f"A fusion puts the normalized vectors of the models side by side. Equal weights, {WEIGHT} for every model but "
        "the first, and weights that `:fit` chooses without queries are compared.",
        codec_diagram(f"fuse({names}):fit,autoencoder{width}", models),
        "Autoencoders and PCA reduce the fused vectors. `autoencoderK` without a preset is a closed form: weighted "
        "principal components.",
        autoencoder_diagram(f"autoencoder{width}:{CHECKPOINT_PRESETS[-1]}", sum(models.values())),
    ]


STUDIES["fusion"] = fusion
OUTLINES["fusion"] = Outline(
    "Fusion of models, and autoencoders of the fused vectors",
    "Do the vectors of several models, side by side, retrieve better than those of the first model alone? How many "
    "dimensions can then be left out?",
    methods,
    {"fusion": "Models alone, fused, and reduced", "checkpoints": "Training of the autoencoders"},
    ["Checkpoints are measured on the judged queries. They show the course of a training and choose nothing."],
)
