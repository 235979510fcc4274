"""What a study finds: measured results, and tables made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from vecsmith.evaluation.results import Result


@dataclass(frozen=True)
class Table:
    """A table of a study, ready to be read.

    Attributes
    ----------
    name : str
        What its file is called.
    title : str
        What it shows, and how that was measured.
    columns : list of str
        Names of the columns.
    rows : list of list of str
        Cells.
    """

    name: str
    title: str
    columns: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Plot:
    """A plot of a study: lines, or points where a line has no order.

    Attributes
    ----------
    name : str
        What its file is called.
    title, x_label, y_label : str
        What it shows.
    lines : mapping of str to list of (x, y)
        Points by the name of their line.
    joined : bool
        Whether points of a line are joined.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    lines: Mapping[str, list[tuple[float, float]]]
    joined: bool = True


@dataclass(frozen=True)
class Map:
    """A map of vectors in the plane, which is laid out (UMAP by cosine) when it is drawn.

    Attributes
    ----------
    name : str
        What its file is called.
    title : str
        What it shows.
    groups : mapping of str to ndarray of shape (n, d), float32
        Vectors of the same n things, by what made them.
    labels : list of str
        What the n things are.
    """

    name: str
    title: str
    groups: Mapping[str, NDArray[np.float32]]
    labels: list[str]


@dataclass(frozen=True)
class Kernels:
    """Kernel matrices of the same things in several spaces, as pictures side by side.

    Attributes
    ----------
    name : str
        What its file is called.
    title : str
        What it shows.
    matrices : mapping of str to ndarray of shape (n, n), float32
        Similarities of every two of n things, by what the space is.
    labels : list of str
        What the n things are.
    """

    name: str
    title: str
    matrices: Mapping[str, NDArray[np.float32]]
    labels: list[str]


@dataclass(frozen=True)
class Page:
    """A page of examples.

    Attributes
    ----------
    name : str
        What its file is called.
    title : str
        What it shows.
    tables : list of Table
        The examples, one below the other.
    """

    name: str
    title: str
    tables: list[Table]


@dataclass(frozen=True)
class Findings:
    """What a study finds.

    Attributes
    ----------
    tables : list of Table
        The main one first.
    results : list of Result
        Every line that was measured.
    plots : list of Plot
        What the tables say, to be seen.
    maps : list of Map or Kernels
        Which vectors lie beside each other.
    pages : list of Page
        Examples.
    """

    tables: list[Table]
    results: list[Result] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    maps: list[Map | Kernels] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)


def summary(results: Sequence[Result]) -> Table:
    """Return a row per encoder, codec and scoring, and a column per task.

    A cell is the mean retention over the seeds, and half of what lies between the smallest and the largest; the last
    column is the mean of the tasks' means, for codecs that were measured on all of them.
    """
    tasks = list(dict.fromkeys(result.task for result in results))
    groups: dict[tuple[str, str, str], dict[str, list[Result]]] = {}
    for result in results:
        lines = groups.setdefault((result.encoder, result.codec, result.scoring), {})
        lines.setdefault(result.task, []).append(result)
    rows = []
    for names, lines in groups.items():
        shares = {task: [line.retention for line in lines[task]] for task in tasks if task in lines}
        mean = f"{fmean(map(fmean, shares.values())):.1%}" if len(shares) == len(tasks) else ""
        size = next(iter(lines.values()))[0].bytes_per_vector
        rows.append([*names, str(size), *(cell(shares.get(task, [])) for task in tasks), mean])
    rows.sort(key=lambda row: (row[0], -int(row[3])))
    return Table("summary", _title(results), ["encoder", "codec", "scoring", "bytes", *tasks, "mean"], rows)


def cell(shares: Sequence[float]) -> str:
    """Return a mean retention as text, with half of what lies between the smallest and the largest."""
    if not shares:
        return ""
    spread = (max(shares) - min(shares)) / 2
    return f"{fmean(shares):.1%}" + (f" ±{100 * spread:.1f}" if len(shares) > 1 else "")


def _title(results: Sequence[Result]) -> str:
    fit_on = next((result.fit_on for result in results if result.fit_on != "nothing"), "nothing")
    seeds = sorted({result.seed for result in results})
    splits = sorted({result.split for result in results})
    return (
        f"nDCG@10 over that of float32 (splits {', '.join(splits)}), mean and half the range of seeds "
        f"{', '.join(map(str, seeds))}; fit on {fit_on}"
    )
