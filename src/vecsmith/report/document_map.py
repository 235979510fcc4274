"""Maps of a task's documents and queries in two dimensions, with labels of clusters."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import faiss
import numpy as np

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.embeddings import EmbeddingSet, normalize
from vecsmith.errors import require, unknown
from vecsmith.evaluation.compressed_lines import read_lines, write_lines
from vecsmith.evaluation.query_rankings import TaskQueries
from vecsmith.tasks import Task

METHODS = ("pca", "umap")
MIN_DOCUMENTS = 20
"""Minimum documents for a map."""
MAX_DOCUMENTS = 5000
"""Maximum documents on a map: the ones in a ranking, and a sample of the others."""
TITLE_CHARACTERS = 80
PLACES = 9999
"""Largest coordinate of a place."""
DOCUMENTS_PER_CLUSTER = 350
"""Mean number of documents in a cluster."""
CLUSTERS = (4, 14)
"""Minimum and maximum number of clusters."""
LABEL_WORDS = 3
LABELED_CHARACTERS = 2000
"""Characters of a text that count for the labels."""
COMMON_SHARE = 0.1
"""Words in a larger share of the documents are no labels."""
WORD = re.compile(r"[^\W\d_]{3,}")

Place = tuple[int, int]


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


def check_map_method(method: str) -> None:
    """Check the name of a layout, and that its package is installed.

    Raises
    ------
    VecsmithError
        If the layout is unknown, or umap-learn is missing.
    """
    if method not in METHODS:
        raise unknown("map", method, METHODS)
    if method == "umap":
        require("umap", "report")


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
        ``pca``: the first two principal components of the documents on the map. ``umap``: a UMAP layout of documents
        and queries (McInnes, Healy and Melville 2018).
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
    places = _places(_umap(X, Q, seed) if method == "umap" else _principal_components(X, Q))
    texts = [task.corpus.texts[row][:LABELED_CHARACTERS] for row in rows]
    clusters, medoids = _clusters(X, seed)
    labels = cluster_words(texts, clusters, len(medoids))
    return DocumentMap(
        task.name,
        queries.split,
        encoder,
        method,
        len(task.corpus),
        [task.corpus.ids[row] for row in rows],
        [text[:TITLE_CHARACTERS] for text in texts],
        places[: len(rows)],
        clusters.tolist(),
        [(label, *places[medoid]) for label, medoid in zip(labels, medoids, strict=True)],
        query_ids,
        places[len(rows) :],
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


def _principal_components(X: Floats, Q: Floats) -> Floats:
    mean = X.mean(axis=0)
    axes = np.linalg.eigh((X - mean).T @ (X - mean))[1][:, :-3:-1]
    # the sign of an eigenvector is arbitrary
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])
    return np.asarray((np.vstack([X, Q]) - mean) @ axes)


def _umap(X: Floats, Q: Floats, seed: int) -> Floats:
    umap = require("umap", "report")
    layout = umap.UMAP(metric="cosine", random_state=seed, n_jobs=1).fit_transform(np.vstack([X, Q]))
    return np.asarray(layout)


def _places(layout: Floats) -> list[Place]:
    """Return coordinates as integers; the aspect ratio of the layout is kept."""
    low, size = layout.min(axis=0), float(np.ptp(layout, axis=0).max()) or 1.0
    scaled = np.rint((layout - low) / size * PLACES).astype(int)
    return [(int(x), int(y)) for x, y in scaled]


def _clusters(X: Floats, seed: int) -> tuple[RowNumbers, list[int]]:
    """Return the cluster of each vector (n,) by spherical k-means, and the row that is nearest to each centroid."""
    k = int(np.clip(round(len(X) / DOCUMENTS_PER_CLUSTER), *CLUSTERS))
    kmeans = faiss.Kmeans(X.shape[1], k, seed=(seed + 1) % 2**31, spherical=True, min_points_per_centroid=1)
    kmeans.train(X)
    scores = X @ np.asarray(kmeans.centroids).T
    clusters, used = np.unique(scores.argmax(axis=1), return_inverse=True)
    members = [np.flatnonzero(used == number) for number in range(len(clusters))]
    return used, [int(rows[scores[rows, c].argmax()]) for rows, c in zip(members, clusters, strict=True)]


def cluster_words(texts: Sequence[str], clusters: RowNumbers, count: int) -> list[str]:
    """Return the words that tell each cluster of texts from the others, joined by commas.

    The score of a word in a cluster is its frequency there times log(1 + A / f), where f is its frequency in all texts
    and A the mean number of words in a cluster (c-TF-IDF).

    Parameters
    ----------
    texts : sequence of str
        The texts.
    clusters : ndarray of shape (n,), int64
        Cluster of each text.
    count : int
        Number of clusters.

    References
    ----------
    Grootendorst 2022, BERTopic: Neural topic modeling with a class-based TF-IDF procedure.
    """
    words = [WORD.findall(text.lower()) for text in texts]
    documents = Counter(word for each in words for word in set(each))
    # a function word is in many documents; a word in one document is no topic
    common = {word for word, number in documents.items() if number > max(COMMON_SHARE * len(texts), 2) or number < 2}
    by_cluster = [Counter[str]() for _ in range(count)]
    for cluster, each in zip(clusters.tolist(), words, strict=True):
        by_cluster[cluster].update(word for word in each if word not in common)
    total: Counter[str] = sum(by_cluster, Counter())
    mean = total.total() / count
    return [
        ", ".join(sorted(counts, key=lambda word: (-counts[word] * np.log(1 + mean / total[word]), word))[:LABEL_WORDS])
        for counts in by_cluster
    ]


def every_nth(map_: DocumentMap, n: int) -> DocumentMap:
    """Return the map with every n-th document only."""
    lists = {name: getattr(map_, name)[::n] for name in ("ids", "titles", "places", "clusters")}
    return replace(map_, **lists)


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
