"""Folders of results: their files, and reading them again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vecsmith.errors import VecsmithError
from vecsmith.evaluation.query_rankings import TaskQueries, read_queries
from vecsmith.evaluation.results import Result, read_results
from vecsmith.manifests import read_manifest
from vecsmith.report.document_map import DocumentMap, read_maps

RESULTS = "results.jsonl"
QUERIES = "queries.jsonl.gz"
MAPS = "maps.jsonl.gz"
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
    """

    name: str
    results: Sequence[Result]
    queries: Sequence[TaskQueries] = field(default=(), repr=False)
    notes: Sequence[str] = ()
    command: str = ""
    maps: Sequence[DocumentMap] = field(default=(), repr=False)


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
    if not results:
        raise VecsmithError(f"{folder / RESULTS} is empty; run compare again.")
    queries = read_queries(folder / QUERIES) if (folder / QUERIES).exists() else []
    maps = read_maps(folder / MAPS) if (folder / MAPS).exists() else []
    about = {}
    if (folder / MANIFEST).exists():
        about = read_manifest(folder / MANIFEST, KIND, FORMAT_VERSION, verify=False)
    return Run(folder.resolve().name, results, queries, about.get("notes", ()), about.get("command", ""), maps)
