"""Similarity of two embedding sets of the same texts, by all measures of `geometry`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vecsmith.embeddings import EmbeddingSet, join, sample_rows
from vecsmith.errors import VecsmithError
from vecsmith.evaluation import geometry
from vecsmith.evaluation.geometry import Estimate

MAX_TEXTS = 100_000
"""Maximum number of texts that are compared, which bounds time and memory."""


@dataclass(frozen=True)
class SetComparison:
    """Measures of the similarity of two embedding sets.

    Attributes
    ----------
    texts : int
        Number of compared texts.
    only_first, only_second : int
        Number of rows of each set with an id that the other set lacks.
    paired : dict of str to Estimate
        ``mse`` and ``cosine`` of the two vectors of a text; empty if the sets have different dimensions.
    kernels : dict of str to float
        ``linear_cka`` and ``rbf_cka``.
    neighborhoods : dict of (str, int) to Estimate
        Agreement of the k nearest neighbors, by the name of the measure and k.
    """

    texts: int
    only_first: int
    only_second: int
    paired: dict[str, Estimate]
    kernels: dict[str, float]
    neighborhoods: dict[tuple[str, int], Estimate]


def compare_sets(first: EmbeddingSet, second: EmbeddingSet, ks: Sequence[int] = (10,), seed: int = 0) -> SetComparison:
    """Compare the unit vectors of two sets, which are joined by id.

    At most `MAX_TEXTS` texts are compared. Texts with an all-zero vector in either set are left out.

    Parameters
    ----------
    first, second : EmbeddingSet
        Vectors of the same texts, of any dimensions.
    ks : sequence of int
        Numbers of nearest neighbors.
    seed : int
        Seed of the samples.

    Raises
    ------
    VecsmithError
        As for `join` and `geometry.neighborhoods`, or if the sets have fewer than two texts in common.
    """
    pairs = join(first, second)
    nonzero = ~(np.isin(pairs.source, first.zero_rows) | np.isin(pairs.target, second.zero_rows))
    rows = np.flatnonzero(nonzero)
    rows = rows[sample_rows(len(rows), MAX_TEXTS, seed)]
    if len(rows) < 2:
        raise VecsmithError(
            f"{first.source} and {second.source} have only {len(rows)} texts in common whose vectors are not zero; "
            "give sets of two or more common texts."
        )
    X, Y = first.unit[pairs.source[rows]], second.unit[pairs.target[rows]]
    paired = {"mse": geometry.mse(X, Y), "cosine": geometry.cosine(X, Y)} if X.shape == Y.shape else {}
    kernels = {"linear_cka": geometry.linear_cka(X, Y), "rbf_cka": geometry.rbf_cka(X, Y, seed=seed)}
    neighborhoods = geometry.neighborhoods(X, Y, ks, seed)
    return SetComparison(len(rows), pairs.only_source, pairs.only_target, paired, kernels, neighborhoods)
