"""How close two embedding spaces are, from vectors of the same texts in both.

X (n, a) and Y (n, b) are paired row by row. Measures of pairs need a = b; all others take any dimensions. What reads
all rows does so block by block; what compares neighbors does so for a sample of the texts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecsmith.embeddings import PairMoments, UnitVectors, Vectors, sample_rows
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.ranked_lists import MEASURES, Ranks

Paired = Vectors | UnitVectors
Floats = NDArray[np.float64]

BLOCK = 4096
"""Rows that are read at a time."""
RESAMPLES = 1000
"""Of the bootstrap."""
KERNEL_ROWS = 2000
"""Texts that a kernel matrix has at most."""
PROBES = 1000
"""Texts whose neighbors are compared at most."""


@dataclass(frozen=True)
class Estimate:
    """A mean over texts, and where it may lie.

    Attributes
    ----------
    mean : float
        The mean.
    low, high : float
        The middle 95 % of the means of bootstrap samples of the texts.
    n : int
        How many texts.

    References
    ----------
    Efron and Tibshirani 1993, An Introduction to the Bootstrap, 13.
    """

    mean: float
    low: float
    high: float
    n: int


def estimate(values: Floats, seed: int = 0) -> Estimate:
    """Return the mean of values (n,), one a text, and its bootstrap interval."""
    rng = np.random.default_rng(seed)
    # of many values a mean is normal, and resampling them would be slow
    if len(values) > KERNEL_ROWS:
        spread = 1.96 * float(values.std(ddof=1)) / np.sqrt(len(values))
        return Estimate(float(values.mean()), float(values.mean()) - spread, float(values.mean()) + spread, len(values))
    means = values[rng.integers(len(values), size=(RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(float(values.mean()), float(low), float(high), len(values))


def mse(X: Paired, Y: Paired) -> Estimate:
    """Return the mean over texts of the squared error a dimension, ‖x − y‖² / d.

    Raises
    ------
    VecsmithError
        If the shapes differ.
    """
    return estimate(_each(X, Y, lambda x, y: np.square(x - y).mean(axis=1)))


def cosine(X: Paired, Y: Paired) -> Estimate:
    """Return the mean over texts of the cosine, ⟨x, y⟩ / ‖x‖‖y‖.

    Raises
    ------
    VecsmithError
        If the shapes differ.
    """

    def cosines(x: Floats, y: Floats) -> Floats:
        lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
        return np.asarray((x * y).sum(axis=1) / np.maximum(lengths, np.finfo(np.float64).tiny))

    return estimate(_each(X, Y, cosines))


def linear_cka(X: Paired, Y: Paired) -> float:
    """Return the centered kernel alignment of the linear kernels, ‖YᵀX‖² / (‖XᵀX‖ ‖YᵀY‖) of centered X and Y.

    Frobenius norms; all rows are read, in one pass.

    References
    ----------
    Kornblith, Norouzi, Lee and Hinton 2019, Similarity of neural network representations revisited, ICML, equation 4.
    """
    _check_pairs(X, Y)
    pairs = PairMoments()
    for rows in _blocks(len(X)):
        pairs.add(X[rows], Y[rows])
    norms = [float(np.linalg.norm(side.covariance)) for side in (pairs.source, pairs.target)]
    return float(np.square(pairs.cross_covariance).sum() / max(norms[0] * norms[1], np.finfo(np.float64).tiny))


def rbf_cka(X: Paired, Y: Paired, bandwidth: float = 1.0, seed: int = 0) -> float:
    """Return the centered kernel alignment of Gaussian kernels, HSIC(K, L) / √(HSIC(K, K) HSIC(L, L)).

    K = exp(−‖x − x'‖² / 2σ²) and L likewise, of at most `KERNEL_ROWS` texts, drawn with the seed; HSIC is the sum of
    the products of the entries of the doubly centered kernels.

    Parameters
    ----------
    X, Y : ndarray of shape (n, a) and (n, b)
        Paired vectors.
    bandwidth : float
        σ over the median distance of two texts.
    seed : int
        Draws the texts.

    References
    ----------
    Kornblith et al. 2019 (see `linear_cka`), equation 3. Gretton et al. 2005, Measuring statistical dependence with
    Hilbert-Schmidt norms, ALT.
    """
    K, L = (_centered(kernel) for kernel in kernel_matrices(X, Y, bandwidth, seed))
    lengths = np.linalg.norm(K) * np.linalg.norm(L)
    return float((K * L).sum() / max(float(lengths), np.finfo(np.float64).tiny))


def kernel_matrices(X: Paired, Y: Paired, bandwidth: float = 1.0, seed: int = 0) -> tuple[Floats, Floats]:
    """Return the Gaussian kernels K and L of `rbf_cka`, (m, m), in an order of the texts drawn with the seed."""
    _check_pairs(X, Y)
    rows = np.random.default_rng(seed).permutation(len(X))[:KERNEL_ROWS]
    return _gaussian(_floats(X[rows]), bandwidth), _gaussian(_floats(Y[rows]), bandwidth)


def _gaussian(X: Floats, bandwidth: float) -> Floats:
    norms = np.square(X).sum(axis=1)
    distances = np.maximum(norms[:, None] + norms[None, :] - 2 * X @ X.T, 0)
    median = np.median(distances[np.triu_indices(len(X), 1)])
    return np.asarray(np.exp(-distances / (2 * bandwidth**2 * max(float(median), np.finfo(np.float64).tiny))))


def _centered(kernel: Floats) -> Floats:
    return np.asarray(kernel - kernel.mean(axis=0) - kernel.mean(axis=1)[:, None] + kernel.mean())


def neighbors(X: Paired, probes: Ranks, k: int) -> Ranks:
    """Return the rows (m, k) of the k other vectors of X (n, d) with the largest inner products with each probe.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Vectors, which are read block by block.
    probes : ndarray of shape (m,), int64
        Rows; a text is no neighbor of itself.
    k : int
        Less than n.

    Raises
    ------
    VecsmithError
        If a value is not finite.
    """
    queries = np.asarray(X[probes], np.float32)
    best = np.full((len(probes), k), -np.inf, np.float32)
    found = np.full((len(probes), k), -1, np.int64)
    for rows in _blocks(len(X)):
        scores = queries @ np.asarray(X[rows], np.float32).T
        if np.isnan(scores).any():
            raise VecsmithError("Vectors with a NaN or infinite value have no neighbors; embed those texts again.")
        own = np.flatnonzero((probes >= rows.start) & (probes < rows.stop))
        scores[own, probes[own] - rows.start] = -np.inf
        scores = np.hstack([best, scores])
        ids = np.hstack(
            [
                found,
                np.broadcast_to(
                    np.arange(rows.start, rows.start + scores.shape[1] - k), (len(found), scores.shape[1] - k)
                ),
            ]
        )
        kept = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        best, found = np.take_along_axis(scores, kept, axis=1), np.take_along_axis(ids, kept, axis=1)
    return found


def neighborhoods(X: Paired, Y: Paired, ks: Sequence[int] = (10,), seed: int = 0) -> dict[tuple[str, int], Estimate]:
    """Compare the nearest neighbors that texts have in two spaces.

    Parameters
    ----------
    X, Y : ndarray of shape (n, a) and (n, b)
        Paired vectors; their inner products rank the neighbors. At most `PROBES` texts, drawn with the seed, are
        looked at, among all others.
    ks : sequence of int
        How many neighbors.
    seed : int
        Draws the texts, and the bootstrap samples.

    Returns
    -------
    dict
        An `Estimate` by the measure's name in `MEASURES` and k.

    Raises
    ------
    VecsmithError
        If the counts differ, a value is not finite, or a k is not from 1 to n − 1.
    """
    _check_pairs(X, Y)
    if not all(1 <= k < len(X) for k in ks):
        raise VecsmithError(f"Neighbors of {len(X)} vectors are compared; choose k from 1 to {len(X) - 1}.")
    probes = sample_rows(len(X), PROBES, seed)
    lists = [neighbors(vectors, probes, max(ks)) for vectors in (X, Y)]
    return {
        (name, k): estimate(measure(lists[0][:, :k], lists[1][:, :k]), seed)
        for k in ks
        for name, measure in MEASURES.items()
    }


def _each(X: Paired, Y: Paired, measure: Callable[[Floats, Floats], Floats]) -> Floats:
    """Return what a measure makes of every pair, (n,)."""
    _check_pairs(X, Y)
    if X.shape != Y.shape:
        raise VecsmithError(
            f"Pairs of {X.shape[1]} and {Y.shape[1]} dimensions have no difference; translate one first."
        )
    return np.concatenate([measure(_floats(X[rows]), _floats(Y[rows])) for rows in _blocks(len(X))])


def _check_pairs(X: Paired, Y: Paired) -> None:
    if X.ndim != 2 or Y.ndim != 2:
        raise VecsmithError(f"Spaces are compared by arrays (n, d), but got shapes {X.shape} and {Y.shape}.")
    if len(X) != len(Y) or len(X) < 2:
        raise VecsmithError(f"Spaces are compared by two or more texts in both, but got {len(X)} and {len(Y)} vectors.")


def _blocks(n: int) -> list[slice]:
    return [slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK)]


def _floats(X: NDArray[Any]) -> Floats:
    return np.asarray(X, dtype=np.float64)
