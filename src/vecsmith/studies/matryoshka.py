"""`study matryoshka-versus-autoencoder`: the cut of such vectors, a trained one, and an auto-encoder."""

from vecsmith.report.findings import Findings
from vecsmith.studies.setting import STUDIES, Setting
from vecsmith.studies.widths import measure_widths, width_plot, width_table

WIDTHS = (32, 64, 128, 256, 512, 768, 1024)
METHODS = {
    "cut": "truncate{}",
    "pca": "pca{}",
    "autoencoder": "autoencoder{}",
    "adaptor": "adaptor{}",
}


def matryoshka(setting: Setting) -> Findings:
    """Measure the cut of vectors, as models trained with Matryoshka representation learning allow it, and its rivals.

    Parameters
    ----------
    setting : Setting
        On what it measures, and how.

    Returns
    -------
    Findings
        A row per width of 32, 64, 128, 256, 512, 768 and 1024, as far as they go, and a plot.

    References
    ----------
    Kusupati et al. 2022, Matryoshka Representation Learning, https://arxiv.org/abs/2205.13147.
    """

    def widths(d: int) -> list[int]:
        return [width for width in WIDTHS if width <= d]

    results = measure_widths(setting, METHODS, widths)
    title = f"nDCG@10 over that of float32, of vectors cut and of rivals of the same width; fit on {setting.fit_on}"
    return Findings([width_table(results, METHODS, title)], results, [width_plot(results, METHODS, title)])


STUDIES["matryoshka-versus-autoencoder"] = matryoshka
