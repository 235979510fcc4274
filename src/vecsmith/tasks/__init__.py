"""Retrieval tasks: built in, from a BEIR folder, and from mteb by name."""

from pathlib import Path

from vecsmith.errors import VecsmithError, unknown
from vecsmith.tasks.base import Qrels, Task, Texts
from vecsmith.tasks.beir import load_beir
from vecsmith.tasks.mteb import load_mteb, mteb_names
from vecsmith.tasks.pydocs import load_pydocs
from vecsmith.tasks.text_files import read_texts

__all__ = [
    "TASKS",
    "Qrels",
    "Task",
    "Texts",
    "load_beir",
    "load_mteb",
    "load_pydocs",
    "load_task",
    "mteb_names",
    "read_texts",
]

TASKS = {
    "pydocs[:PACKAGE,…]": "built in: find the docstring of a summary, in the standard library, NumPy and SciPy",
    "beir:DIR": "a folder with corpus.jsonl, queries.jsonl and qrels/test.tsv; a plain path works too",
    "mteb:NAME[:SUBSET[:SPLIT]]": "a retrieval task of the installed mteb",
}
"""How to write each kind of task, and what it is."""


def load_task(spec: str) -> Task:
    """Load the task that a spec names.

    Parameters
    ----------
    spec : str
        One of `TASKS`, such as ``"pydocs"``, ``"pydocs:sklearn,torch"``, ``"beir:data/scifact"``, the path of such a
        folder, ``"mteb:SciFact"`` or ``"mteb:MIRACLRetrieval:de"``.

    Raises
    ------
    VecsmithError
        If the kind or the task is unknown, or its data is missing or broken.
    """
    kind, _, rest = spec.partition(":")
    match kind:
        case "pydocs":
            return load_pydocs([name for name in rest.split(",") if name])
        case "beir":
            return load_beir(rest)
        case "mteb":
            name, *where = rest.split(":")
            if len(where) > 2:
                raise VecsmithError(f"The task {spec!r} has too many parts; write mteb:NAME:SUBSET:SPLIT.")
            return load_mteb(name, *where)
    if Path(spec).exists():
        return load_beir(spec)
    raise unknown("task", spec, ["pydocs", "beir:DIR", "mteb:NAME"])
