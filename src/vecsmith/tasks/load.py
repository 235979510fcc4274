"""Specs of tasks: load the task that a spec names."""

from pathlib import Path

from vecsmith.errors import unknown
from vecsmith.tasks.base import TASKS, Task


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
    prefix, _, rest = spec.partition(":")
    if prefix in TASKS:
        return TASKS[prefix].load(rest)
    if Path(spec).exists():
        return TASKS["beir"].load(spec)
    raise unknown("task", spec, [loader.usage.partition("[")[0] for loader in TASKS.values()])
