"""Sentences about tables and results, with the figures from which they follow."""

import re
from collections.abc import Sequence
from math import isnan, nan
from statistics import fmean

from vecsmith.evaluation.results import Result
from vecsmith.report.article import escaped
from vecsmith.report.findings import Findings

NEAR = 0.99
"""Retention from which a code counts as near to float32."""


def percent_of(cell: str) -> float:
    """Return the last percentage in a cell such as ``0.6451 (98.2% ±0.3)``; NaN if there is none."""
    shares = re.findall(r"-?\d+(?:\.\d+)?(?= ?%)", cell)
    return float(shares[-1]) if shares else nan


def highest(rows: Sequence[Sequence[str]], column: int) -> Sequence[str] | None:
    """Return the row with the highest percentage in a column; None if no row has one."""
    known = [row for row in rows if not isnan(percent_of(row[column]))]
    return max(known, key=lambda row: percent_of(row[column]), default=None)


def conclusions_of_results(findings: Findings) -> list[str]:
    """Return sentences about the best codec and the smallest codec near float32, for each encoder.

    Retentions and nDCG@10 are means over tasks and seeds, of codecs that were measured on all tasks.
    """
    sentences = []
    results = findings.results
    tasks = {result.task for result in results}
    for encoder in dict.fromkeys(result.encoder for result in results):
        groups: dict[tuple[str, str], list[Result]] = {}
        for result in results:
            if result.encoder == encoder and result.scoring != "exact":
                groups.setdefault((result.codec, result.scoring), []).append(result)
        means = {
            names: (fmean(each.retention for each in group), group[0].bytes_per_vector, _ndcg(group))
            for names, group in groups.items()
            if {each.task for each in group} == tasks
        }
        if not means:
            continue
        best = max(means, key=lambda names: means[names][0])
        sentences.append(f"{_line(encoder, best, means[best])}, is the best.")
        near = [names for names in means if means[names][0] >= NEAR]
        if near:
            small = min(near, key=lambda names: (means[names][1], -means[names][0]))
            sentences.append(f"{_line(encoder, small, means[small])}, is the smallest that retains {NEAR:.0%}.")
    return sentences or ["The tables above have all results."]


def _ndcg(group: Sequence[Result]) -> float:
    by_task: dict[str, list[float]] = {}
    for result in group:
        by_task.setdefault(result.task, []).append(result.ndcg_at_10)
    return fmean(map(fmean, by_task.values()))


def _line(encoder: str, names: tuple[str, str], figures: tuple[float, int, float]) -> str:
    retention, size, ndcg = figures
    return (
        f"Of the codecs of {escaped(encoder)}, `{names[0]}` ({names[1]}), with {size:,} bytes, nDCG@10 {ndcg:.4f} and "
        f"{retention:.1%} of float32"
    )
