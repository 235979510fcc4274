"""`study matryoshka-versus-autoencoder`: truncation compared with trained reducers of the same width."""

from vecsmith.report.findings import Findings
from vecsmith.report.widths import width_plot, width_table
from vecsmith.studies.config import STUDIES, StudyConfig

WIDTHS = (32, 64, 128, 256, 512, 768, 1024)
METHODS = {
    "cut": "truncate{}",
    "pca": "pca{}",
    "autoencoder": "autoencoder{}",
    "adaptor": "adaptor{}",
}


def matryoshka(config: StudyConfig) -> Findings:
    """Compare truncation, as Matryoshka representation learning allows it, with PCA, an auto-encoder and an adaptor.

    Parameters
    ----------
    config : StudyConfig
        Tasks, encoders and protocol.

    Returns
    -------
    Findings
        A row for each width of 32, 64, 128, 256, 512, 768 and 1024 dimensions that the vectors have, and a plot.

    References
    ----------
    Kusupati et al. 2022, Matryoshka Representation Learning, https://arxiv.org/abs/2205.13147.
    """

    def widths(d: int) -> list[int]:
        return [width for width in WIDTHS if width <= d]

    results = config.measure_widths(METHODS, widths)
    title = (
        "nDCG@10 divided by that of float32, of truncated vectors and of other reducers of the same width; fit on "
        f"{config.fit_on}"
    )
    return Findings([width_table(results, METHODS, title)], results, [width_plot(results, METHODS, title)])


STUDIES["matryoshka-versus-autoencoder"] = matryoshka
