"""Table of the similarity of two embedding sets."""

from vecsmith.evaluation.geometry import Estimate
from vecsmith.evaluation.set_comparison import SetComparison
from vecsmith.report.findings import Table


def geometry_table(title: str, comparison: SetComparison) -> Table:
    """Return a table with a row for each measure, with its 95 % bootstrap interval and number of texts.

    Parameters
    ----------
    title : str
        Title of the table.
    comparison : SetComparison
        The measures.
    """
    rows = [[name, "", *_cells(each)] for name, each in comparison.paired.items()]
    rows += [[name, "", _digits(value), "", ""] for name, value in comparison.kernels.items()]
    rows += [[name, str(k), *_cells(each)] for (name, k), each in comparison.neighborhoods.items()]
    return Table("geometry", title, ["measure", "k", "value", "95 % interval", "texts"], rows)


def _cells(estimate: Estimate) -> list[str]:
    interval = f"{_digits(estimate.low)} to {_digits(estimate.high)}"
    return [_digits(estimate.mean), interval, f"{estimate.n:,}"]


def _digits(value: float) -> str:
    return f"{value:.3f}" if abs(value) >= 0.01 else f"{value:.2g}"
