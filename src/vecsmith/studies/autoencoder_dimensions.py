"""`study autoencoder-dimensions`: what an auto-encoder keeps at each width, and what its training makes of it."""

from collections.abc import Sequence

from vecsmith.codecs import Codec
from vecsmith.codecs.autoencoder import Autoencoder
from vecsmith.embeddings import EmbeddingSet
from vecsmith.encoders import embed_task
from vecsmith.search import training_set
from vecsmith.studies.findings import Findings, Table
from vecsmith.studies.widths import measure_widths, width_plot, width_table
from vecsmith.tasks import load_task

SHARES = (1, 7 / 8, 3 / 4, 1 / 2, 3 / 8, 1 / 4)
TRAINED = "autoencoder{}:linear"
METHODS = {
    "cut": "truncate{}",
    "pca": "pca{}",
    "autoencoder": "autoencoder{}",
    "trained": TRAINED,
}


def autoencoder_dimensions(
    tasks: Sequence[str],
    encoders: Sequence[str],
    split: str = "test",
    fit_on: str = "cross",
    seeds: Sequence[int] = (0, 1, 2),
) -> Findings:
    """Measure auto-encoders of one model at full width, where training should not hurt, and at less.

    Parameters
    ----------
    tasks, encoders, split, fit_on, seeds
        As of `quantization`.

    Returns
    -------
    Findings
        A row per width, beside PCA and the plain cut; the held-out loss at the start of training and at its best; and
        a plot.
    """
    results = measure_widths(tasks, encoders, METHODS, widths, split, fit_on, seeds)
    title = f"nDCG@10 over that of float32, by width; fit on {fit_on}"
    rows = [
        [encoder, str(width), task.name, *_losses(corpus, width, fit_on, seeds[0])]
        for encoder in encoders
        for task in map(load_task, tasks)
        for corpus in embed_task(task, encoder)[:1]
        for width in widths(corpus.dimensions)
    ]
    losses = Table(
        "losses",
        f"Held-out loss of {TRAINED.format('K')} at its start, the closed form, and at its best; fitted on "
        f"{'all documents' if fit_on in ('cross', 'corpus') else fit_on}, seed {seeds[0]}",
        ["encoder", "width", "task", "start", "best"],
        rows,
    )
    table = width_table(results, METHODS, title)
    return Findings([table, losses], results, [width_plot(results, METHODS, title)])


def widths(dimensions: int) -> list[int]:
    """Return the widths for vectors of d dimensions, largest first."""
    return list(dict.fromkeys(max(1, round(dimensions * share)) for share in SHARES))


def _losses(corpus: EmbeddingSet, width: int, fit_on: str, seed: int) -> list[str]:
    """Return the held-out loss at the start of training and at its best."""
    other = training_set(fit_on, corpus)
    codec = Codec(TRAINED.format(width), seed)
    seen: list[float] = []
    stage = codec.stages[0]
    if isinstance(stage, Autoencoder):
        stage.watch = lambda checkpoint, loss: seen.append(loss)
    codec.fit((other or corpus).unit)
    return [f"{seen[0]:.4f}", f"{min(seen):.4f}"]
