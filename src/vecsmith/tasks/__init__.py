"""Retrieval tasks: the built-in task, BEIR folders, and tasks of mteb by name."""

from vecsmith.tasks.base import TASKS, Qrels, Task, Texts
from vecsmith.tasks.beir import load_beir
from vecsmith.tasks.load import load_task, tasks_in_language
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
    "tasks_in_language",
]
