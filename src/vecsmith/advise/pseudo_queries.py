"""Documents that serve as queries, so that the retention of a codec is estimated without judgements."""

from collections.abc import Sequence

import numpy as np

from vecsmith.array_types import Doubles, Floats, RowNumbers
from vecsmith.embeddings import UnitVectors, sample_rows
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.expected_gain import NDCG_DEPTH, ExpectedGain
from vecsmith.evaluation.folds import Encoded, encode_corpus
from vecsmith.index import Index, Scoring

MAX_DOCUMENTS = 50_000
"""Maximum vectors that candidates are fitted and tested on."""
MAX_PSEUDO_QUERIES = 1000
"""Maximum number of documents used as queries."""


class PseudoQueries:
    """Documents that serve as queries; `ExpectedGain` estimates the quality of their rankings.

    Parameters
    ----------
    vectors : UnitVectors or ndarray of shape (n, d), float32
        Unit vectors of the documents. Of more than `MAX_DOCUMENTS`, only a sample is read.
    seed : int
        Seed of the sample and of the choice of queries.
    depth : int
        Documents per ranking; more than ten are needed only for the retention among a share of the documents.

    Attributes
    ----------
    documents : ndarray of shape (min(n, MAX_DOCUMENTS), d), float32
        The sample of documents.

    Raises
    ------
    VecsmithError
        If there are too few documents.
    """

    def __init__(self, vectors: UnitVectors | Floats, seed: int = 0, depth: int = NDCG_DEPTH) -> None:
        rng = np.random.default_rng(seed)
        self.documents = vectors[sample_rows(len(vectors), MAX_DOCUMENTS, rng)]
        # empty texts have a zero vector, which cannot rank documents
        nonzero = np.flatnonzero(self.documents.any(axis=1))
        if len(nonzero) < 4 * NDCG_DEPTH:
            raise VecsmithError(f"{len(nonzero)} vectors are too few to predict from; give at least {4 * NDCG_DEPTH}.")
        self._rows = nonzero[sample_rows(len(nonzero), MAX_PSEUDO_QUERIES, rng)]
        self._depth = min(depth, len(self.documents) - 1)
        self._float_scores = self.documents[self._rows] @ self.documents.T
        self._gain = ExpectedGain(self._scores(encode_corpus("float32", self.documents, seed=seed)))

    def losses(self, encoded: Encoded, scoring: Scoring = "asymmetric", shares: Sequence[float] = (1.0,)) -> Doubles:
        """Return each query's loss of nDCG@10 relative to float32 when codes replace the documents.

        Parameters
        ----------
        encoded : Encoded
            The codes of the documents.
        scoring : {"asymmetric", "symmetric"}
            How queries are scored against codes.
        shares : sequence of float
            Shares of the documents that compete with the relevant ones.

        Returns
        -------
        ndarray of shape (n_shares, n_queries), float64
        """
        scores = self._scores(encoded, scoring)
        return 1 - np.stack([self._gain.retention(scores, share) for share in shares])

    def _scores(self, encoded: Encoded, scoring: Scoring = "asymmetric") -> Floats:
        """Return the float scores (n_queries, depth) of the documents ranked by codes, without the query itself."""
        X, rows = self.documents, self._rows
        _, ranked = Index.from_partitions(encoded.parts, scoring).search(X[rows], self._depth + 1)
        return np.take_along_axis(self._float_scores, without_own(ranked, rows), axis=1)


def without_own(ranked: RowNumbers, queries: RowNumbers) -> RowNumbers:
    """Remove each pseudo-query's own document from its ranking, or the last document if the own one is not in it.

    Parameters
    ----------
    ranked : ndarray of shape (n_queries, k + 1), int64
        Row numbers of the ranked documents, best first.
    queries : ndarray of shape (n_queries,), int64
        Row numbers of the documents that serve as queries.

    Returns
    -------
    ndarray of shape (n_queries, k), int64
        Row numbers of the other documents, best first.
    """
    own = ranked == queries[:, None]
    own[~own.any(axis=1), -1] = True
    return np.asarray(ranked[~own].reshape(len(queries), ranked.shape[1] - 1))
