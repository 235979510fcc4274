"""What a translator does, to be looked at: documents that queries fetch, and maps of vectors."""

import faiss
import numpy as np
from numpy.typing import NDArray

from vecsmith.evaluation.translation import NEIGHBORS, Experiment, cross_translate
from vecsmith.report.findings import Kernels, Map, Page, Table
from vecsmith.tasks import Task, load_task

Floats = NDArray[np.float32]

QUERIES = 12
DOCUMENTS = 300
CLUSTERS = 12
"""By which the documents of kernel matrices are ordered."""
LENGTH = 120
"""Characters shown of a text."""


def examples(experiment: Experiment) -> tuple[list[Map | Kernels], Page]:
    """Return maps of true and translated documents, and what queries fetch among either.

    Parameters
    ----------
    experiment : Experiment
        Whose translator is looked at; its seed also draws the documents and queries.

    Returns
    -------
    maps : list of Map or Kernels
        Of documents that one translator translated, which had not seen them: where they lie, and their cosines, ordered
        by the clusters of the true vectors.
    page : Page
        A table per query of the target model: the nearest of the true documents and of the translated ones, those that
        are in both first.
    """
    task = load_task(experiment.task)
    (documents, _), (corpus, queries) = experiment.embed()
    true = corpus.unit[:]
    translated, folds, _ = cross_translate(experiment.method, documents.unit[:], true, experiment.seed)
    what = f"{task.name}, {experiment.source} → {experiment.target}, {experiment.method}, seed {experiment.seed}"
    # rows of a fold are in random order
    drawn = folds[0][:DOCUMENTS]
    drawn = drawn[_by_cluster(true[drawn], experiment.seed)]
    labels = [f"{task.corpus.ids[row]}: {_start(task.corpus.texts[row])}" for row in drawn]
    vectors = {"true": true[drawn], "translated": translated[drawn]}
    cosines = {name: each @ each.T for name, each in vectors.items()}
    judged = [row for row, id_ in enumerate(queries.ids) if id_ in task.judgements(experiment.split)]
    asked = np.random.default_rng(experiment.seed).permutation(judged)[:QUERIES]
    tables = [
        _fetched(task, experiment.split, int(row), q, true, translated)
        for row, q in zip(asked, queries.unit[asked], strict=True)
    ]
    maps: list[Map | Kernels] = [
        Map("map", f"Documents in the space of the target, UMAP: {what}", vectors, labels),
        Kernels("kernels", f"Cosines of every two documents, by clusters of the true vectors: {what}", cosines, labels),
    ]
    return maps, Page("neighbors", f"Ranks of the {NEIGHBORS} nearest documents, true and translated: {what}", tables)


def _by_cluster(X: Floats, seed: int) -> NDArray[np.int64]:
    """Return the rows of unit vectors X (n, d), cluster by cluster (spherical k-means), the most central first."""
    clusters = min(CLUSTERS, len(X))
    clustering = faiss.Kmeans(X.shape[1], clusters, seed=(seed + 1) % 2**31, spherical=True, min_points_per_centroid=1)
    clustering.train(X)
    cosines = X @ np.asarray(clustering.centroids).T
    return np.lexsort((-cosines.max(axis=1), cosines.argmax(axis=1)))


def _fetched(task: Task, split: str, query: int, q: Floats, true: Floats, translated: Floats) -> Table:
    """Return what a query fetches in the true space and in the translated one, with the ranks there."""
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
            _start(task.corpus.texts[row]),
        ]
        for row in rows
    ]
    title = f"{id_}: {_start(task.queries.texts[query])}"
    return Table(id_, title, ["fetched in", "true", "translated", "relevant", "document", "text"], cells)


def _ranks(task: Task, query: str, scores: Floats) -> dict[int, int]:
    """Return the rank of each of the nearest documents, by row."""
    nearest = [int(row) for row in np.argsort(-scores, kind="stable")[: NEIGHBORS + 1]]
    kept = [row for row in nearest if not (task.ignore_identical_ids and task.corpus.ids[row] == query)]
    return {row: rank for rank, row in enumerate(kept[:NEIGHBORS], 1)}


def _start(text: str) -> str:
    return text if len(text) <= LENGTH else f"{text[:LENGTH]}…"
