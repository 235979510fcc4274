"""`study quantization`: learned codes compared with other codes of the same bytes."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

import numpy as np

from vecsmith.array_types import Doubles
from vecsmith.evaluation import stratified_p_value
from vecsmith.evaluation.compare import compare_with_baseline
from vecsmith.evaluation.measurement import Measurement
from vecsmith.report.architectures import Models, codec_diagram
from vecsmith.report.article import Block
from vecsmith.report.findings import Findings, Table, summary
from vecsmith.studies.config import STUDIES, StudyConfig
from vecsmith.studies.outline import OUTLINES, Outline

LEARNED = ("trellis", "hybrid", "binary-autoencoder", "additive", "thresholds", "grouped", "neural", "levels")
SHARES = (4, 8, 16, 32)
"""Sizes of codes: d/4, d/8, d/16 and d/32 bytes, which are 2, 1, ½ and ¼ bits per dimension."""
OPQ_SHARES = (8, 16)
"""Sizes of FAISS's optimized product quantizer, which takes minutes to fit."""
ADDITIVE_SHARE = 8
"""Size of FAISS's additive quantizers, which take minutes to fit and encode slowly."""
SAME_SIZE = 1.25
"""Maximum bytes of a compared code, divided by those of the learned code: RaBitQ's scalars make it slightly larger."""


def quantization(config: StudyConfig) -> Findings:
    """Measure all quantizers to bits, and FAISS's quantizers of the same bytes, over several seeds.

    Parameters
    ----------
    config : StudyConfig
        Tasks, encoders and protocol.

    Returns
    -------
    Findings
        A summary, and paired tests of learned codes with each code of the same bytes. The results are those of
        `compare`, for every seed.
    """
    return findings(measurements(config))


def measurements(config: StudyConfig) -> list[list[Measurement]]:
    """Return a list of measurements for each task, encoder and seed, float32 first."""
    measured: list[list[Measurement]] = []
    for number, (task, encoder) in enumerate(config.cases, 1):
        measured += config.measure(task, encoder, list(specs(config.embed(task, encoder)[0].dimensions)))
        config.publish(findings(measured), number, len(config.loaded) * len(config.encoders))
    return measured


def findings(measured: Sequence[Sequence[Measurement]]) -> Findings:
    """Return the tables for the values of one or several calls of `measurements`."""
    results = [compare_with_baseline(measurement, group[0]) for group in measured for measurement in group]
    tests = paired_tests([measurement for group in measured for measurement in group])
    return Findings([summary(results), tests], results)


def specs(dimensions: int) -> Iterator[str]:
    """Yield the specs of the codecs for vectors of d dimensions."""
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
        # FAISS's product quantizers split the dimensions into equal parts
        if size and dimensions % (2 * size) == 0:
            yield f"faiss:PQ{2 * size}x4"
        if share == ADDITIVE_SHARE and dimensions % size == 0:
            yield from (f"faiss:PRQ{size}x2x4", f"faiss:PLSQ{size}x2x4")
    for share in OPQ_SHARES:
        if dimensions % share == 0:
            yield f"faiss:OPQ{dimensions // share},PQ{dimensions // share}"


def paired_tests(measured: Sequence[Measurement]) -> Table:
    """Compare every learned code with every other code of the same bytes, paired over the queries.

    Parameters
    ----------
    measured : sequence of Measurement
        Measurements of float32 and of several codecs, on one or more tasks, with any number of seeds.

    Returns
    -------
    Table
        The mean difference of the retention over the tasks, and the p-value of `stratified_p_value`.
    """
    lines: dict[tuple[str, str], dict[str, Doubles]] = {}
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
        "Learned codes compared with codes of the same bytes: difference of the retention in points, mean over the "
        "tasks of both, and p of a paired test over the queries"
    )
    return Table("rivals", title, ["encoder", "codec", "bytes", "other codec", "bytes", "tasks", "points", "p"], rows)


def _row(
    ours: tuple[str, str],
    theirs: tuple[str, str],
    lines: Mapping[tuple[str, str], Mapping[str, Doubles]],
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


def methods(models: Models) -> Sequence[Block]:
    """Return the methods for the article, with a diagram of the first model's codes of one bit per dimension."""
    model, d = next(iter(models.items()))
    return [
        "Every quantizer stores a code of few bytes for each document. Queries stay floats.",
        codec_diagram(f"trellis{d // 8 or 48}B", {model: d}),
    ]


STUDIES["quantization"] = quantization
OUTLINES["quantization"] = Outline(
    "Quantizers at equal bytes",
    "How much retrieval quality do codes of 2, 1, ½ and ¼ bits per dimension keep? Which are the best of their size?",
    methods,
    {"summary": "All codes", "rivals": "Learned codes against others of their size"},
)
