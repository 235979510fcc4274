"""Folders of results: their files, and reading them again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vecsmith.errors import VecsmithError
from vecsmith.evaluation.query_rankings import TaskQueries, read_queries
from vecsmith.evaluation.results import Result, read_results
from vecsmith.manifests import read_manifest
from vecsmith.report.document_map import DocumentMap, read_maps
from vecsmith.report.findings import Findings
from vecsmith.report.stored_findings import read_findings

RESULTS = "results.jsonl"
QUERIES = "queries.jsonl.gz"
MAPS = "maps.jsonl.gz"
FINDINGS = "findings.json.gz"
MANIFEST = "manifest.json"
KIND = "results"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Run:
    """The results of one command.

    Attributes
    ----------
    name : str
        Name of the folder.
    results : sequence of Result
        The results.
    queries : sequence of TaskQueries
        Queries of the tasks with their rankings; empty if they were not kept, as for studies.
    notes : sequence of str
        Sentences about the data.
    command : str
        The command; empty if unknown.
    maps : sequence of DocumentMap
        Maps of the documents of tasks.
    study : str
        Name of the study; empty for a comparison.
    findings : Findings or None
        Findings of the study.
    circumstances : mapping
        ``versions`` and ``machine`` of a study, whose findings may have no results that name them.
    """

    name: str
    results: Sequence[Result]
    queries: Sequence[TaskQueries] = field(default=(), repr=False)
    notes: Sequence[str] = ()
    command: str = ""
    maps: Sequence[DocumentMap] = field(default=(), repr=False)
    study: str = ""
    findings: Findings | None = field(default=None, repr=False)
    circumstances: Mapping[str, Any] = field(default_factory=dict)


def read_run(folder: Path) -> Run:
    """Read a folder that ``compare --out`` or ``study --out`` wrote.

    A folder that only has ``results.jsonl`` is enough.

    Raises
    ------
    VecsmithError
        If `folder` has no results, or a file of it is damaged.
    """
    if not (folder / RESULTS).is_file():
        state = f"has no {RESULTS}" if folder.is_dir() else "is no folder"
        raise VecsmithError(f"{folder} {state}; give a folder that compare --out or study --out wrote.")
    results = read_results(folder / RESULTS)
    findings = read_findings(folder / FINDINGS, results) if (folder / FINDINGS).exists() else None
    if not results and findings is None:
        raise VecsmithError(f"{folder / RESULTS} is empty; run compare again.")
    queries = read_queries(folder / QUERIES) if (folder / QUERIES).exists() else []
    maps = read_maps(folder / MAPS) if (folder / MAPS).exists() else []
    about = {}
    if (folder / MANIFEST).exists():
        about = read_manifest(folder / MANIFEST, KIND, FORMAT_VERSION, verify=False)
    return Run(
        folder.resolve().name,
        results,
        queries,
        about.get("notes", ()),
        about.get("command", ""),
        maps,
        about.get("study", ""),
        findings,
        about.get("circumstances", {}),
    )
