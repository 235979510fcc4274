"""Maps of a task's documents and queries in two dimensions, with labels of clusters."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from vecsmith.array_types import RowNumbers
from vecsmith.embeddings import EmbeddingSet, normalize
from vecsmith.evaluation.compressed_lines import read_lines, write_lines
from vecsmith.evaluation.query_rankings import TaskQueries
from vecsmith.report.clusters import labeled_clusters
from vecsmith.report.layouts import Place, layout
from vecsmith.tasks import Task

MIN_DOCUMENTS = 20
"""Minimum documents for a map."""
MAX_DOCUMENTS = 20_000
"""Maximum documents on a map: the ones in a ranking, and a sample of the others."""
TITLE_CHARACTERS = 80


@dataclass(frozen=True)
class DocumentMap:
    """A map of a task's documents and queries.

    Attributes
    ----------
    task, split, encoder : str
        The task, the split of the judgements, and the encoder of the vectors.
    method : str
        ``pca`` or ``umap``.
    corpus_size : int
        Number of documents of the task.
    ids, titles : list of str
        Ids and beginnings of the texts of the documents on the map.
    places : list of (int, int)
        Coordinates of these documents, from 0 to 9,999.
    clusters : list of int
        Cluster of each of these documents.
    labels : list of (str, int, int)
        Words of each cluster, and the place of its medoid.
    query_ids : list of str
        Ids of the kept queries (see `TaskQueries`).
    query_places : list of (int, int)
        Their coordinates.
    """

    task: str
    split: str
    encoder: str
    method: str
    corpus_size: int
    ids: list[str]
    titles: list[str]
    places: list[Place]
    clusters: list[int]
    labels: list[tuple[str, int, int]]
    query_ids: list[str]
    query_places: list[Place]


def document_map(
    task: Task, queries: TaskQueries, encoder: str, corpus: EmbeddingSet, embedded: EmbeddingSet, method: str, seed: int
) -> DocumentMap:
    """Return the map of a task.

    Parameters
    ----------
    task : Task
        The task, of at least `MIN_DOCUMENTS` documents.
    queries : TaskQueries
        Its queries, with their rankings.
    encoder : str
        Spec of the encoder.
    corpus, embedded : EmbeddingSet
        Vectors of the documents and of the queries.
    method : {"pca", "umap"}
        The `layout` of the documents on the map, with the queries.
    seed : int
        Seed of the sample, of the clusters and of UMAP.

    Raises
    ------
    VecsmithError
        If umap-learn is not installed.
    """
    rows = _documents_on_map(task, queries, seed)
    X = normalize(corpus.vectors[rows])
    row_of_query = {id_: row for row, id_ in enumerate(embedded.ids)}
    query_ids = queries.ids[: len(queries.texts)]
    Q = normalize(embedded.vectors[np.array([row_of_query[id_] for id_ in query_ids], np.int64)])
    places, query_places = layout(method, X, Q, seed)
    texts = [task.corpus.texts[row] for row in rows]
    clusters, words, medoids = labeled_clusters(X, texts, seed)
    return DocumentMap(
        task.name,
        queries.split,
        encoder,
        method,
        len(task.corpus),
        [task.corpus.ids[row] for row in rows],
        [text[:TITLE_CHARACTERS] for text in texts],
        places,
        clusters,
        [(label, *places[medoid]) for label, medoid in zip(words, medoids, strict=True)],
        query_ids,
        query_places,
    )


def _documents_on_map(task: Task, queries: TaskQueries, seed: int) -> RowNumbers:
    """Return the rows of the ranked documents and of a sample of the others, sorted."""
    n = len(task.corpus)
    if n <= MAX_DOCUMENTS:
        return np.arange(n)
    row_of = {id_: row for row, id_ in enumerate(task.corpus.ids)}
    ranked = [row_of[id_] for id_, _ in queries.documents][:MAX_DOCUMENTS]
    others = np.setdiff1d(np.arange(n), ranked)
    sample = np.random.default_rng(seed).choice(others, MAX_DOCUMENTS - len(ranked), replace=False)
    return np.sort(np.concatenate([np.array(ranked, np.int64), sample]))


def smaller(map_: DocumentMap, title_characters: int, every: int = 1) -> DocumentMap:
    """Return the map with shorter titles, and with every n-th document only."""
    lists = {name: getattr(map_, name)[::every] for name in ("ids", "titles", "places", "clusters")}
    return replace(map_, **{**lists, "titles": [title[:title_characters] for title in lists["titles"]]})


def write_maps(path: Path, maps: Iterable[DocumentMap]) -> None:
    """Write maps as compressed JSON lines, atomically."""
    write_lines(path, map(asdict, maps))


def read_maps(path: Path) -> list[DocumentMap]:
    """Read the maps that `write_maps` wrote.

    Raises
    ------
    VecsmithError
        If the file cannot be read, or a line of it is not a map.
    """
    return read_lines(path, "maps of documents", lambda content: DocumentMap(**content))
