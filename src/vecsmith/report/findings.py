"""Findings of a study or of advice: tables, plots, maps, kernels and examples, and the results that they show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from vecsmith.array_types import Floats
from vecsmith.evaluation.results import Result


@dataclass(frozen=True)
class Table:
    """A table of text cells.

    Attributes
    ----------
    name : str
        Name of its file.
    title : str
        Content of the table, and how it was measured.
    columns : list of str
        Headings of the columns.
    rows : list of list of str
        Cells of each row.
    """

    name: str
    title: str
    columns: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Plot:
    """A plot of lines or of points.

    Attributes
    ----------
    name : str
        Name of its file.
    title, x_label, y_label : str
        Title of the plot and labels of the axes.
    lines : mapping of str to list of (x, y)
        Points of each line, by name. The report draws a panel for lines whose names agree up to the last ``", "``.
    joined : bool
        Whether to join the points of a line.
    x_names : list of str
        Names of the x values 0, 1, 2, … if they stand for categories; empty otherwise.
    group : str
        Plots of one group, such as several measures of the same lines, are shown one at a time; empty for a plot of its
        own.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    lines: Mapping[str, list[tuple[float, float]]]
    joined: bool = True
    x_names: list[str] = field(default_factory=list)
    group: str = ""


@dataclass(frozen=True)
class LinkedMaps:
    """Maps of the same documents in two spaces: the true space, and the space that a translator makes.

    Attributes
    ----------
    title : str
        Title of the maps.
    method : str
        Layout of the maps: ``pca`` or ``umap``.
    spaces : list of str
        Names of the two spaces.
    labels : list of str
        Ids and beginnings of the texts of the n documents.
    places : list of list of (int, int)
        Coordinates of the documents in each space, from 0 to 9,999. Both maps have the same axes.
    neighbors : list of list of list of int
        For each space and document, the numbers of its k nearest documents, nearest first.
    clusters : list of int
        Cluster of each document in the true space.
    words : list of str
        Words of each cluster.
    medoids : list of int
        Number of the medoid of each cluster.
    """

    title: str
    method: str
    spaces: list[str]
    labels: list[str]
    places: list[list[tuple[int, int]]]
    neighbors: list[list[list[int]]]
    clusters: list[int]
    words: list[str]
    medoids: list[int]


@dataclass(frozen=True)
class Kernels:
    """Kernel matrices of the same items in several spaces, drawn as heat maps side by side.

    Attributes
    ----------
    title : str
        Title of the heat maps.
    matrices : mapping of str to ndarray of shape (n, n), float32
        Similarities of all pairs of n items, by name of the space; symmetric.
    labels : list of str
        Labels of the n items.
    """

    title: str
    matrices: Mapping[str, Floats]
    labels: list[str]


@dataclass(frozen=True)
class Examples:
    """Examples of searches.

    Attributes
    ----------
    title : str
        Title of the examples.
    tables : list of Table
        A table for each example.
    """

    title: str
    tables: list[Table]


@dataclass(frozen=True)
class Findings:
    """The findings of a study.

    Attributes
    ----------
    tables : list of Table
        Tables, the main one first.
    results : list of Result
        All measured results.
    plots : list of Plot
        Plots of the tables.
    maps : list of LinkedMaps
        Maps of documents before and after a translation.
    kernels : list of Kernels
        Kernel matrices.
    examples : list of Examples
        Examples of searches.
    """

    tables: list[Table]
    results: list[Result] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    maps: list[LinkedMaps] = field(default_factory=list)
    kernels: list[Kernels] = field(default_factory=list)
    examples: list[Examples] = field(default_factory=list)


def summary(results: Sequence[Result]) -> Table:
    """Return a table with a row for each encoder, codec and scoring, and a column for each task.

    A cell is the mean nDCG@10 over the seeds, and in parentheses the mean retention and half of its range. The last
    column is the mean over the tasks, for codecs that were measured on all of them.
    """
    tasks = list(dict.fromkeys(result.task for result in results))
    groups: dict[tuple[str, str, str], dict[str, list[Result]]] = {}
    for result in results:
        lines = groups.setdefault((result.encoder, result.codec, result.scoring), {})
        lines.setdefault(result.task, []).append(result)
    rows = []
    for names, lines in groups.items():
        cells = [ndcg_and_retention(lines.get(task, [])) for task in tasks]
        mean = mean_over_tasks([lines.get(task, []) for task in tasks])
        size = next(iter(lines.values()))[0].bytes_per_vector
        rows.append([*names, str(size), *cells, mean])
    rows.sort(key=lambda row: (row[0], -int(row[3])))
    return Table("summary", _title(results), ["encoder", "codec", "scoring", "bytes", *tasks, "mean"], rows)


def ndcg_and_retention(results: Sequence[Result]) -> str:
    """Return the mean nDCG@10 of several seeds, and in parentheses the mean and half of the range of the retention."""
    if not results:
        return ""
    return ndcg_beside(
        fmean(result.ndcg_at_10 for result in results), mean_and_spread([result.retention for result in results])
    )


def mean_over_tasks(results: Sequence[Sequence[Result]]) -> str:
    """Return the means over tasks of nDCG@10 and of the retention, from the results of each task's seeds.

    It is empty if a task has no results.
    """
    if not all(results):
        return ""
    ndcg, retention = (
        fmean(fmean(getattr(result, field) for result in by_seed) for by_seed in results)
        for field in ("ndcg_at_10", "retention")
    )
    return ndcg_beside(ndcg, f"{retention:.1%}")


def ndcg_beside(ndcg: float, retention: str) -> str:
    """Return nDCG@10 with the retention in parentheses, such as ``0.6451 (98.2% ±0.3)``."""
    return f"{ndcg:.4f} ({retention})"


def mean_and_spread(retentions: Sequence[float]) -> str:
    """Return the mean and half of the range of several retentions as text; empty for none."""
    if not retentions:
        return ""
    spread = (max(retentions) - min(retentions)) / 2
    return f"{fmean(retentions):.1%}" + (f" ±{100 * spread:.1f}" if len(retentions) > 1 else "")


def _title(results: Sequence[Result]) -> str:
    fit_on = next((result.fit_on for result in results if result.fit_on != "nothing"), "nothing")
    seeds = sorted({result.seed for result in results})
    splits = sorted({result.split for result in results})
    return (
        f"nDCG@10, and relative to float32 (splits {', '.join(splits)}), mean and half the range of seeds "
        f"{', '.join(map(str, seeds))}; fit on {fit_on}"
    )
