"""Choose the weight of a convex combination on queries that are not evaluated."""

import numpy as np

from vecsmith.errors import VecsmithError
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.retrievers import FusionStage, Hybrid, Retriever
from vecsmith.retrievers.base import CachedRetriever
from vecsmith.tasks import Task

WEIGHTS = tuple(np.round(np.linspace(0, 1, 21), 2).tolist())
"""Weights of the first retriever that are tried."""


def validation_split(task: Task, split: str) -> str:
    """Return the split on which choices are made for an evaluation on `split`: ``dev``, or ``train`` without it.

    Raises
    ------
    VecsmithError
        If the task has neither besides `split`.
    """
    chosen = next((name for name in ("dev", "train") if name in task.qrels and name not in split.split("+")), None)
    if chosen is None:
        raise VecsmithError(
            f"{task.name} has no split dev or train besides {split}, on which a weight could be chosen; use the fusion "
            "rrf, or give a weight, such as convex:0.5."
        )
    return chosen


def choose_weight(stage: FusionStage, first: Retriever, task: Task, split: str) -> FusionStage:
    """Return a fusion with the weight of `WEIGHTS` that has the highest mean nDCG@10 on the validation queries.

    Queries that are judged in `split` too are left out. Of several such weights, the largest is chosen.

    Parameters
    ----------
    stage : FusionStage
        A convex combination.
    first : Retriever
        The retriever that is fused with BM25.
    task : Task
        The task.
    split : str
        The split of the evaluation, whose queries are not used.

    Raises
    ------
    VecsmithError
        If there are no validation queries.
    """
    validation, evaluated = validation_split(task, split), task.judgements(split)
    judged = JudgedQueries(task, validation, [id_ for id_ in task.queries.ids if id_ not in evaluated])
    if not judged.ids:
        raise VecsmithError(
            f"All queries that {validation} of {task.name} judges are judged in {split} too, so no weight can be "
            "chosen on them; use the fusion rrf, or give a weight, such as convex:0.5."
        )
    text_of = dict(task.queries.rows())
    texts = [text_of[id_] for id_ in judged.ids]
    cached_first, cached_second = CachedRetriever(first), CachedRetriever(stage.lexical(first, task.corpus))

    def quality_of(weight: float) -> float:
        hybrid = Hybrid(cached_first, cached_second, weight)
        ranking = judged.retrieve(lambda some, k, allowed: hybrid.search(texts[some], k, allowed))
        return judged.evaluate(*ranking).mean_ndcg_at_10

    quality = {weight: quality_of(weight) for weight in WEIGHTS}
    return stage.with_weight(max(quality, key=lambda weight: (quality[weight], weight)), validation)
