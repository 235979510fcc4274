"""`study matryoshka-versus-autoencoder`: truncation compared with trained reducers of the same width."""

from collections.abc import Sequence

from vecsmith.report.findings import Findings
from vecsmith.report.widths import WIDTHS_TITLE, width_plot, width_table
from vecsmith.studies.config import STUDIES, StudyConfig

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

    results = config.measure_widths(METHODS, lambda d: config.chosen_widths(widths, d, default_widths))
    title = WIDTHS_TITLE.format(config.fit_on)
    return Findings([width_table(results, METHODS, title)], results, [width_plot(results, METHODS, title)])


STUDIES["matryoshka-versus-autoencoder"] = matryoshka
