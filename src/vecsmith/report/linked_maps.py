"""Maps of documents in the true space of a model and in the space of translated vectors."""

from collections.abc import Sequence

import numpy as np

from vecsmith.array_types import Floats
from vecsmith.evaluation.geometry import neighbors
from vecsmith.report.clusters import labeled_clusters
from vecsmith.report.findings import LinkedMaps
from vecsmith.report.layouts import layout

NEIGHBORS = 10


def linked_maps(
    title: str, labels: Sequence[str], texts: Sequence[str], true: Floats, translated: Floats, method: str, seed: int
) -> LinkedMaps:
    """Return maps of the same documents in two spaces.

    Parameters
    ----------
    title : str
        Title of the maps.
    labels, texts : sequence of str
        Label and text of each document.
    true, translated : ndarray of shape (n, d), float32
        Unit vectors of the documents.
    method : {"pca", "umap"}
        The `layout` of both, on the same axes.
    seed : int
        Seed of the layout and of the clusters.
    """
    rows = np.arange(len(true))
    k = min(NEIGHBORS, len(true) - 1)
    clusters, words, medoids = labeled_clusters(true, texts, seed)
    return LinkedMaps(
        title,
        method,
        ["true", "translated"],
        list(labels),
        list(layout(method, true, translated, seed)),
        [neighbors(vectors, rows, k).tolist() for vectors in (true, translated)],
        clusters,
        words,
        medoids,
    )
