"""`study autoencoder-dimensions`: what an auto-encoder keeps at each width, and what its training makes of it."""

from vecsmith.codecs import Codec
from vecsmith.codecs.reducers.autoencoder import Autoencoder
from vecsmith.embeddings import EmbeddingSet
from vecsmith.evaluation.folds import training_set
from vecsmith.report.findings import Findings, Table
from vecsmith.studies.setting import STUDIES, Setting
from vecsmith.studies.widths import measure_widths, width_plot, width_table

SHARES = (1, 7 / 8, 3 / 4, 1 / 2, 3 / 8, 1 / 4)
TRAINED = "autoencoder{}:linear"
METHODS = {
    "cut": "truncate{}",
    "pca": "pca{}",
    "autoencoder": "autoencoder{}",
    "trained": TRAINED,
}


def autoencoder_dimensions(setting: Setting) -> Findings:
    """Measure auto-encoders of one model at full width, where training should not hurt, and at less.

    Parameters
    ----------
    setting : Setting
        On what it measures, and how.

    Returns
    -------
    Findings
        A row per width, beside PCA and the plain cut; the held-out loss at the start of training and at its best; and
        a plot.
    """
    results = measure_widths(setting, METHODS, widths)
    title = f"nDCG@10 over that of float32, by width; fit on {setting.fit_on}"
    rows = [
        [encoder, str(width), task.name, *_losses(corpus, width, setting)]
        for task, encoder in setting.cases
        for corpus in setting.embed(task, encoder)[:1]
        for width in widths(corpus.dimensions)
    ]
    losses = Table(
        "losses",
        f"Held-out loss of {TRAINED.format('K')} at its start, the closed form, and at its best; fitted on "
        f"{setting.all_documents}, seed {setting.seeds[0]}",
        ["encoder", "width", "task", "start", "best"],
        rows,
    )
    table = width_table(results, METHODS, title)
    return Findings([table, losses], results, [width_plot(results, METHODS, title)])


def widths(dimensions: int) -> list[int]:
    """Return the widths for vectors of d dimensions, largest first."""
    return list(dict.fromkeys(max(1, round(dimensions * share)) for share in SHARES))


def _losses(corpus: EmbeddingSet, width: int, setting: Setting) -> list[str]:
    """Return the held-out loss at the start of training and at its best."""
    other = training_set(setting.fit_on, corpus)
    codec = Codec(TRAINED.format(width), setting.seeds[0])
    seen: list[float] = []
    stage = codec.stages[0]
    if isinstance(stage, Autoencoder):
        stage.watch = lambda checkpoint, loss: seen.append(loss)
    codec.fit((other or corpus).unit)
    return [f"{seen[0]:.4f}", f"{min(seen):.4f}"]


STUDIES["autoencoder-dimensions"] = autoencoder_dimensions
