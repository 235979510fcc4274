"""`study matryoshka-versus-autoencoder`: truncation compared with trained reducers of the same width."""

from collections.abc import Sequence

from vecsmith.evaluation.results import Result
from vecsmith.report.architectures import Models, autoencoder_diagram
from vecsmith.report.article import Block
from vecsmith.report.findings import Findings
from vecsmith.report.widths import WIDTHS_TITLE, width_plot, width_table
from vecsmith.studies.config import STUDIES, StudyConfig
from vecsmith.studies.outline import OUTLINES, Outline

WIDTHS = (32, 64, 128, 256, 512, 768, 1024)
METHODS = {
    "cut": "truncate{}",
    "pca": "pca{}",
    "autoencoder": "autoencoder{}",
    "adaptor": "adaptor{}",
}


def matryoshka(config: StudyConfig, widths: Sequence[int] | None = None) -> Findings:
    """Compare truncation, as Matryoshka representation learning allows it, with PCA, an autoencoder and an adaptor.

    Parameters
    ----------
    config : StudyConfig
        Tasks, encoders and protocol.
    widths : sequence of int, optional
        The widths; by default all of `WIDTHS` up to the dimensions of the vectors.

    Returns
    -------
    Findings
        A row for each width, and a plot.

    Raises
    ------
    VecsmithError
        If a width is larger than the vectors.

    References
    ----------
    Kusupati et al. 2022, Matryoshka Representation Learning, https://arxiv.org/abs/2205.13147.
    """

    def default_widths(d: int) -> list[int]:
        return [width for width in WIDTHS if width <= d]

    title = WIDTHS_TITLE.format(config.fit_on)

    def findings(results: Sequence[Result]) -> Findings:
        return Findings([width_table(results, METHODS, title)], list(results), [width_plot(results, METHODS, title)])

    return findings(config.measure_widths(METHODS, lambda d: config.chosen_widths(widths, d, default_widths), findings))


def methods(models: Models) -> Sequence[Block]:
    """Return the methods for the article."""
    d = next(iter(models.values()))
    return [
        "Truncation keeps the first dimensions, as models with nested dimensions allow. It is compared with PCA, with "
        "weighted principal components (`autoencoderK`) and with a trained rotation (`adaptorK`) of the same width.",
        autoencoder_diagram(f"autoencoder{round(d / 2) or 128}", d),
    ]


STUDIES["matryoshka-versus-autoencoder"] = matryoshka
OUTLINES["matryoshka-versus-autoencoder"] = Outline(
    "Truncated vectors against autoencoders",
    "Is it better to cut vectors to their first dimensions or to reduce them by a fitted map?",
    methods,
    {"widths": "Retrieval by width"},
)
