"""A task of vecsmith, such as a BEIR folder, as a task of mteb."""

import re
from typing import Any

from vecsmith.errors import require
from vecsmith.tasks import Task


def mteb_task(task: Task, split: str = "test") -> Any:
    """Return a task of vecsmith, such as a BEIR folder, as a task of mteb.

    Parameters
    ----------
    task : Task
        The task.
    split : str
        Judgements to use; several joined by ``+``.

    Returns
    -------
    mteb.AbsTask
        A retrieval task whose name is that of `task` and a hash of its content.

    Raises
    ------
    VecsmithError
        If there is no such split.
    """
    require("mteb", "mteb")
    from datasets import Dataset
    from mteb.abstasks import AbsTaskRetrieval
    from mteb.abstasks.task_metadata import TaskMetadata

    judgements = {query: dict(gains) for query, gains in task.judgements(split).items()}
    revision = task.fingerprint
    name = f"{slug(task.name)}-{revision[:8]}"

    class LocalTask(AbsTaskRetrieval):  # type: ignore[misc]  # mteb is not typed here
        # of the class, since mteb takes an instance's own away when it unloads the data
        metadata = TaskMetadata(
            name=name,
            description=f"{task.name}, handed to mteb by vecsmith.",
            type="Retrieval",
            category="t2t",
            modalities=["text"],
            eval_splits=[split],
            eval_langs=["und-Zyyy"],
            main_score="ndcg_at_10",
            dataset={"path": name, "revision": revision},
        )
        ignore_identical_ids = task.ignore_identical_ids

        def load_data(self, **kwargs: Any) -> None:
            corpus, queries = (
                Dataset.from_dict({"id": texts.ids, "text": texts.texts}) for texts in (task.corpus, task.queries)
            )
            data = {"corpus": corpus, "queries": queries, "relevant_docs": judgements, "top_ranked": None}
            self.dataset = {"default": {split: data}}
            self.data_loaded = True

    return LocalTask()


def slug(name: str) -> str:
    """Return a name that is good as a file's."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "unknown"
