"""`study quantization`: learned codes, what they start from, and their rivals, at the same bytes."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from vecsmith.evaluation import stratified_p_value
from vecsmith.evaluation.compare import against
from vecsmith.evaluation.runner import Measurement
from vecsmith.report.findings import Findings, Table, summary
from vecsmith.studies.setting import STUDIES, Setting

LEARNED = ("trellis", "hybrid", "binary-autoencoder", "additive", "thresholds", "grouped", "neural", "levels")
SHARES = (4, 8, 16, 32)
"""Sizes of codes: d/4, d/8, d/16 and d/32 bytes, which are 2, 1, ½ and ¼ bits a dimension."""
OPQ_SHARES = (8, 16)
"""Sizes at which FAISS's optimized product quantizer, which takes minutes to fit, is measured."""
ADDITIVE_SHARE = 8
"""The size at which FAISS's additive quantizers, which take as long and encode slowly, are measured."""
SAME_SIZE = 1.25
"""How many times the bytes of a learned code a rival may have: RaBitQ's scalars make it a little larger."""


def quantization(setting: Setting) -> Findings:
    """Measure every code of bits, and FAISS's of the same bytes, over several seeds.

    Parameters
    ----------
    setting : Setting
        On what it measures, and how.

    Returns
    -------
    Findings
        The summary, and how learned codes do against each code of the same bytes; results as of `compare`, for every
        seed.
    """
    return findings(measurements(setting))


def measurements(setting: Setting) -> list[list[Measurement]]:
    """Return a list per task, encoder and seed, float32 first."""
    return [
        measured
        for task, encoder in setting.cases
        for measured in setting.measure(task, encoder, list(specs(setting.embed(task, encoder)[0].dimensions)))
    ]


def findings(measured: Sequence[Sequence[Measurement]]) -> Findings:
    """Return the tables of what `measurements` returned, of one call or several."""
    results = [against(measurement, bench[0]) for bench in measured for measurement in bench]
    return Findings([summary(results), rivalry([measurement for bench in measured for measurement in bench])], results)


def specs(dimensions: int) -> Iterator[str]:
    """Yield the codecs for vectors of d dimensions."""
    yield from ("int8", "int4", "faiss:SQ8", "faiss:SQ4", "levels4", "levels3", "faiss:RaBitQ2", "faiss:RaBitQ")
    yield from ("binary", "median", "thresholds")
    for share in SHARES:
        size = dimensions // share
        if size:
            yield from (f"trellis{size}B", f"hybrid{size}B", f"binary-autoencoder{size}B", f"additive{size}B")
        if 0 < size <= dimensions // 8:
            yield f"itq{size}B"
            yield f"neural{size}B"
        if 0 < size < dimensions // 8:
            yield f"grouped{size}B"
        # FAISS's product quantizers take equal parts of the dimensions
        if size and dimensions % (2 * size) == 0:
            yield f"faiss:PQ{2 * size}x4"
        if share == ADDITIVE_SHARE and dimensions % size == 0:
            yield from (f"faiss:PRQ{size}x2x4", f"faiss:PLSQ{size}x2x4")
    for share in OPQ_SHARES:
        if dimensions % share == 0:
            yield f"faiss:OPQ{dimensions // share},PQ{dimensions // share}"


def rivalry(measured: Sequence[Measurement]) -> Table:
    """Compare every learned code with every other code of its bytes, paired over the queries.

    Parameters
    ----------
    measured : sequence of Measurement
        Of several codecs, on one or more tasks, with any number of seeds, float32 among them.

    Returns
    -------
    Table
        The difference of the retention, mean over the tasks, and the p-value of `stratified_p_value`.
    """
    lines: dict[tuple[str, str], dict[str, NDArray[np.float64]]] = {}
    sizes: dict[tuple[str, str], int] = {}
    groups: dict[tuple[str, str, str], list[Measurement]] = {}
    for measurement in measured:
        result = measurement.result
        groups.setdefault((result.encoder, result.codec, result.task), []).append(measurement)
        sizes[result.encoder, result.codec] = result.bytes_per_vector
    for (encoder, codec, task), group in groups.items():
        lines.setdefault((encoder, codec), {})[task] = np.mean([each.ndcg_at_10 for each in group], axis=0)
    rows = [
        row
        for ours in lines
        if ours[1].startswith(LEARNED)
        for theirs in lines
        if theirs[0] == ours[0] and not theirs[1].startswith(LEARNED)
        if sizes[ours] <= sizes[theirs] <= SAME_SIZE * sizes[ours]
        for row in _row(ours, theirs, lines, sizes)
    ]
    title = (
        "Learned codes against codes of the same bytes: difference of the retention in points, mean of the tasks that "
        "both were measured on, and p of a paired test over their queries"
    )
    return Table("rivals", title, ["encoder", "codec", "bytes", "against", "bytes", "tasks", "points", "p"], rows)


def _row(
    ours: tuple[str, str],
    theirs: tuple[str, str],
    lines: Mapping[tuple[str, str], Mapping[str, NDArray[np.float64]]],
    sizes: Mapping[tuple[str, str], int],
) -> Iterator[list[str]]:
    tasks = [task for task in lines[ours] if task in lines[theirs]]
    if not tasks:
        return
    baseline = lines[ours[0], "float32"]
    differences = [(lines[ours][task] - lines[theirs][task]) / baseline[task].mean() for task in tasks]
    points = 100 * fmean(float(difference.mean()) for difference in differences)
    p_value = stratified_p_value(differences)
    sized = [ours[1], str(sizes[ours]), theirs[1], str(sizes[theirs])]
    yield [ours[0], *sized, str(len(tasks)), f"{points:+.1f}", f"{p_value:.3f}"]


STUDIES["quantization"] = quantization
