"""Retrieval tasks: built in, from a BEIR folder, and from mteb by name."""

from vecsmith.errors import unknown
from vecsmith.tasks.base import Qrels, Task, Texts
from vecsmith.tasks.beir import load_beir
from vecsmith.tasks.mteb import load_mteb
from vecsmith.tasks.pydocs import load_pydocs

__all__ = ["TASKS", "Qrels", "Task", "Texts", "load_task"]
