"""Specs of tasks: load the task that a spec names."""

from collections.abc import Sequence
from pathlib import Path

from vecsmith.errors import VecsmithError, unknown
from vecsmith.tasks.base import TASKS, Task
from vecsmith.tasks.mteb import language_specs


def load_task(spec: str) -> Task:
    """Load the task that a spec names.

    Parameters
    ----------
    spec : str
        One of `TASKS`, such as ``"pydocs"``, ``"pydocs:sklearn,torch"``, ``"beir:data/scifact"``, ``"mteb:SciFact"`` or
        ``"mteb:MIRACLRetrieval:de"``; or the path of a BEIR folder.

    Raises
    ------
    VecsmithError
        If the task is unknown, or its data is missing or broken.
    """
    if spec == "mteb":
        raise VecsmithError("All tasks of mteb are too many; give --language CODE, or the name of a task as mteb:NAME.")
    prefix, _, rest = spec.partition(":")
    if prefix in TASKS:
        return TASKS[prefix].load(rest)
    if Path(spec).exists():
        return TASKS["beir"].load(spec)
    raise unknown("task", spec, [loader.usage.partition("[")[0] for loader in TASKS.values()])


def tasks_in_language(specs: Sequence[str], language: str) -> list[str]:
    """Replace the specs of mteb tasks by their subsets and splits in a language, and return all specs.

    Parameters
    ----------
    specs : sequence of str
        Specs of tasks, of which ``mteb`` stands for all retrieval and reranking tasks, and ``mteb:NAME`` for one.
        Other specs, and specs with a subset, do not change.
    language : str
        An ISO 639-3 code, with or without a script, such as ``"deu"`` or ``"deu-Latn"``.

    Raises
    ------
    VecsmithError
        If no spec is replaced, or as for `language_specs`.
    """
    named = [spec for spec in specs if spec == "mteb" or (spec.startswith("mteb:") and spec.count(":") == 1)]
    if not named:
        raise VecsmithError("--language is for tasks of mteb; give --task mteb or --task mteb:NAME, or leave it out.")
    expanded = [part for spec in specs for part in (language_specs(spec, language) if spec in named else [spec])]
    return list(dict.fromkeys(expanded))
