"""Inverted lists (IVF): each document belongs to its nearest centroid."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from vecsmith.array_types import Codes, Floats, RowNumbers
from vecsmith.cached import DropsCache
from vecsmith.codecs import Codec
from vecsmith.codecs.stages import CODE_BLOCK_ROWS
from vecsmith.progress import track

ListNumbers = NDArray[np.int32]

KMEANS_ROUNDS = 10
"""Rounds of k-means, as in FAISS's own inverted lists."""


@dataclass(frozen=True)
class InvertedLists(DropsCache):
    """Assignment of documents to inverted lists: each to the centroid with the largest inner product.

    Attributes
    ----------
    centroids : ndarray of shape (n_lists, d), float32
        Unit vectors in the input space of the codec.
    numbers : ndarray of shape (n,), int32
        List number of each document; may be memory-mapped.
    """

    centroids: Floats
    numbers: ListNumbers

    @classmethod
    def assign(cls, centroids: Floats, codec: Codec, codes: Codes) -> Self:
        """Assign codes (n, bytes_per_vector) to the nearest centroids (n_lists, d); codes are decoded in blocks."""
        lists = cls(centroids, np.empty(len(codes), np.int32))
        starts = range(0, len(codes), CODE_BLOCK_ROWS)
        for start in track(starts, f"{len(codes)} vectors into {len(centroids)} lists", len(starts)):
            decoded = codec.decode(codes[start : start + CODE_BLOCK_ROWS])
            lists.numbers[start : start + CODE_BLOCK_ROWS] = lists.nearest(decoded, 1)[:, 0]
        return lists

    def nearest(self, Q: Floats, probes: int) -> RowNumbers:
        """Return the numbers (n, probes) of the lists nearest to vectors (n, d), nearest first."""
        return np.asarray(self._centroid_index.search(np.ascontiguousarray(Q), probes)[1])

    def by_list(self) -> tuple[RowNumbers, RowNumbers]:
        """Return the documents (n,) sorted by list, and where each list starts and the last one ends (n_lists + 1,)."""
        # NumPy sorts 16-bit integers by radix, several times as fast as others
        numbers = self.numbers.astype(np.min_scalar_type(len(self.centroids)))
        sizes = np.bincount(numbers, minlength=len(self.centroids))
        return np.argsort(numbers, kind="stable"), np.concatenate([[0], np.cumsum(sizes)])

    @cached_property
    def _centroid_index(self) -> Any:
        index = faiss.IndexFlatIP(self.centroids.shape[1])
        index.add(np.ascontiguousarray(self.centroids))
        return index


def learn_centroids(X: Floats, n_lists: int, seed: int) -> Floats:
    """Return centroids (n_lists, d), float32, learned from vectors by spherical k-means.

    Parameters
    ----------
    X : ndarray of shape (n, d), float32
        Training vectors, at least one per list.
    n_lists : int
        Number of centroids.
    seed : int
        Seed of k-means.
    """
    kmeans = faiss.Kmeans(
        X.shape[1],
        n_lists,
        niter=KMEANS_ROUNDS,
        seed=seed,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=len(X),
    )
    kmeans.train(np.ascontiguousarray(X))
    return np.asarray(kmeans.centroids)
