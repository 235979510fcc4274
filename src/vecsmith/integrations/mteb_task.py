"""Convert a vecsmith task, such as a BEIR folder, to an mteb task."""

import re
from typing import Any

from vecsmith.errors import require
from vecsmith.tasks import Task


def mteb_task(task: Task, split: str = "test") -> Any:
    """Convert a vecsmith task, such as a BEIR folder, to an mteb task.

    Parameters
    ----------
    task : Task
        The task.
    split : str
        Split whose judgements are used; several may be joined by ``+``.

    Returns
    -------
    mteb.AbsTask
        A retrieval or reranking task, named after `task` and a hash of its content.

    Raises
    ------
    VecsmithError
        If the split does not exist.
    """
    require("mteb", "mteb")
    from datasets import Dataset
    from mteb.abstasks import AbsTaskRetrieval
    from mteb.abstasks.task_metadata import TaskMetadata

    judgements = {query: dict(gains) for query, gains in task.judgements(split).items()}
    candidates = None if task.candidates is None else {query: list(ids) for query, ids in task.candidates.items()}
    revision = task.fingerprint
    name = f"{slug(task.name)}-{revision[:8]}"

    class LocalTask(AbsTaskRetrieval):  # type: ignore[misc]  # mteb is not typed here
        # on the class, because mteb deletes the attributes of an instance when it unloads the data
        metadata = TaskMetadata(
            name=name,
            description=f"{task.name}, from vecsmith.",
            type="Retrieval" if task.candidates is None else "Reranking",
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
            data = {"corpus": corpus, "queries": queries, "relevant_docs": judgements, "top_ranked": candidates}
            self.dataset = {"default": {split: data}}
            self.data_loaded = True

    return LocalTask()


def slug(name: str) -> str:
    """Return a name without characters that are not allowed in file names."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "unknown"
