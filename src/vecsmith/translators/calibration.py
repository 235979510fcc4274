"""Calibrate native vectors so that they score like translated ones."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vecsmith.embeddings import cross_products, normalize, sample_rows
from vecsmith.translators.base import Floats

PSEUDO_QUERIES = 1000
"""Maximum number of documents used as queries."""
TOP_SCORES = 10
"""Highest scores per query that are compared."""


@dataclass(frozen=True)
class ScoreCalibration:
    """Map native vectors y to the normalized r (y − ⟨y, u⟩ u) + √(1 − r²) u, which score about r times as high.

    Native vectors are embedded by the target model itself. Translation errors lower the scores of translated documents,
    so that native documents rank first in a mixed index, relevant or not. The calibration rotates native vectors toward
    a direction u in which the model's vectors have almost no component. This lowers their scores by the same factor and
    keeps their order.

    Attributes
    ----------
    ratio : float
        r, from 0 to 1.
    direction : ndarray of shape (d,), float32
        u, the unit eigenvector of the smallest second moment of the native vectors.
    """

    ratio: float
    direction: Floats

    @classmethod
    def fit(cls, native: Floats, translated: Floats, seed: int = 0) -> Self:
        """Estimate r from the scores of native and translated vectors of the same documents.

        A sample of the documents serves as queries, with their native vectors. r is the mean of two ratios of
        translated to native scores. The first compares the highest scores in each set; it is exact where most documents
        of an index are native. The second compares the scores of the true nearest documents; it is exact where few are
        native (docs/studies/migration.md).

        Parameters
        ----------
        native, translated : ndarray of shape (n, d), float32
            Unit vectors of the same n documents, by the target model and by a translator that was not fitted on them.
        seed : int
            Seed of the sample.

        Returns
        -------
        ScoreCalibration
            The calibration.
        """
        queries = sample_rows(len(native), PSEUDO_QUERIES, seed)
        k = min(TOP_SCORES, len(native) - 1)
        native_scores, scores = (_scores(native[queries], D, queries) for D in (native, translated))
        nearest = np.argpartition(-native_scores, k - 1, axis=1)[:, :k]
        reference = float(np.take_along_axis(native_scores, nearest, axis=1).mean())
        highest, of_nearest = -np.partition(-scores, k - 1, axis=1)[:, :k], np.take_along_axis(scores, nearest, axis=1)
        ratios = [float(each.mean()) / reference if reference > 0 else 1.0 for each in (highest, of_nearest)]
        _, directions = np.linalg.eigh(cross_products(native, native))
        return cls(float(np.clip(ratios, 0, 1).mean()), directions[:, 0].astype(np.float32))

    def transform(self, native: Floats) -> Floats:
        """Return calibrated unit vectors (n, d) for native unit vectors (n, d)."""
        orthogonal = native - np.outer(native @ self.direction, self.direction)
        return normalize(self.ratio * orthogonal + (1 - self.ratio**2) ** 0.5 * self.direction)


def _scores(Q: Floats, D: Floats, own_rows: NDArray[np.int64]) -> Floats:
    """Return the scores (m, n) of queries taken from the documents; the score of a query's own document is −1."""
    scores: Floats = Q @ D.T
    scores[np.arange(len(Q)), own_rows] = -1
    return scores
