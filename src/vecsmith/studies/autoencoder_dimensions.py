"""`study autoencoder-dimensions`: the quality of autoencoders by width, and its course during their training."""

from collections.abc import Iterator, Sequence
from functools import partial

from vecsmith.report.findings import Findings, Plot, Table
from vecsmith.report.widths import WIDTHS_TITLE, width_plot, width_table
from vecsmith.studies.checkpoints import measure_checkpoints
from vecsmith.studies.config import STUDIES, StudyConfig

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
    results = config.measure_widths(METHODS, chosen)
    title = WIDTHS_TITLE.format(config.fit_on)
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
    plots = [
        width_plot(results, METHODS, title),
        Plot("losses", about, "validation loss", "nDCG@10", lines, joined=False),
    ]
    return Findings([width_table(results, METHODS, title), Table("losses", about, columns, rows)], results, plots)


def default_widths(dimensions: int) -> list[int]:
    """Return the default widths for vectors of d dimensions, in descending order."""
    return list(dict.fromkeys(max(1, round(dimensions * share)) for share in SHARES))


def _notable(losses: Sequence[float], ndcgs: Sequence[float]) -> Iterator[tuple[str, int]]:
    """Yield names and numbers of the checkpoints of a table."""
    yield "start", 0
    yield "lowest loss", losses.index(min(losses))
    yield "peak", ndcgs.index(max(ndcgs))
    yield "last", len(losses) - 1


STUDIES["autoencoder-dimensions"] = autoencoder_dimensions
