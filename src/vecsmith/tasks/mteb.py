"""Loader of retrieval and reranking tasks of the installed mteb package, by name.

References
----------
Muennighoff et al. 2022, MTEB, https://arxiv.org/abs/2210.07316
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib.metadata import version
from typing import Any

from vecsmith.errors import VecsmithError, require, unknown
from vecsmith.plugins import Loader
from vecsmith.tasks.base import TASKS, Qrels, Task, Texts, unmatched_ids

TYPES = ("Retrieval", "InstructionRetrieval", "Reranking", "InstructionReranking")
"""Types of mteb tasks that rank documents: all of a corpus, or the candidates of each query."""

BATCH_TEXTS = 1024
"""Texts read at a time."""


def load_mteb(name: str, subset: str | None = None, split: str | None = None) -> Task:
    """Load a text retrieval or reranking task of mteb.

    The texts are the same as in mteb: the title, a space and the body of a document; the text and the instruction of a
    query. Queries without judgements are left out, as in mteb. Data that is not in the cache of Hugging Face is
    downloaded.

    Parameters
    ----------
    name : str
        The task's name in mteb, such as ``"SciFact"``.
    subset : str, optional
        The subset, such as ``"de"``; required if the task has several.
    split : str, optional
        The evaluation split. Default: all splits. Required if the splits have different corpora.

    Raises
    ------
    VecsmithError
        If mteb is not installed; the task, subset or split does not exist; the task is neither text retrieval nor
        reranking; a subset or split is required but not given; or the data cannot be loaded.
    """
    task, subset = get_mteb_task(name, subset, split)
    parts = _load_splits(task, subset)
    named = ":".join([name, *([subset] if subset != "default" or split else []), *([split] if split else [])])
    corpora = [
        read_rows(part["corpus"], task.metadata, "document", f"the corpus of {named}") for part in parts.values()
    ]
    questions = [
        read_rows(part["queries"], task.metadata, "query", f"the queries of {named}") for part in parts.values()
    ]
    shortlists = {part: _read_candidates(data.get("top_ranked")) for part, data in parts.items()}
    if (
        len({corpus.content_hash for corpus in corpora}) > 1
        or _disagree(texts.rows() for texts in questions)
        or _disagree((shortlist or {}).items() for shortlist in shortlists.values())
        or len({shortlist is None for shortlist in shortlists.values()}) > 1
    ):
        raise VecsmithError(
            f"The splits of {name} differ in their corpora, queries or candidates; write mteb:{name}:{subset}:SPLIT "
            f"with one of {', '.join(parts)}."
        )
    qrels = {part: _read_qrels(data["relevant_docs"]) for part, data in parts.items()}
    judged = set().union(*qrels.values())
    queries = {id_: text for texts in questions for id_, text in texts.rows() if id_ in judged}
    searched = Texts(list(queries), list(queries.values()), f"the judged queries of {named}")
    candidates = None
    if all(shortlist is not None for shortlist in shortlists.values()):
        candidates = {id_: ids for shortlist in shortlists.values() for id_, ids in (shortlist or {}).items()}
    dataset = task.metadata.dataset
    return Task(
        name=named,
        corpus=corpora[0],
        queries=searched,
        qrels=qrels,
        provenance={"mteb": version("mteb"), "dataset": dataset["path"], "revision": dataset["revision"]},
        notes=tuple(unmatched_ids(corpora[0], searched, qrels)),
        ignore_identical_ids=task.ignore_identical_ids,
        candidates=candidates,
    )


def get_mteb_task(name: str, subset: str | None = None, split: str | None = None) -> tuple[Any, str]:
    """Return a task of mteb without its data, restricted to one subset, and the name of this subset.

    See `load_mteb` for the parameters and errors.
    """
    task = _get_task(name)
    subset = _choose_subset(task, subset)
    if split is not None and split not in task.metadata.eval_splits:
        raise unknown(f"split of {name}", split, task.metadata.eval_splits)
    task.filter_languages(languages=None, hf_subsets=[subset]).filter_eval_splits([split] if split else None)
    return task, subset


def language_specs(spec: str, language: str) -> list[str]:
    """Return the specs of the tasks of mteb in a language: one for each task, subset and evaluation split.

    Parameters
    ----------
    spec : str
        ``mteb`` for all retrieval and reranking tasks, or ``mteb:NAME`` for one task.
    language : str
        An ISO 639-3 code, with or without a script, such as ``"deu"`` or ``"deu-Latn"``.

    Raises
    ------
    VecsmithError
        If mteb is not installed, or has no such task in the language.
    """
    name = spec.partition(":")[2]
    tasks = _tasks_in(language)
    if name:
        _get_task(name)  # raises an error for an unknown task
        tasks = [task for task in tasks if task.metadata.name == name]
        if not tasks:
            raise VecsmithError(f"mteb's {name} has no subset in the language {language!r}; leave out --language.")
    specs = []
    for task in sorted(tasks, key=lambda task: str(task.metadata.name)):
        for subset in task.hf_subsets:
            several = len(task.eval_splits) > 1
            for split in task.eval_splits:
                named = [subset, split] if several else [subset] if subset != "default" else []
                specs.append(":".join(["mteb", task.metadata.name, *named]))
    return specs


def mteb_names(language: str | None = None) -> list[tuple[str, list[str], str]]:
    """List mteb's text retrieval and reranking tasks.

    Parameters
    ----------
    language : str, optional
        List only tasks with a subset in this language. An ISO 639-3 code, with or without a script, such as ``"deu"``
        or ``"deu-Latn"``.

    Returns
    -------
    list of (str, list of str, str)
        Each task's name, the codes of its languages, and its description; sorted by name.

    Raises
    ------
    VecsmithError
        If mteb is not installed, or has no such task in the language.
    """
    return sorted(
        (task.metadata.name, list(task.metadata.languages), task.metadata.description.strip())
        for task in _tasks_in(language)
    )


def _tasks_in(language: str | None) -> list[Any]:
    """Return the text retrieval and reranking tasks in a language, restricted to its subsets."""
    mteb = require("mteb", "mteb")
    try:
        tasks = mteb.get_tasks(
            languages=None if language is None else [language],
            task_types=list(TYPES),
            modalities=["text"],
            exclusive_modality_filter=True,
            exclude_aggregate=True,
        )
    except ValueError:
        tasks = []
    if not tasks:
        raise VecsmithError(
            f"mteb has no retrieval task in the language {language!r}; give an ISO 639-3 code, with or without a "
            "script, such as deu or deu-Latn."
        )
    return list(tasks)


def _get_task(name: str) -> Any:
    mteb = require("mteb", "mteb")
    try:
        task = mteb.get_task(name)
    except KeyError:
        raise unknown("retrieval task of mteb", name, [known for known, *_ in mteb_names()]) from None
    if isinstance(task, mteb.abstasks.aggregated_task.AbsTaskAggregate):
        parts = ", ".join(f"mteb:{part.metadata.name}" for part in task.metadata.tasks)
        raise VecsmithError(f"mteb's {name} is the mean of several tasks; give each of them: {parts}.")
    if task.metadata.type not in TYPES or list(task.metadata.modalities) != ["text"]:
        nearest = get_close_matches(name, [known for known, *_ in mteb_names()], n=1, cutoff=0)[0]
        raise VecsmithError(
            f"mteb's {name} is a task of type {task.metadata.type} ({', '.join(task.metadata.modalities)}), not "
            f"text retrieval such as {nearest!r}; `vecsmith tasks --mteb` lists the retrieval tasks."
        )
    return task


def _choose_subset(task: Any, subset: str | None) -> str:
    name, subsets = task.metadata.name, list(task.hf_subsets)
    if subset is not None and subset not in subsets:
        raise unknown(f"subset of {name}", subset, subsets)
    if subset is None and len(subsets) > 1:
        raise VecsmithError(f"{name} has several subsets; write mteb:{name}:SUBSET with one of {', '.join(subsets)}.")
    return subset or str(subsets[0])


def _load_splits(task: Any, subset: str) -> dict[str, dict[str, Any]]:
    """Return the corpus, queries and judgements of each evaluation split."""
    name = task.metadata.name
    if not sys.stderr.isatty():
        require("datasets", "mteb").disable_progress_bars()
    try:
        task.load_data()
        task.convert_v1_dataset_format_to_v2(num_proc=None)
    # each task has its own loading code, which may raise any exception, for example without a network
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise VecsmithError(
            f"mteb cannot load {name} ({reason}); without a network, use a BEIR folder of the task, as beir:DIR."
        ) from error
    splits = task.dataset.get(subset, task.dataset)
    parts = {split: splits[split] for split in task.eval_splits if split in splits}
    if not parts:
        raise VecsmithError(f"mteb's {name} has no data for the splits {', '.join(task.eval_splits)} of {subset}.")
    return parts


def read_rows(dataset: Any, metadata: Any, prompt_type: str, source: str) -> Texts:
    """Return the texts of a corpus or of queries as mteb passes them to a model.

    Parameters
    ----------
    dataset : datasets.Dataset
        Rows with ``id`` and the columns of mteb.
    metadata : mteb.TaskMetadata
        Metadata of the task.
    prompt_type : {"document", "query"}
        Whether the rows are a corpus or queries.
    source : str
        Name of the texts, for errors and provenance.
    """
    loaders = require("mteb._create_dataloaders", "mteb")
    ids = [str(id_) for id_ in dataset["id"]]
    if not ids:
        return Texts([], [], source)
    batches = loaders.create_dataloader(
        dataset,
        task_metadata=metadata,
        prompt_type=require("mteb.types", "mteb").PromptType(prompt_type),
        batch_size=BATCH_TEXTS,
    )
    return Texts(ids, [text for batch in batches for text in batch["text"]], source)


def _read_qrels(relevant: Mapping[Any, Mapping[Any, Any]]) -> Qrels:
    return {
        str(query): {str(document): int(gain) for document, gain in gains.items()}
        for query, gains in relevant.items()
        if gains
    }


def _read_candidates(top_ranked: Mapping[Any, Sequence[Any]] | None) -> dict[str, list[str]] | None:
    return {str(query): list(map(str, ids)) for query, ids in top_ranked.items()} if top_ranked else None


def _disagree(parts: Iterable[Iterable[tuple[str, object]]]) -> bool:
    """Return whether an id has different values in two splits."""
    first: dict[str, object] = {}
    return any(first.setdefault(id_, value) != value for part in parts for id_, value in part)


def _load_spec(rest: str) -> Task:
    name, *subset_and_split = rest.split(":")
    if len(subset_and_split) > 2:
        raise VecsmithError(f"The task 'mteb:{rest}' has too many parts; write mteb:NAME:SUBSET:SPLIT.")
    return load_mteb(name, *subset_and_split)


TASKS["mteb"] = Loader(
    "mteb:NAME[:SUBSET[:SPLIT]]", "a retrieval or reranking task of the installed mteb package", _load_spec
)
