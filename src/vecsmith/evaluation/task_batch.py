"""Measure many tasks one after another, without those that cannot be loaded."""

from collections.abc import Callable, Iterator, Sequence

from vecsmith.errors import VecsmithError
from vecsmith.evaluation.results import Result
from vecsmith.progress import track
from vecsmith.tasks import Task, load_task


def measure_each(
    specs: Sequence[str],
    split: str,
    measure: Callable[[str, Task, str], list[Result]],
    report: Callable[[str], None],
) -> Iterator[tuple[Task, list[Result]]]:
    """Load and measure tasks one after another, so that only one of them is in memory.

    Parameters
    ----------
    specs : sequence of str
        Specs of the tasks.
    split : str
        The split, or several joined by ``+``. A task that has none of them is measured on all of its splits.
    measure : callable
        Measures the task of a spec on a split.
    report : callable
        Called with a sentence for each task that cannot be loaded, which is left out.

    Yields
    ------
    task : Task
        A task.
    results : list of Result
        Its results.

    Raises
    ------
    VecsmithError
        If no task can be loaded, or a task cannot be measured.
    """
    loaded = 0
    for spec in track(specs, "Tasks", len(specs)):
        try:
            task = load_task(spec)
            present = task.present(split)
            used = present if set(present.split("+")) <= set(task.qrels) else "+".join(task.qrels)
            task.judgements(used)
        except VecsmithError as error:
            report(f"{spec} is left out: {error}")
            continue
        loaded += 1
        yield task, measure(spec, task, used)
    if not loaded:
        raise VecsmithError(f"None of the {len(specs)} tasks could be loaded.")
