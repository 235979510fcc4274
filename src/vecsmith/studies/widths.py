"""What studies of fewer dimensions share: several methods at several widths, as a table and a plot."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from vecsmith.evaluation.compare import against
from vecsmith.evaluation.results import Result
from vecsmith.report.findings import Plot, Table, cell
from vecsmith.studies.setting import Setting

Methods = Mapping[str, str]
"""Specs by the name of a method, with {} where the width belongs."""


def measure_widths(setting: Setting, methods: Methods, widths: Callable[[int], Sequence[int]]) -> list[Result]:
    """Measure methods at the widths that `widths` returns for d; at more than half of the documents, no PCA.

    Parameters
    ----------
    setting : Setting
        On what it measures, and how.
    methods : mapping of str to str
        What is measured.
    widths : callable
        From d to widths.
    """
    results = []
    for task, encoder in setting.cases:
        corpus, _ = setting.embed(task, encoder)
        specs = [
            method.format(width)
            for width in widths(corpus.dimensions)
            for method in methods.values()
            if not method.startswith("pca") or width <= len(corpus) // 2
        ]
        for baseline, *measured in setting.measure(task, encoder, specs):
            results += [against(measurement, baseline) for measurement in (baseline, *measured)]
    return results


def width_table(results: Sequence[Result], methods: Methods, title: str, name: str = "widths") -> Table:
    """Return a row per encoder, task and width, and for the mean of several tasks, and a column per method."""
    rows = []
    for encoder in dict.fromkeys(result.encoder for result in results):
        shares = _shares(results, encoder)
        tasks = list(dict.fromkeys(result.task for result in results))
        for width in sorted({k for _, k, _ in shares}, reverse=True):
            found = [_row(shares, [task], width, methods) for task in tasks]
            if len(tasks) > 1:
                found.append(_row(shares, tasks, width, methods))
            names = [*tasks, f"mean of {len(tasks)}"]
            rows += [[encoder, str(width), task, *cells] for task, cells in zip(names, found, strict=False)]
    return Table(name, title, ["encoder", "width", "task", *methods], rows)


def width_plot(results: Sequence[Result], methods: Methods, title: str, name: str = "widths") -> Plot:
    """Return the mean over tasks and seeds against the width, a line per encoder and method."""
    lines = {}
    for encoder in dict.fromkeys(result.encoder for result in results):
        shares = _shares(results, encoder)
        for method, template in methods.items():
            found: dict[int, list[float]] = {}
            for (codec, width, _), kept in shares.items():
                if codec == template.format(width):
                    found.setdefault(width, []).append(fmean(kept))
            lines[f"{encoder}, {method}"] = [(float(width), 100 * fmean(found[width])) for width in sorted(found)]
    return Plot(name, title, "dimensions", "nDCG@10, % of float32", {k: line for k, line in lines.items() if line})


def _shares(results: Sequence[Result], encoder: str) -> dict[tuple[str, int, str], list[float]]:
    """Return retentions, one a seed, by codec, width and task."""
    shares: dict[tuple[str, int, str], list[float]] = {}
    for result in results:
        if result.encoder == encoder and result.scoring != "exact":
            shares.setdefault((result.codec, result.dimensions, result.task), []).append(result.retention)
    return shares


def _row(
    shares: Mapping[tuple[str, int, str], list[float]], tasks: Sequence[str], width: int, methods: Methods
) -> list[str]:
    cells = []
    for template in methods.values():
        kept = [shares.get((template.format(width), width, task), []) for task in tasks]
        whole = all(kept)
        cells.append((cell(kept[0]) if len(tasks) == 1 else f"{fmean(map(fmean, kept)):.1%}") if whole else "")
    return cells
