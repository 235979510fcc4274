"""Clusters of documents, and the words that tell each cluster from the others."""

import re
from collections import Counter
from collections.abc import Sequence

import faiss
import numpy as np

from vecsmith.array_types import Floats, RowNumbers

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


def centroid_cosines(X: Floats, count: int, seed: int) -> Floats:
    """Return the cosines (n, k) of unit vectors (n, d) with k ≤ `count` centroids of a spherical k-means.

    Parameters
    ----------
    X : ndarray of shape (n, d), float32
        The vectors.
    count : int
        Number of clusters; fewer if there are fewer vectors.
    seed : int
        Seed of k-means.
    """
    size = min(count, len(X))
    kmeans = faiss.Kmeans(X.shape[1], size, seed=(seed + 1) % 2**31, spherical=True, min_points_per_centroid=1)
    kmeans.train(X)
    return np.asarray(X @ np.asarray(kmeans.centroids).T)


def labeled_clusters(X: Floats, texts: Sequence[str], seed: int) -> tuple[list[int], list[str], list[int]]:
    """Return the clusters of documents, their words, and their medoids.

    Parameters
    ----------
    X : ndarray of shape (n, d), float32
        Unit vectors of the documents.
    texts : sequence of str
        Texts of the documents.
    seed : int
        Seed of the clusters.

    Returns
    -------
    clusters : list of int
        Cluster of each document, by spherical k-means.
    words : list of str
        Words of each cluster (see `cluster_words`).
    medoids : list of int
        Row of the document nearest to each centroid.
    """
    scores = centroid_cosines(X, int(np.clip(round(len(X) / DOCUMENTS_PER_CLUSTER), *CLUSTERS)), seed)
    used, clusters = np.unique(scores.argmax(axis=1), return_inverse=True)
    members = [np.flatnonzero(clusters == number) for number in range(len(used))]
    medoids = [int(rows[scores[rows, c].argmax()]) for rows, c in zip(members, used, strict=True)]
    return clusters.tolist(), cluster_words([text[:LABELED_CHARACTERS] for text in texts], clusters, len(used)), medoids


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
