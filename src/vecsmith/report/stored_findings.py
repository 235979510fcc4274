"""Findings on disk: ``findings.json.gz``, from which a report can be made again."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from vecsmith.array_types import Floats
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.compressed_lines import read_lines, write_lines
from vecsmith.evaluation.results import Result
from vecsmith.report.findings import Examples, Findings, Kernels, LinkedMaps, Plot, Table

THOUSAND = 1000
"""Similarities of kernels are kept in thousandths."""


def write_findings(path: Path, findings: Findings) -> None:
    """Write findings without their results as compressed JSON, atomically."""
    content = asdict(replace(findings, results=[], kernels=[]))
    write_lines(path, [content | {"kernels": [kernel_content(each) for each in findings.kernels]}])


def read_findings(path: Path, results: Sequence[Result]) -> Findings:
    """Read the findings that `write_findings` wrote.

    Parameters
    ----------
    path : Path
        The file.
    results : sequence of Result
        The results of the same folder.

    Raises
    ------
    VecsmithError
        If the file cannot be read, or has another format.
    """
    stored = read_lines(path, "findings of a study", _findings)
    if len(stored) != 1:
        raise VecsmithError(f"{path} holds {len(stored)} findings instead of one; run the study again.")
    return replace(stored[0], results=list(results))


def kernel_content(kernels: Kernels) -> dict[str, Any]:
    """Return kernels as JSON: the rows of the lower triangle of each matrix, in thousandths."""
    triangles = {
        name: [np.rint(THOUSAND * row[: number + 1]).astype(int).tolist() for number, row in enumerate(matrix)]
        for name, matrix in kernels.matrices.items()
    }
    return {"title": kernels.title, "labels": kernels.labels, "triangles": triangles}


def _kernels(content: dict[str, Any]) -> Kernels:
    matrices = {name: _matrix(rows) for name, rows in content["triangles"].items()}
    return Kernels(content["title"], matrices, content["labels"])


def _matrix(rows: Sequence[Sequence[int]]) -> Floats:
    matrix = np.zeros((len(rows), len(rows)), np.float32)
    for number, row in enumerate(rows):
        matrix[number, : number + 1] = matrix[: number + 1, number] = np.array(row, np.float32) / THOUSAND
    return matrix


def _findings(content: dict[str, Any]) -> Findings:
    examples = [Examples(each["title"], _tables(each["tables"])) for each in content["examples"]]
    return Findings(
        _tables(content["tables"]),
        plots=[_plot(each) for each in content["plots"]],
        maps=[LinkedMaps(**each) for each in content["maps"]],
        kernels=[_kernels(each) for each in content["kernels"]],
        examples=examples,
    )


def _plot(content: dict[str, Any]) -> Plot:
    lines = {name: [(x, y) for x, y in points] for name, points in content["lines"].items()}
    return Plot(**{**content, "lines": lines})


def _tables(contents: Sequence[dict[str, Any]]) -> list[Table]:
    return [Table(**each) for each in contents]
