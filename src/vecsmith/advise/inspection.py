"""What vectors are like: lengths, dimensions, spectrum, neighbors."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecsmith.advise.inspection_sums import InspectionSums
from vecsmith.embeddings import EmbeddingSet
from vecsmith.errors import VecsmithError
from vecsmith.progress import track

Array = NDArray[np.float64]

BLOCK = 4096
"""Rows that are read at a time, which bounds the memory that takes."""
SAMPLE = 1000
"""Rows whose nearest neighbors are looked for among all others."""
NEAR = 0.99
"""The cosine from which on another row is a near duplicate."""
BALANCED = (0.25, 0.75)
"""Shares of positive values between which a sign tells enough: beyond them it has less than 0.81 bits of entropy."""
OUTLIER = 3.0
"""How many times the median dimension's root mean square makes a dimension an outlier; a tenth of it, an idle one."""
BINS = np.linspace(-1, 1, 101)
"""Edges of the histogram of cosines."""
SHARES = (0.5, 0.75, 0.9, 0.95, 0.99)
"""Shares of the variance whose bytes are listed."""


@dataclass(frozen=True, eq=False)
class Inspection:
    """What the vectors of an embedding set are like.

    All but the lengths and the exact duplicates is about the vectors scaled to unit length, which is what codecs see.

    Attributes
    ----------
    rows, dimensions : int
        n and d.
    dtype : str
        As stored.
    normalised : bool
        Whether the stored vectors have unit length.
    zero_rows : int
        Rows without a direction, those of empty texts.
    norm_min, norm_mean, norm_max : float
        Lengths of the stored vectors.
    mean, spread, skew : ndarray of shape (d,), float64
        Mean, standard deviation and skewness of every dimension; the skewness of a constant is 0.
    positive : ndarray of shape (d,), float64
        Share of values above zero: the balance of the bits of ``binary``.
    sign_cosine : float
        Mean cosine between a vector and its signs, ‖x‖₁/√d: what ``binary`` stands for. √(2/π) = 0.80 for normal values
        of one spread.
    spectrum : ndarray of shape (d,), float64
        Variances of the principal components, falling.
    cosine_mean, cosine_spread : float
        Mean and standard deviation of the cosine over all pairs of rows, exact: they follow from the sums of x and xxᵀ.
    duplicates : int
        Rows that equal an earlier one byte for byte, by 64-bit hashes.
    nearest : ndarray of shape (s,), float64
        Cosine of each of s rows drawn at random with its nearest neighbor among all others, rising.
    pairs : ndarray of shape (100,), int64
        Histogram of the cosines of all pairs of these rows, in bins of 0.02 from −1 to 1.
    """

    rows: int
    dimensions: int
    dtype: str
    normalised: bool
    zero_rows: int
    norm_min: float
    norm_mean: float
    norm_max: float
    mean: Array
    spread: Array
    skew: Array
    positive: Array
    sign_cosine: float
    spectrum: Array
    cosine_mean: float
    cosine_spread: float
    duplicates: int
    nearest: Array
    pairs: NDArray[np.int64]

    @property
    def variance(self) -> float:
        """The sum of all variances, E‖x − μ‖²."""
        return float(self.spectrum.sum())

    @property
    def mean_share(self) -> float:
        """The mean's share of the squared length, ‖μ‖² / E‖x‖²: what all vectors have in common."""
        common = float(self.mean @ self.mean)
        return common / (common + self.variance)

    @property
    def unbalanced(self) -> int:
        """Dimensions that are positive in fewer than a quarter, or in more than three quarters, of the rows."""
        return int(((self.positive < BALANCED[0]) | (self.positive > BALANCED[1])).sum())

    @property
    def size(self) -> Array:
        """Root mean square of every dimension (d,), over that of the median dimension."""
        size = np.sqrt(self.mean**2 + self.spread**2)
        return np.asarray(size / max(float(np.median(size)), np.finfo(np.float32).tiny))

    @property
    def outliers(self) -> list[int]:
        """Dimensions of more than three times the median dimension's root mean square, largest first."""
        return [int(i) for i in np.argsort(-self.size, kind="stable") if self.size[i] > OUTLIER]

    @property
    def idle(self) -> list[int]:
        """Dimensions of less than a tenth of the median dimension's root mean square."""
        return [int(i) for i in np.flatnonzero(self.size < 0.1)]

    @property
    def participation_ratio(self) -> float:
        """(Σλ)² / Σλ² of the spectrum λ: how many components of one variance would be as spread out."""
        return self.variance**2 / float((self.spectrum**2).sum()) if self.variance else 0.0

    @property
    def effective_rank(self) -> float:
        """The exponential of the spectrum's entropy.

        References
        ----------
        Roy and Vetterli 2007, The effective rank: a measure of effective dimensionality, EUSIPCO; here of the
        eigenvalues of the covariance.
        """
        shares = self.spectrum[self.spectrum > 0] / (self.variance or 1)
        return float(np.exp(-(shares * np.log(shares)).sum())) if len(shares) else 0.0

    def in_components(self, k: int) -> float:
        """Return the share of the variance in the first k principal components."""
        return float(self.spectrum[:k].sum()) / (self.variance or 1)

    def in_prefix(self, k: int) -> float:
        """Return the share of the variance in the first k dimensions as given."""
        return float((self.spread[:k] ** 2).sum()) / (self.variance or 1)

    def prefix_ratio(self, k: int) -> float:
        """Return the first k dimensions' variance over that of k principal components: 1 where cutting costs least."""
        return self.in_prefix(k) / (self.in_components(k) or 1)

    @property
    def cuts(self) -> list[int]:
        """d/8, d/4 and d/2."""
        return sorted({max(self.dimensions // part, 1) for part in (8, 4, 2)})

    def bytes_for(self, share: float) -> float:
        """Return the bytes a vector that a share of the variance takes, at least, if the vectors are normal.

        The rate R = Σ ½ log₂(λ/θ) over the components with λ > θ, at the level θ with Σ min(λ, θ) = (1 − share) Σ λ.

        References
        ----------
        Cover and Thomas 2006, Elements of Information Theory, 10.3.3 (reverse water-filling).
        """
        lost = (1 - share) * self.variance
        count = np.arange(1, self.dimensions + 1)
        tail = self.variance - np.cumsum(self.spectrum)
        # λ_k > θ where a level at λ_k would lose too much
        k = int((count * self.spectrum + tail > lost).sum())
        if k == 0:
            return 0.0
        level = (lost - tail[k - 1]) / k
        return float(np.log2(self.spectrum[:k] / level).sum()) / 16

    @property
    def near_duplicates(self) -> float:
        """Share of the sampled rows that have another one at a cosine of 0.99 or more."""
        return float((self.nearest >= NEAR).mean())

    def to_dict(self) -> dict[str, Any]:
        """Return every number, those that follow from others included, as what JSON can hold."""
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
    """Say what vectors are like, in two passes over them, block by block.

    Parameters
    ----------
    embedded : EmbeddingSet
        Two rows or more; may be memory-mapped, and is never copied as a whole.
    seed : int
        Seeds the sample whose neighbors are looked for.

    Raises
    ------
    VecsmithError
        If there is one row only.
    """
    n = len(embedded)
    if n < 2:
        raise VecsmithError(f"{embedded.source} has one vector only; give two or more to inspect.")
    chosen = np.sort(np.random.default_rng(seed).choice(n, min(n, SAMPLE), replace=False))
    sums = InspectionSums(embedded.dimensions)
    blocks = [(shard, start) for shard in embedded.shards for start in range(0, len(shard), BLOCK)]
    for shard, start in track(blocks, "Reading vectors", len(blocks)):
        sums.add(shard[start : start + BLOCK])
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


def _neighbors(embedded: EmbeddingSet, chosen: NDArray[np.int64]) -> tuple[Array, NDArray[np.int64]]:
    """Return the cosines of chosen rows (s,) with their nearest, rising, and the histogram of their pairs."""
    vectors = embedded.unit
    sample = vectors[chosen]
    nearest = np.full(len(sample), -1, np.float32)
    starts = range(0, len(vectors), BLOCK)
    for start in track(starts, "Looking for neighbors", len(starts)):
        cosines = sample @ vectors[start : start + BLOCK].T
        inside = np.flatnonzero((chosen >= start) & (chosen < start + BLOCK))
        cosines[inside, chosen[inside] - start] = -1
        nearest = np.maximum(nearest, cosines.max(axis=1))
    pairs = (sample @ sample.T)[np.triu_indices(len(sample), 1)]
    histogram, _ = np.histogram(np.clip(pairs, -1, 1), BINS)
    return np.sort(np.clip(nearest, -1, 1)).astype(np.float64), histogram
