"""Measures of the similarity of two embedding spaces, from vectors of the same texts in both.

X (n, a) and Y (n, b) are paired row by row. `mse` and `cosine` require a = b. Measures of all rows read them block by
block; measures of neighborhoods use a sample of the texts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecsmith.array_types import Doubles, RowNumbers, Vectors
from vecsmith.embeddings import BLOCK_ROWS, PairMoments, UnitVectors, sample_rows
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.ranked_lists import MEASURES

Paired = Vectors | UnitVectors

RESAMPLES = 1000
"""Bootstrap samples."""
KERNEL_ROWS = 2000
"""Maximum texts in a kernel matrix, and maximum values that are resampled."""
PROBES = 1000
"""Maximum texts whose neighbors are compared."""


@dataclass(frozen=True)
class Estimate:
    """A mean over texts and its 95 % bootstrap interval.

    Attributes
    ----------
    mean : float
        The mean.
    low, high : float
        The 2.5 % and 97.5 % quantiles of the means of bootstrap samples of the texts.
    n : int
        Number of texts.

    References
    ----------
    Efron and Tibshirani 1993, An Introduction to the Bootstrap, 13.
    """

    mean: float
    low: float
    high: float
    n: int


def estimate(values: Doubles, seed: int = 0) -> Estimate:
    """Return the mean of values (n,), one per text, and its bootstrap interval."""
    rng = np.random.default_rng(seed)
    # the mean of many values is normally distributed, and resampling them would be slow
    if len(values) > KERNEL_ROWS:
        spread = 1.96 * float(values.std(ddof=1)) / np.sqrt(len(values))
        return Estimate(float(values.mean()), float(values.mean()) - spread, float(values.mean()) + spread, len(values))
    means = values[rng.integers(len(values), size=(RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(float(values.mean()), float(low), float(high), len(values))


def mse(X: Paired, Y: Paired) -> Estimate:
    """Return the mean over texts of the squared error per dimension, ‖x − y‖² / d.

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

    def cosines(x: Doubles, y: Doubles) -> Doubles:
        lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
        return np.asarray((x * y).sum(axis=1) / np.maximum(lengths, np.finfo(np.float64).tiny))

    return estimate(_each(X, Y, cosines))


def linear_cka(X: Paired, Y: Paired) -> float:
    """Return the centered kernel alignment of the linear kernels, ‖YᵀX‖² / (‖XᵀX‖ ‖YᵀY‖) of centered X and Y.

    The norms are Frobenius norms. All rows are read in one pass.

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

    K = exp(−‖x − x'‖² / 2σ²), and L likewise for Y, on a random sample of at most `KERNEL_ROWS` texts. HSIC is the sum
    of the products of the entries of the doubly centered kernels.

    Parameters
    ----------
    X, Y : ndarray of shape (n, a) and (n, b)
        Paired vectors.
    bandwidth : float
        σ divided by the median distance of two texts.
    seed : int
        Seed of the sample.

    References
    ----------
    Kornblith et al. 2019 (see `linear_cka`), equation 3. Gretton et al. 2005, Measuring statistical dependence with
    Hilbert-Schmidt norms, ALT.
    """
    K, L = (_centered(kernel) for kernel in kernel_matrices(X, Y, bandwidth, seed))
    lengths = np.linalg.norm(K) * np.linalg.norm(L)
    return float((K * L).sum() / max(float(lengths), np.finfo(np.float64).tiny))


def kernel_matrices(X: Paired, Y: Paired, bandwidth: float = 1.0, seed: int = 0) -> tuple[Doubles, Doubles]:
    """Return the Gaussian kernels K and L (m, m) of `rbf_cka`, with the sampled texts in random order.

    Parameters
    ----------
    X, Y : ndarray of shape (n, dx) and (n, dy)
        Paired vectors, of which at most `KERNEL_ROWS` pairs are used.
    bandwidth : float
        Bandwidth σ, in units of the median distance of each space.
    seed : int
        Seed of the sample.
    """
    _check_pairs(X, Y)
    rows = np.random.default_rng(seed).permutation(len(X))[:KERNEL_ROWS]
    return _gaussian(_floats(X[rows]), bandwidth), _gaussian(_floats(Y[rows]), bandwidth)


def _gaussian(X: Doubles, bandwidth: float) -> Doubles:
    norms = np.square(X).sum(axis=1)
    distances = np.maximum(norms[:, None] + norms[None, :] - 2 * X @ X.T, 0)
    median = np.median(distances[np.triu_indices(len(X), 1)])
    return np.asarray(np.exp(-distances / (2 * bandwidth**2 * max(float(median), np.finfo(np.float64).tiny))))


def _centered(kernel: Doubles) -> Doubles:
    return np.asarray(kernel - kernel.mean(axis=0) - kernel.mean(axis=1)[:, None] + kernel.mean())


def neighbors(X: Paired, probes: RowNumbers, k: int) -> RowNumbers:
    """Return the rows (m, k) of the k other vectors of X (n, d) with the largest inner products with each probe.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Vectors, which are read block by block.
    probes : ndarray of shape (m,), int64
        Rows of the probes. A probe is not a neighbor of itself.
    k : int
        Number of neighbors, less than n.

    Raises
    ------
    VecsmithError
        If a value is not finite.
    """
    queries = np.asarray(X[probes], np.float32)
    best = np.full((len(probes), k), -np.inf, np.float32)
    nearest = np.full((len(probes), k), -1, np.int64)
    for rows in _blocks(len(X)):
        scores = queries @ np.asarray(X[rows], np.float32).T
        if np.isnan(scores).any():
            raise VecsmithError("Vectors with a NaN or infinite value have no neighbors; embed those texts again.")
        own = np.flatnonzero((probes >= rows.start) & (probes < rows.stop))
        scores[own, probes[own] - rows.start] = -np.inf
        block_rows = np.broadcast_to(np.arange(rows.start, rows.stop), scores.shape)
        scores, candidates = np.hstack([best, scores]), np.hstack([nearest, block_rows])
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        best, nearest = np.take_along_axis(scores, order, axis=1), np.take_along_axis(candidates, order, axis=1)
    return nearest


def neighborhoods(X: Paired, Y: Paired, ks: Sequence[int] = (10,), seed: int = 0) -> dict[tuple[str, int], Estimate]:
    """Compare the nearest neighbors that texts have in two spaces.

    Parameters
    ----------
    X, Y : ndarray of shape (n, a) and (n, b)
        Paired vectors. Inner products rank the neighbors. At most `PROBES` texts serve as probes, and all other texts
        are candidates for their neighbors.
    ks : sequence of int
        Numbers of neighbors.
    seed : int
        Seed of the probes and of the bootstrap samples.

    Returns
    -------
    dict
        An `Estimate` for each name of a measure in `MEASURES` and each k.

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


def _each(X: Paired, Y: Paired, measure: Callable[[Doubles, Doubles], Doubles]) -> Doubles:
    """Return the values (n,) of a measure for all pairs."""
    _check_pairs(X, Y)
    if X.shape != Y.shape:
        raise VecsmithError(
            f"Vectors of {X.shape[1]} and {Y.shape[1]} dimensions cannot be subtracted; translate one set first."
        )
    return np.concatenate([measure(_floats(X[rows]), _floats(Y[rows])) for rows in _blocks(len(X))])


def _check_pairs(X: Paired, Y: Paired) -> None:
    if X.ndim != 2 or Y.ndim != 2:
        raise VecsmithError(
            f"Two arrays of shape (n, d) are needed to compare spaces, but got shapes {X.shape} and {Y.shape}."
        )
    if len(X) != len(Y) or len(X) < 2:
        raise VecsmithError(
            f"The same two or more texts are needed in both spaces, but got {len(X)} and {len(Y)} vectors."
        )


def _blocks(n: int) -> list[slice]:
    return [slice(start, min(start + BLOCK_ROWS, n)) for start in range(0, n, BLOCK_ROWS)]


def _floats(X: NDArray[Any]) -> Doubles:
    return np.asarray(X, dtype=np.float64)
