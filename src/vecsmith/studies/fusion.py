"""`study fusion`: two models together, against each alone and compressed, and whether a lower loss means more."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from vecsmith.codecs import Codec
from vecsmith.codecs.reducers.autoencoder import Autoencoder
from vecsmith.embeddings import EmbeddingSet
from vecsmith.errors import VecsmithError
from vecsmith.evaluation import evaluate, stratified_p_value
from vecsmith.evaluation.compare import against
from vecsmith.evaluation.folds import training_set
from vecsmith.evaluation.results import Result
from vecsmith.evaluation.runner import Measurement
from vecsmith.index import Index
from vecsmith.report.findings import Findings, Plot, Table, cell
from vecsmith.studies.setting import STUDIES, Setting
from vecsmith.tasks import Task

SHARES = (1, 3 / 4, 1 / 2, 3 / 8, 1 / 4)
"""Of the concatenated width."""
WEIGHT = 0.7
"""Of every model but the first, where nothing is fitted."""
WATCHED = 1 / 2
"""The share whose training is watched."""
WATCHED_PRESETS = ("linear", "mlp1")


@dataclass(frozen=True)
class Line:
    """A codec on one task: its results, one a seed, and the mean over seeds of nDCG@10, query by query."""

    results: list[Result]
    ndcg_at_10: NDArray[np.float64]


def fusion(setting: Setting) -> Findings:
    """Measure models alone, side by side, and reduced to a share of the joint width.

    Parameters
    ----------
    setting : Setting
        On what it measures, and how. All encoders are fused; the first, which should be the best, is what they are
        compared with.

    Returns
    -------
    Findings
        nDCG@10 over that of the first encoder, with a paired test; the held-out loss of checkpoints of a training, and
        their nDCG@10; plots of both.

    Raises
    ------
    VecsmithError
        If there are fewer than two encoders.
    """
    if len(setting.encoders) < 2:
        raise VecsmithError("The study fuses encoders, and there is one; give --encoder two or more times.")
    joined = "+".join(setting.encoders)
    lines: dict[tuple[str, str], dict[str, Line]] = {}
    tasks = setting.loaded
    for task in tasks:
        for encoder in setting.encoders:
            [alone] = next(setting.measure(task, encoder, []))
            lines.setdefault((encoder, "float32"), {})[task.name] = _line([alone], alone)
        specs = list(_specs(setting.embed(task, joined)[0]))
        runs = list(setting.measure(task, joined, specs))
        for measurements in zip(*runs, strict=True):
            spec = measurements[0].result.codec
            lines.setdefault((joined, spec), {})[task.name] = _line(measurements, runs[0][0])
    checks = [
        check for task in tasks for preset in WATCHED_PRESETS for check in _checkpoints(task, joined, preset, setting)
    ]
    return _findings(lines, setting, checks)


def _line(measurements: Sequence[Measurement], baseline: Measurement) -> Line:
    results = [against(each, baseline) for each in measurements]
    return Line(results, np.mean([each.ndcg_at_10 for each in measurements], axis=0))


def _specs(fused: EmbeddingSet) -> Iterator[str]:
    names = [f"m{number}" for number in range(1, len(fused.blocks) + 1)]
    equal = f"fuse({','.join(names)})"
    fitted = f"{equal}:fit"
    yield from (f"fuse({names[0]},{','.join(f'{name}:{WEIGHT}' for name in names[1:])})", fitted)
    for width in _widths(fused):
        yield f"{equal},autoencoder{width}"
        yield f"{fitted},autoencoder{width}"
        if width < fused.dimensions and width <= len(fused) // 2:
            yield f"{fitted},pca{width}"


def _widths(fused: EmbeddingSet) -> list[int]:
    return [round(fused.dimensions * share) for share in SHARES]


def _checkpoints(task: Task, encoder: str, preset: str, setting: Setting) -> Iterator[list[str]]:
    """Yield task, preset, number, held-out loss and nDCG@10 of every checkpoint of a trained auto-encoder."""
    corpus, queries = setting.embed(task, encoder)
    judgements = task.judgements(task.present(setting.split))
    asked = np.array([row for row, id_ in enumerate(queries.ids) if id_ in judgements], dtype=np.int64)
    query_ids = [queries.ids[row] for row in asked]
    seen: list[tuple[Autoencoder, float]] = []
    codec = Codec(f"autoencoder{round(corpus.dimensions * WATCHED)}:{preset}", setting.seeds[0])
    stage = codec.stages[0]
    if isinstance(stage, Autoencoder):
        stage.watch = lambda checkpoint, loss: seen.append((checkpoint, loss))
    codec.fit((training_set(setting.fit_on, corpus) or corpus).unit)
    for number, (checkpoint, loss) in enumerate(seen):
        checkpoint.input_dimensions_ = corpus.dimensions
        codec.reducers[0] = checkpoint
        scores, rows = Index(codec, codec.encode(corpus.unit), ids=corpus.ids).search(queries.unit[asked], 101)
        quality = evaluate(scores, rows, query_ids, corpus.ids, judgements, task.ignore_identical_ids)
        yield [task.name, preset, str(number), f"{loss:.4f}", f"{quality.ndcg_at_10.mean():.4f}"]


def _findings(lines: dict[tuple[str, str], dict[str, Line]], setting: Setting, checks: list[list[str]]) -> Findings:
    first = setting.encoders[0]
    baseline = lines[first, "float32"]
    rows, plotted = [], dict[str, list[tuple[float, float]]]()
    for (encoder, codec), found in lines.items():
        shares = {
            task: [result.ndcg_at_10 / baseline[task].results[0].ndcg_at_10 for result in line.results]
            for task, line in found.items()
        }
        whole = len(shares) == len(baseline)
        mean = fmean(map(fmean, shares.values()))
        differences = [(line.ndcg_at_10 - baseline[task].ndcg_at_10) for task, line in found.items()]
        result = next(iter(found.values())).results[0]
        size = [str(result.dimensions), str(result.bytes_per_vector)]
        cells = [cell(shares.get(task, [])) for task in baseline]
        ends = [f"{mean:.1%}", f"{stratified_p_value(differences):.3f}"] if whole else ["", ""]
        rows.append([encoder, codec, *size, *cells, *ends])
        if whole and encoder != first:
            name = codec.rstrip("0123456789") if "," in codec else f"{encoder} {codec}"
            plotted.setdefault(name, []).append((float(result.dimensions), 100 * mean))
    title = (
        f"nDCG@10 over that of {first}, mean and half the range of seeds {', '.join(map(str, setting.seeds))}"
        f", and p of a paired test over the queries; fit on {setting.fit_on}"
    )
    columns = ["encoder", "codec", "width", "bytes", *baseline, "mean", "p"]
    watched = (
        f"Held-out loss and nDCG@10 of checkpoints of trained auto-encoders at half of the joint width, fitted on "
        f"{setting.all_documents}"
    )
    losses = dict[str, list[tuple[float, float]]]()
    for task, preset, _, loss, quality in checks:
        losses.setdefault(f"{task}, {preset}", []).append((float(loss), float(quality)))
    correlated = "; ".join(f"{name}: {_rank_correlation(points):+.2f}" for name, points in losses.items())
    return Findings(
        [
            Table("fusion", title, columns, rows),
            Table(
                "checkpoints",
                f"{watched}; rank correlation {correlated}",
                ["task", "preset", "check", "loss", "nDCG@10"],
                checks,
            ),
        ],
        [result for found in lines.values() for line in found.values() for result in line.results],
        [
            Plot("fusion", title, "dimensions", f"nDCG@10, % of {first}", plotted),
            Plot("checkpoints", watched, "held-out loss", "nDCG@10", losses, joined=False),
        ],
    )


def _rank_correlation(points: Sequence[tuple[float, float]]) -> float:
    from scipy.stats import spearmanr

    losses, qualities = (set(values) for values in zip(*points, strict=True))
    if len(losses) < 2 or len(qualities) < 2:
        return float("nan")
    return float(spearmanr(*zip(*points, strict=True)).statistic)


STUDIES["fusion"] = fusion
