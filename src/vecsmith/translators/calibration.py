"""A model's own vectors among translated ones: brought to the scores that translations have."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vecsmith.embeddings import cross_products, normalize, sample_rows
from vecsmith.translators.base import Floats

QUERIES, NEAREST = 1000, 10
"""Vectors that are taken for queries, and how many of the best scores of each are looked at."""


@dataclass(frozen=True)
class ScoreCalibration:
    """y ↦ r (y − ⟨y, u⟩ u) + √(1 − r²) u, normalised: unit vectors that score r times as high with most queries.

    What a translation gets wrong lowers a document's best scores, so that among translated documents those that the
    model did embed are found first, right or wrong. Turned toward the direction u that vectors of the model hardly
    have, they keep their order and lose what they are ahead.

    Attributes
    ----------
    ratio : float
        r, at most 1.
    direction : ndarray of shape (d,), float32
        u, the direction of the smallest second moment.
    """

    ratio: float
    direction: Floats

    @classmethod
    def fit(cls, own: Floats, translated: Floats, seed: int = 0) -> Self:
        """Compare the scores of documents' own vectors with those of their translations, documents being the queries.

        r lies halfway between two ratios, translated over own: that of the scores of the best documents, some of which
        are there by error, which is right where most are the model's own; and that of the scores of the documents that
        are truly the best, which is right where few are (docs/studies/migration.md).

        Parameters
        ----------
        own, translated : ndarray of shape (n, d), float32
            Unit vectors of the same n documents: of the model, and of a translator that has not seen them.
        seed : int
            Draws the queries.
        """
        queries = sample_rows(len(own), QUERIES, seed)
        k = min(NEAREST, len(own) - 1)
        true, found = (_scores(own[queries], D, queries) for D in (own, translated))
        nearest = np.argpartition(-true, k - 1, axis=1)[:, :k]
        height = float(np.take_along_axis(true, nearest, axis=1).mean())
        ratios = [
            float(scores.mean()) / height if height > 0 else 1.0
            for scores in (-np.partition(-found, k - 1, axis=1)[:, :k], np.take_along_axis(found, nearest, axis=1))
        ]
        _, directions = np.linalg.eigh(cross_products(own, own))
        return cls(float(np.clip(ratios, 0, 1).mean()), directions[:, 0].astype(np.float32))

    def transform(self, own: Floats) -> Floats:
        """Return unit vectors (n, d) of the model at the level of translated ones."""
        across = own - np.outer(own @ self.direction, self.direction)
        turned: NDArray[np.float32] = normalize(self.ratio * across + (1 - self.ratio**2) ** 0.5 * self.direction)
        return turned


def _scores(Q: Floats, D: Floats, itself: NDArray[np.int64]) -> Floats:
    """Return the scores (m, n) of queries that are documents, their own out of reach."""
    scores: Floats = Q @ D.T
    scores[np.arange(len(Q)), itself] = -1
    return scores
