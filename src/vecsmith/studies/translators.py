"""`study translators`: the quality of every translator, between every two models, on every task."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.folds import folds
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.evaluation.processes import run_in_processes
from vecsmith.evaluation.translation import (
    FOLDS,
    NEIGHBORS,
    Experiment,
    ExperimentResult,
    cross_translate,
    run,
    run_with_sets,
)
from vecsmith.report.architectures import Models, protocol_diagram, translator_diagram
from vecsmith.report.article import Block
from vecsmith.report.clusters import centroid_cosines
from vecsmith.report.findings import Examples, Findings, Kernels, LinkedMaps, Table
from vecsmith.report.linked_maps import linked_maps
from vecsmith.report.translators import LOW_RANK, conclusions, findings, rank_of, sets_table
from vecsmith.stores.embedding_store import EmbeddingStore
from vecsmith.stores.stored_sets import StoredSet
from vecsmith.studies.config import STUDIES, StudyConfig
from vecsmith.studies.outline import OUTLINES, Outline
from vecsmith.tasks import Task, load_task
from vecsmith.translators import translator

RANKS = (16, 32, 64, 128, 256)
"""Ranks of the linear maps whose errors are plotted; a pair of models has those below its smaller dimensions."""
NETWORKS = ("mlp1", "mlp1x8", "mlp1x32", "mlp2")
"""Networks with one hidden layer of 1, 8 and 32 times the smaller dimensions, and with two layers."""
METHODS = ("canonical", "procrustes", "linear", *(f"{LOW_RANK}{rank}" for rank in RANKS), "local8", *NETWORKS)
ONE_FOLD = ("mlp1x8", "mlp1x32")
"""Translators of which one fold is translated, because a fit takes minutes."""
EXAMPLE_QUERIES = 12
"""Queries whose nearest documents are shown."""
MAP_DOCUMENTS = 2000
"""Maximum documents on the maps."""
KERNEL_DOCUMENTS = 300
"""Maximum documents in the kernel matrices."""
CLUSTERS = 12
"""Clusters that order the documents of kernel matrices."""
TEXT_LENGTH = 120
"""Characters of a text that are shown."""


def translators(
    config: StudyConfig,
    methods: Sequence[str] = METHODS,
    workers: int | None = None,
    store: str | None = None,
    map_method: str = "pca",
) -> Findings:
    """Measure translators between every two models, both ways, in worker processes.

    Experiments that were run before on the same inputs are read from the cache, so that a killed study continues when
    it is started again. The maps, kernels and examples show the first task, pair of models, translator and seed.

    Parameters
    ----------
    config : StudyConfig
        Tasks, two or more encoders, and seeds. The protocol must be ``cross``.
    methods : sequence of str
        Specs of translators.
    workers : int, optional
        Number of processes; by default, the number of cores.
    store : str, optional
        Folder or URL of a Chroma store, which keeps all translated documents and queries.
    map_method : {"pca", "umap"}
        Layout of the maps.

    Raises
    ------
    VecsmithError
        If there are fewer than two encoders, `fit_on` is not ``cross``, or the store cannot be opened.
    """
    if len(set(config.encoders)) < 2:
        raise VecsmithError("Translators are studied between models; give two or more with --encoder.")
    if config.fit_on != "cross":
        raise VecsmithError(f"Translators are studied cross-fitted; leave out --fit-on {config.fit_on}.")
    if store is not None:
        EmbeddingStore(store)  # raises an error before any work
    for method in methods:
        translator(method)  # raises an error for an unknown spec
    # texts are embedded here, so that the processes do not embed them several times
    dimensions = {encoder: config.embed(task, encoder)[0].dimensions for task, encoder in config.cases}
    experiments = [
        Experiment(
            task,
            config.split,
            source,
            target,
            method,
            seed,
            1 if method in ONE_FOLD else FOLDS,
            (config.options_of(source), config.options_of(target)),
        )
        for task in config.tasks
        for method in methods
        for source, target in permutations(dict.fromkeys(config.encoders), 2)
        if methods is not METHODS or rank_of(method) < min(dimensions[source], dimensions[target])
        for seed in config.seeds
    ]
    maps, kernels, searches = examples(experiments[0], map_method)
    done: dict[Experiment, ExperimentResult] = {}
    stored: list[StoredSet] = []

    def so_far() -> Findings:
        # in the order of the experiments, not in that of their ends
        known = findings([done[each] for each in experiments if each in done])
        tables = [*known.tables, *([sets_table(stored, store)] if store else [])]
        return replace(known, tables=tables, maps=[maps], kernels=[kernels], examples=[searches])

    for result, sets in run_all(experiments, workers, store):
        done[result.experiment] = result
        stored += sets
        config.publish(so_far(), len(done), len(experiments))
    return so_far()


def run_all(
    experiments: Sequence[Experiment], workers: int | None = None, store: str | None = None
) -> Iterator[tuple[ExperimentResult, list[StoredSet]]]:
    """Run experiments in worker processes, and yield each result with its translated sets that were stored.

    Parameters
    ----------
    experiments, workers
        As for `run_in_processes`.
    store : str, optional
        Folder or URL of the store of translated documents and queries.
    """
    if store is None:
        for result in run_in_processes(run, experiments, "Experiments", workers):
            yield result, []
        return
    opened = EmbeddingStore(store)
    for result, sets in run_in_processes(run_with_sets, experiments, "Experiments", workers):
        yield result, [opened.about(opened.put(each, split)) for split, each in sets.items()]


def examples(experiment: Experiment, map_method: str = "pca") -> tuple[LinkedMaps, Kernels, Examples]:
    """Return maps and kernels of true and translated documents, and queries with their nearest documents of both kinds.

    Parameters
    ----------
    experiment : Experiment
        The translator, models and task. The seed also draws the documents and queries.
    map_method : {"pca", "umap"}
        Layout of the maps.

    Returns
    -------
    maps : LinkedMaps
        Maps of documents of one fold.
    kernels : Kernels
        Cosines of documents of the fold, ordered by the clusters of the true vectors.
    examples : Examples
        A table for each of several queries of the target model: the nearest of the true and of the translated
        documents. Documents that are among both come first.
    """
    task = load_task(experiment.task)
    (documents, _), (corpus, queries) = experiment.embed()
    true = corpus.unit[:]
    translated, _ = cross_translate(experiment.method, documents.unit[:], true, experiment.seed)
    title = f"{task.name}, {experiment.source} → {experiment.target}, {experiment.method}, seed {experiment.seed}"
    # the rows of a fold are in random order
    drawn = folds(len(true), FOLDS, experiment.seed)[0].rows[:MAP_DOCUMENTS]
    maps = linked_maps(
        f"Documents in the space of the target: {title}",
        [_label(task, int(row)) for row in drawn],
        [task.corpus.texts[row] for row in drawn],
        true[drawn],
        translated[drawn],
        map_method,
        experiment.seed,
    )
    ordered = drawn[:KERNEL_DOCUMENTS]
    ordered = ordered[_order_by_cluster(true[ordered], experiment.seed)]
    cosines = {name: each[ordered] @ each[ordered].T for name, each in (("true", true), ("translated", translated))}
    kernels = Kernels(
        f"Cosines of all pairs of documents, by clusters of the true vectors: {title}",
        cosines,
        [_label(task, int(row)) for row in ordered],
    )
    judged = JudgedQueries(task, experiment.split, queries.ids)
    chosen = np.random.default_rng(experiment.seed).permutation(judged.rows)[:EXAMPLE_QUERIES]
    tables = [
        _neighbor_table(task, experiment.split, int(row), q, true, translated)
        for row, q in zip(chosen, queries.unit[chosen], strict=True)
    ]
    return maps, kernels, Examples(f"The {NEIGHBORS} nearest documents, true and translated: {title}", tables)


def _order_by_cluster(X: Floats, seed: int) -> RowNumbers:
    """Return the rows of unit vectors X (n, d) ordered by cluster (spherical k-means) and distance to its centroid."""
    cosines = centroid_cosines(X, CLUSTERS, seed)
    return np.lexsort((-cosines.max(axis=1), cosines.argmax(axis=1)))


def _neighbor_table(task: Task, split: str, query: int, q: Floats, true: Floats, translated: Floats) -> Table:
    """Return a table of the nearest true and translated documents of a query, with their ranks."""
    id_ = task.queries.ids[query]
    relevant = {document for document, gain in task.judgements(split)[id_].items() if gain > 0}
    first, second = (_ranks(task, id_, documents @ q) for documents in (true, translated))
    rows = sorted({**first, **second}, key=lambda row: (row not in first or row not in second, row not in first))
    cells = [
        [
            "both" if row in first and row in second else "true" if row in first else "translated",
            str(first.get(row, "")),
            str(second.get(row, "")),
            "yes" if task.corpus.ids[row] in relevant else "",
            task.corpus.ids[row],
            _beginning(task.corpus.texts[row]),
        ]
        for row in rows
    ]
    title = f"{id_}: {_beginning(task.queries.texts[query])}"
    return Table(id_, title, ["retrieved from", "true", "translated", "relevant", "document", "text"], cells)


def _ranks(task: Task, query: str, scores: Floats) -> dict[int, int]:
    """Return the rank of each of the nearest documents, by row."""
    nearest = [int(row) for row in np.argsort(-scores, kind="stable")[: NEIGHBORS + 1]]
    others = [row for row in nearest if not (task.ignore_identical_ids and task.corpus.ids[row] == query)]
    return {row: rank for rank, row in enumerate(others[:NEIGHBORS], 1)}


def _label(task: Task, row: int) -> str:
    return f"{task.corpus.ids[row]}: {_beginning(task.corpus.texts[row])}"


def _beginning(text: str) -> str:
    return text if len(text) <= TEXT_LENGTH else f"{text[:TEXT_LENGTH]}…"


def outlined_methods(models: Models) -> Sequence[Block]:
    """Return the methods for the article, with diagrams of a linear translator and of a network."""
    first, second = list(models.items())[:2]
    return [
        "A translator maps the vectors of one model to the space of another. It is fitted on documents that both "
        "models embedded. Every ordered pair of models is measured.",
        translator_diagram("canonical", first, second),
        translator_diagram("mlp2", first, second, "network"),
        f"Networks have hidden layers of 1, 8 and 32 times the smaller dimensions. Each translator is fitted on "
        f"{1 - 1 / FOLDS:.0%} of the documents and translates the others: {' and '.join(ONE_FOLD)} once, all "
        f"others {FOLDS} times.",
        protocol_diagram(FOLDS, "translator"),
    ]


STUDIES["translators"] = translators
OUTLINES["translators"] = Outline(
    "Translators between embedding models",
    "How well do the vectors of one model, translated to the space of another, retrieve there? Which translator is the "
    "best if queries, documents or both are translated?",
    outlined_methods,
    {
        "methods": "All translators",
        "queries-translated": "Queries translated",
        "documents-translated": "Documents translated",
        "both-translated": "Queries and documents translated",
        "squared-error": "Error of the vectors",
        "document-neighbors": "Neighbors of documents",
        "query-neighbors": "Neighbors of queries",
        "neighbors": "Shared neighbors by pair of models",
        "edit-distance": "Edit distance of the lists of neighbors",
        "kernels": "Similarity of kernels",
    },
    ["Translators are fitted on text like the text that they translate; on other text they are worse."],
    conclusions,
    ("mse-by-rank", "edit-distance-by-rank"),
)
