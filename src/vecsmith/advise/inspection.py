"""Statistics of vectors: lengths, dimensions, spectrum, cosines and nearest neighbors."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecsmith.advise.inspection_sums import InspectionSums
from vecsmith.array_types import Doubles, RowNumbers
from vecsmith.embeddings import BLOCK_ROWS, EmbeddingSet
from vecsmith.errors import VecsmithError
from vecsmith.progress import track

SAMPLE_ROWS = 1000
"""Rows whose nearest neighbors among all other rows are searched."""
NEAR_DUPLICATE_COSINE = 0.99
"""Minimum cosine between near duplicates."""
BALANCED = (0.25, 0.75)
"""Shares of positive values of a balanced dimension; outside of them, a sign has less than 0.81 bits of entropy."""
OUTLIER_SIZE = 3.0
"""Minimum size of an outlier dimension, relative to the median dimension (see `Inspection.size`)."""
IDLE_SIZE = 0.1
"""Maximum size of an idle dimension, relative to the median dimension."""
BINS = np.linspace(-1, 1, 101)
"""Edges of the bins of the histogram of cosines."""
SHARES = (0.5, 0.75, 0.9, 0.95, 0.99)
"""Shares of the variance for which the minimum bytes are listed."""


@dataclass(frozen=True, eq=False)
class Inspection:
    """Statistics of the vectors of an embedding set.

    The lengths and duplicates are those of the stored vectors. All other statistics are those of the vectors scaled to
    unit length, as codecs receive them.

    Attributes
    ----------
    rows, dimensions : int
        Number of rows n and dimensions d.
    dtype : str
        Data type of the stored vectors.
    normalised : bool
        Whether the stored vectors have unit length.
    zero_rows : int
        Number of all-zero vectors, such as those of empty texts.
    norm_min, norm_mean, norm_max : float
        Minimum, mean and maximum length of the stored vectors.
    mean, spread, skew : ndarray of shape (d,), float64
        Mean, standard deviation and skewness of every dimension. The skewness of a constant is 0.
    positive : ndarray of shape (d,), float64
        Share of values above zero in every dimension, which is the balance of the bits of ``binary``.
    sign_cosine : float
        Mean cosine between a vector and its signs, ‖x‖₁/√d, as a measure of the error of ``binary``. For normally
        distributed values of equal variance it is √(2/π) = 0.80.
    spectrum : ndarray of shape (d,), float64
        Variances of the principal components, in descending order.
    cosine_mean, cosine_spread : float
        Exact mean and standard deviation of the cosine over all pairs of rows, from the sums of x and xxᵀ.
    duplicates : int
        Number of rows that are byte for byte equal to an earlier row, by 64-bit hashes.
    nearest : ndarray of shape (s,), float64
        Cosines between each of s random rows and its nearest neighbor among all other rows, in ascending order.
    pairs : ndarray of shape (100,), int64
        Histogram of the cosines between all pairs of these rows, in bins of 0.02 from −1 to 1.
    """

    rows: int
    dimensions: int
    dtype: str
    normalised: bool
    zero_rows: int
    norm_min: float
    norm_mean: float
    norm_max: float
    mean: Doubles
    spread: Doubles
    skew: Doubles
    positive: Doubles
    sign_cosine: float
    spectrum: Doubles
    cosine_mean: float
    cosine_spread: float
    duplicates: int
    nearest: Doubles
    pairs: NDArray[np.int64]

    @property
    def variance(self) -> float:
        """Sum of the variances of all dimensions, E‖x − μ‖²."""
        return float(self.spectrum.sum())

    @property
    def mean_share(self) -> float:
        """Share of the mean in the squared length, ‖μ‖² / E‖x‖², which all vectors have in common."""
        common = float(self.mean @ self.mean)
        return common / (common + self.variance)

    @property
    def unbalanced(self) -> int:
        """Number of dimensions that are positive in less than a quarter, or more than three quarters, of the rows."""
        return int(((self.positive < BALANCED[0]) | (self.positive > BALANCED[1])).sum())

    @property
    def size(self) -> Doubles:
        """Root mean square of every dimension (d,), divided by the median over the dimensions."""
        size = np.sqrt(self.mean**2 + self.spread**2)
        return np.asarray(size / max(float(np.median(size)), np.finfo(np.float32).tiny))

    @property
    def outliers(self) -> list[int]:
        """Dimensions whose size is above `OUTLIER_SIZE`, in descending order of size."""
        return [int(i) for i in np.argsort(-self.size, kind="stable") if self.size[i] > OUTLIER_SIZE]

    @property
    def idle(self) -> list[int]:
        """Dimensions whose size is below `IDLE_SIZE`."""
        return [int(i) for i in np.flatnonzero(self.size < IDLE_SIZE)]

    @property
    def participation_ratio(self) -> float:
        """Participation ratio (Σλ)² / Σλ² of the spectrum λ, an effective number of dimensions."""
        return self.variance**2 / float((self.spectrum**2).sum()) if self.variance else 0.0

    @property
    def effective_rank(self) -> float:
        """Exponential of the entropy of the spectrum.

        References
        ----------
        Roy and Vetterli 2007, The effective rank: a measure of effective dimensionality, EUSIPCO. They use
        singular values; this uses the eigenvalues of the covariance.
        """
        shares = self.spectrum[self.spectrum > 0] / (self.variance or 1)
        return float(np.exp(-(shares * np.log(shares)).sum())) if len(shares) else 0.0

    def in_components(self, k: int) -> float:
        """Return the share of the variance in the first k principal components."""
        return float(self.spectrum[:k].sum()) / (self.variance or 1)

    def in_prefix(self, k: int) -> float:
        """Return the share of the variance in the first k dimensions of the stored vectors."""
        return float((self.spread[:k] ** 2).sum()) / (self.variance or 1)

    def prefix_ratio(self, k: int) -> float:
        """Return the variance of the first k dimensions divided by that of k principal components.

        At a ratio of 1, truncation loses no more variance than PCA.
        """
        return self.in_prefix(k) / (self.in_components(k) or 1)

    @property
    def cuts(self) -> list[int]:
        """Numbers of dimensions d/8, d/4 and d/2, for which `in_prefix` and `in_components` are reported."""
        return sorted({max(self.dimensions // part, 1) for part in (8, 4, 2)})

    def bytes_for(self, share: float) -> float:
        """Return the minimum bytes per vector that keep a share of the variance of normally distributed vectors.

        The rate is R = Σ ½ log₂(λ/θ) bits over the components with λ > θ. The level θ solves
        Σ min(λ, θ) = (1 − share) Σ λ.

        References
        ----------
        Cover and Thomas 2006, Elements of Information Theory, 10.3.3 (reverse water-filling).
        """
        lost = (1 - share) * self.variance
        count = np.arange(1, self.dimensions + 1)
        tail = self.variance - np.cumsum(self.spectrum)
        # λ_k > θ if the level λ_k would lose more than allowed
        k = int((count * self.spectrum + tail > lost).sum())
        if k == 0:
            return 0.0
        level = (lost - tail[k - 1]) / k
        return float(np.log2(self.spectrum[:k] / level).sum()) / 16

    @property
    def near_duplicates(self) -> float:
        """Share of the sampled rows with another row at a cosine of 0.99 or more."""
        return float((self.nearest >= NEAR_DUPLICATE_COSINE).mean())

    def to_dict(self) -> dict[str, Any]:
        """Return all statistics, including derived ones, as content for JSON."""
        stored = {field.name: getattr(self, field.name) for field in fields(self)}
        derived = ("mean_share", "unbalanced", "outliers", "idle", "participation_ratio", "effective_rank")
        facts = stored | {name: getattr(self, name) for name in (*derived, "near_duplicates")}
        return {name: fact.tolist() if isinstance(fact, np.ndarray) else fact for name, fact in facts.items()} | {
            "cuts": [
                {
                    "k": k,
                    "components": self.in_components(k),
                    "prefix": self.in_prefix(k),
                    "ratio": self.prefix_ratio(k),
                }
                for k in self.cuts
            ],
            "bytes_for": {str(share): self.bytes_for(share) for share in SHARES},
        }


def inspect(embedded: EmbeddingSet, seed: int = 0) -> Inspection:
    """Return statistics of vectors, in two passes over blocks of rows.

    Parameters
    ----------
    embedded : EmbeddingSet
        Two or more vectors, memory-mapped or not. They are never copied as a whole.
    seed : int
        Seed of the sample whose nearest neighbors are searched.

    Raises
    ------
    VecsmithError
        If there is only one row.
    """
    n = len(embedded)
    if n < 2:
        raise VecsmithError(f"{embedded.source} has one vector only; give two or more to inspect.")
    chosen = np.sort(np.random.default_rng(seed).choice(n, min(n, SAMPLE_ROWS), replace=False))
    sums = InspectionSums(n, embedded.dimensions)
    starts = range(0, n, BLOCK_ROWS)
    for start in track(starts, "Reading vectors", len(starts)):
        sums.add(embedded.stored(start, start + BLOCK_ROWS))
    nearest, pairs = _neighbors(embedded, chosen)
    return Inspection(
        rows=n,
        dimensions=embedded.dimensions,
        dtype=embedded.provenance.dtype,
        normalised=embedded.provenance.normalised,
        nearest=nearest,
        pairs=pairs,
        **sums.facts(),
    )


def _neighbors(embedded: EmbeddingSet, chosen: RowNumbers) -> tuple[Doubles, NDArray[np.int64]]:
    """Return the ascending cosines of rows (s,) with their nearest neighbors, and the histogram of their pairs."""
    vectors = embedded.unit
    sample = vectors[chosen]
    nearest = np.full(len(sample), -1, np.float32)
    starts = range(0, len(vectors), BLOCK_ROWS)
    for start in track(starts, "Looking for neighbors", len(starts)):
        cosines = sample @ vectors[start : start + BLOCK_ROWS].T
        inside = np.flatnonzero((chosen >= start) & (chosen < start + BLOCK_ROWS))
        cosines[inside, chosen[inside] - start] = -1
        nearest = np.maximum(nearest, cosines.max(axis=1))
    pairs = (sample @ sample.T)[np.triu_indices(len(sample), 1)]
    histogram, _ = np.histogram(np.clip(pairs, -1, 1), BINS)
    return np.sort(np.clip(nearest, -1, 1)).astype(np.float64), histogram
