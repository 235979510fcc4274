"""`study autoencoder-dimensions`: the retention of auto-encoders by width, and the effect of their training."""

from vecsmith.codecs import Codec
from vecsmith.codecs.reducers.autoencoder import Autoencoder
from vecsmith.embeddings import EmbeddingSet
from vecsmith.evaluation.folds import training_set
from vecsmith.report.findings import Findings, Table
from vecsmith.report.widths import width_plot, width_table
from vecsmith.studies.config import STUDIES, StudyConfig

SHARES = (1, 7 / 8, 3 / 4, 1 / 2, 3 / 8, 1 / 4)
"""Widths, as shares of the dimensions of the vectors."""
TRAINED = "autoencoder{}:linear"
METHODS = {
    "cut": "truncate{}",
    "pca": "pca{}",
    "autoencoder": "autoencoder{}",
    "trained": TRAINED,
}


def autoencoder_dimensions(config: StudyConfig) -> Findings:
    """Measure auto-encoders of one model at full width, where training should do no harm, and at smaller widths.

    Parameters
    ----------
    config : StudyConfig
        Tasks, encoders and protocol.

    Returns
    -------
    Findings
        A row for each width, with PCA and truncation for comparison; the validation loss at the start of training and
        at the best checkpoint; and a plot.
    """
    results = config.measure_widths(METHODS, widths)
    title = f"nDCG@10 divided by that of float32, by width; fit on {config.fit_on}"
    rows = [
        [encoder, str(width), task.name, *_losses(corpus, width, config)]
        for task, encoder in config.cases
        for corpus in config.embed(task, encoder)[:1]
        for width in widths(corpus.dimensions)
    ]
    losses = Table(
        "losses",
        f"Validation loss of {TRAINED.format('K')} at the start of training (the closed form) and at the best "
        f"checkpoint; fitted on {config.full_training_set}, seed {config.seeds[0]}",
        ["encoder", "width", "task", "start", "best"],
        rows,
    )
    table = width_table(results, METHODS, title)
    return Findings([table, losses], results, [width_plot(results, METHODS, title)])


def widths(dimensions: int) -> list[int]:
    """Return the widths for vectors of d dimensions, in descending order."""
    return list(dict.fromkeys(max(1, round(dimensions * share)) for share in SHARES))


def _losses(corpus: EmbeddingSet, width: int, config: StudyConfig) -> list[str]:
    """Return the validation loss at the start of training and at the best checkpoint, as text."""
    other = training_set(config.fit_on, corpus)
    codec = Codec(TRAINED.format(width), config.seeds[0])
    losses: list[float] = []
    stage = codec.stages[0]
    if isinstance(stage, Autoencoder):
        stage.watch = lambda checkpoint, loss: losses.append(loss)
    codec.fit((other or corpus).unit)
    return [f"{losses[0]:.4f}", f"{min(losses):.4f}"]


STUDIES["autoencoder-dimensions"] = autoencoder_dimensions
