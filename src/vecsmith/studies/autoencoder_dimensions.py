"""`study autoencoder-dimensions`: the quality of autoencoders by width, and its course during their training."""

from collections.abc import Iterator, Sequence
from functools import partial

from vecsmith.evaluation.results import Result
from vecsmith.report.architectures import Models, autoencoder_diagram
from vecsmith.report.article import Block
from vecsmith.report.findings import Findings, Plot, Table
from vecsmith.report.widths import WIDTHS_TITLE, width_plot, width_table
from vecsmith.studies.checkpoints import measure_checkpoints
from vecsmith.studies.config import STUDIES, StudyConfig
from vecsmith.studies.outline import OUTLINES, Outline

SHARES = (1, 7 / 8, 3 / 4, 1 / 2, 3 / 8, 1 / 4)
"""Default widths, as shares of the dimensions of the vectors."""
METHODS = {
    "cut": "truncate{}",
    "pca": "pca{}",
    "autoencoder": "autoencoder{}",
    "trained": "autoencoder{}:linear",
}
WATCHED = {"linear": "autoencoder{}:linear", "mse": "autoencoder{}:mse"}
"""Autoencoders whose checkpoints are measured: trained for the ranking, and for the reconstruction."""


def autoencoder_dimensions(config: StudyConfig, widths: Sequence[int] | None = None) -> Findings:
    """Measure autoencoders of one model at full width, where training should do no harm, and at smaller widths.

    Parameters
    ----------
    config : StudyConfig
        Tasks, encoders and protocol.
    widths : sequence of int, optional
        The widths; by default `SHARES` of the dimensions of the vectors.

    Returns
    -------
    Findings
        A row for each width, with PCA and truncation for comparison; nDCG@10 and the validation loss of four
        checkpoints of the training at each width; and plots of both.

    Raises
    ------
    VecsmithError
        If a width is larger than the vectors.
    """
    chosen = partial(config.chosen_widths, widths, default=default_widths)
    title = WIDTHS_TITLE.format(config.fit_on)

    def by_width(results: Sequence[Result]) -> Findings:
        return Findings([width_table(results, METHODS, title)], list(results), [width_plot(results, METHODS, title)])

    measured_widths = by_width(config.measure_widths(METHODS, chosen, by_width))
    results = measured_widths.results
    rows, lines = [], dict[str, list[tuple[float, float]]]()
    for task, encoder in config.cases:
        dimensions = config.embed(task, encoder)[0].dimensions
        reference = next(
            each.ndcg_at_10
            for each in results
            if (each.task, each.encoder, each.codec) == (task.name, encoder, "float32")
        )
        for preset, spec in WATCHED.items():
            for width in chosen(dimensions):
                measured = measure_checkpoints(task, encoder, spec.format(width), config)
                lines[f"{task.name}, {encoder}, {preset}{width}"] = [(each.loss, each.ndcg_at_10) for each in measured]
                for name, number in _notable([each.loss for each in measured], [each.ndcg_at_10 for each in measured]):
                    loss, ndcg = measured[number]
                    cells = [f"{ndcg:.4f}", f"{ndcg / reference:.1%}" if reference else "", f"{loss:.4f}"]
                    rows.append([encoder, task.name, preset, str(width), name, str(number), *cells])
    about = (
        f"nDCG@10 and validation loss of checkpoints of {' and '.join(spec.format('K') for spec in WATCHED.values())} "
        "(the loss of mse is the reconstruction error); the peak of nDCG@10 is chosen on the judged queries, so "
        f"that no training can promise it; fitted on {config.full_training_set}, seed {config.seeds[0]}"
    )
    columns = ["encoder", "task", "preset", "width", "checkpoint", "number", "nDCG@10", "retention", "loss"]
    plot = Plot("losses", about, "validation loss", "nDCG@10", lines, joined=False)
    tables = [*measured_widths.tables, Table("losses", about, columns, rows)]
    return Findings(tables, results, [*measured_widths.plots, plot])


def default_widths(dimensions: int) -> list[int]:
    """Return the default widths for vectors of d dimensions, in descending order."""
    return list(dict.fromkeys(max(1, round(dimensions * share)) for share in SHARES))


def _notable(losses: Sequence[float], ndcgs: Sequence[float]) -> Iterator[tuple[str, int]]:
    """Yield names and numbers of the checkpoints of a table."""
    yield "start", 0
    yield "lowest loss", losses.index(min(losses))
    yield "peak", ndcgs.index(max(ndcgs))
    yield "last", len(losses) - 1


def methods(models: Models) -> Sequence[Block]:
    """Return the methods for the article, with diagrams at half of the width where it is known."""
    d = next(iter(models.values()))
    return [
        "Vectors are reduced by truncation, PCA, weighted principal components (`autoencoderK`) and autoencoders that "
        "start from these and are trained.",
        *(
            autoencoder_diagram(spec.format(round(d / 2) or 128), d, f"autoencoder-{preset}")
            for preset, spec in WATCHED.items()
        ),
    ]


STUDIES["autoencoder-dimensions"] = autoencoder_dimensions
OUTLINES["autoencoder-dimensions"] = Outline(
    "Autoencoders by width",
    "How many dimensions does an autoencoder need? Does its training help? Does a lower loss mean better retrieval?",
    methods,
    {"widths": "Retrieval by width", "losses": "Loss and retrieval during training"},
    ["The peak of nDCG@10 is chosen on the judged queries; a training cannot find it."],
)
