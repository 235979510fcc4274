"""Exact scores: of every document, and of a shortlist."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vecsmith.cached import DropsCache
from vecsmith.codecs import BitQuantizer, Codec
from vecsmith.codecs.projection import projection
from vecsmith.codecs.stages import Codes, Floats, inner
from vecsmith.embeddings import UnitVectors, Vectors, normalize

Rows = NDArray[np.int64]
Scoring = Literal["symmetric", "asymmetric", "rescored"]
SCORINGS: tuple[Scoring, ...] = get_args(Scoring)

ROUNDING = 1e-6
"""Scores of the same document that were computed in different batches differ by less, times the query's length."""
BLOCK_FLOATS = 1 << 25
"""Floats that are gathered at a time for a shortlist: 128 MiB."""


class CodedVectors(DropsCache):
    """Vectors (n, d) that are kept as codes and decoded when they are read, as finer codes to reorder a shortlist with.

    Parameters
    ----------
    codec : Codec
        A fitted codec.
    codes : ndarray of shape (n, bytes_per_vector), uint8
        What it made of the vectors; memory-mapped or not.
    """

    def __init__(self, codec: Codec, codes: Codes) -> None:
        self.codec = codec
        self.codes = codes

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def shape(self) -> tuple[int, int]:
        """Vectors n and dimensions d."""
        return len(self.codes), self.codec.input_dimensions

    def __getitem__(self, rows: Rows) -> Floats:
        """Return the decoded vectors (m, d) of rows (m,)."""
        return self.codec.decode(self.codes[rows])

    def coordinates(self, rows: Rows) -> Floats:
        """Return vectors (m, k) whose inner products with projected queries are those with the decoded vectors."""
        read = self.codec.decode if self.codec.reducers else self.codec.quantizer.coordinates
        return read(self.codes[rows])

    def project(self, Q: Floats) -> Floats:
        """Return queries (n, k) for `coordinates`."""
        return Q if self.codec.reducers else self._projection(Q)

    @cached_property
    def _projection(self) -> Callable[[Floats], Floats]:
        return projection(self.codec.quantizer.project, self.codec.input_dimensions)


class CodedVectorsOfFolds:
    """Decoded vectors (n, d) of a corpus whose parts were encoded by different codecs, as in cross-fitting.

    Parameters
    ----------
    parts : sequence of CodedVectors
        The codes of each codec.
    rows : sequence of ndarray of shape (m,)
        The rows of each part in the corpus.
    """

    def __init__(self, parts: Sequence[CodedVectors], rows: Sequence[Rows]) -> None:
        self.parts = parts
        self.shape = sum(map(len, parts)), parts[0].shape[1]
        self._part, self._place = np.empty((2, self.shape[0]), np.int64)
        for number, here in enumerate(rows):
            self._part[here] = number
            self._place[here] = np.arange(len(here))

    def __getitem__(self, rows: Rows | slice) -> Floats:
        """Return the decoded vectors (m, d) of rows (m,)."""
        numbers, places = self._part[rows], self._place[rows]
        result = np.empty((len(places), self.shape[1]), np.float32)
        for number, part in enumerate(self.parts):
            here = numbers == number
            result[here] = part[places[here]]
        return result


Originals = Vectors | UnitVectors | CodedVectors | CodedVectorsOfFolds
"""What `rescored` reorders a shortlist with; rows of it are read as ``originals[rows]``."""


def read(originals: Originals, rows: Rows) -> Floats:
    """Return the vectors (m, k) that rows (m,) are scored with: unit vectors, or the coordinates of finer codes."""
    return originals.coordinates(rows) if isinstance(originals, CodedVectors) else normalize(originals[rows])


def asymmetric_scores(codec: Codec, Q: Floats, codes: Codes) -> Floats:
    """Return the inner products (n, m) of float queries (n, d) with decoded documents: the oracle of every scan."""
    return np.asarray(Q @ codec.decode(codes).T, dtype=np.float32)


def hamming_distances(a: Codes, b: Codes) -> NDArray[np.int32]:
    """Return how many bits differ between codes (n, bytes) and (m, bytes), as (n, m)."""
    ones_a, ones_b = (np.unpackbits(codes, axis=1).astype(np.float32) for codes in (a, b))
    distances = ones_a.sum(axis=1)[:, None] + ones_b.sum(axis=1)[None, :] - 2 * ones_a @ ones_b.T
    return np.asarray(distances, dtype=np.int32)


def score_shortlist(projected: Floats, rows: Rows, vectors_of: Callable[[Rows], Floats]) -> Floats:
    """Score each query against its own rows.

    Parameters
    ----------
    projected : ndarray of shape (n, d)
        Queries.
    rows : ndarray of shape (n, s)
        Documents of each query's shortlist; −1 where there is none.
    vectors_of : callable
        Returns the vectors (m, d) of rows (m,).

    Returns
    -------
    ndarray of shape (n, s)
        Inner products, −inf where there is no document.
    """
    scores = np.full(rows.shape, -np.inf, np.float32)
    step = max(1, BLOCK_FLOATS // (rows.shape[1] * projected.shape[1]))
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        vectors = vectors_of(np.maximum(block, 0).ravel()).reshape(*block.shape, -1)
        products = np.einsum("nsd,nd->ns", vectors, projected[start : start + step])
        scores[start : start + step] = np.where(block >= 0, products, -np.inf)
    return scores


def slack_of(Q: Floats) -> Floats:
    """Return what scores (n,) of queries (n, d) that should be equal may differ by."""
    return np.asarray(ROUNDING * np.sqrt(inner(Q, Q)), dtype=np.float32)


def order(
    scores: Floats, rows: Rows, rank: Rows | None, slack: Floats, content_of: Callable[[int], object]
) -> tuple[Floats, Rows]:
    """Sort the documents of every query by falling score, ties by rank.

    Documents of the same content tie: how their scores are rounded depends on the batch in which they were decoded, so
    those within the rounding are made equal first.

    Parameters
    ----------
    scores : ndarray of shape (n, k)
        The scores.
    rows : ndarray of shape (n, k)
        The documents.
    rank : ndarray of shape (documents,), optional
        The place of every document among equals; the row itself by default.
    slack : ndarray of shape (n,)
        What scores that should be equal may differ by.
    content_of : callable
        Returns what the score of a row follows from, such as its code.
    """

    def in_order(scores: Floats, rows: Rows) -> tuple[Floats, Rows]:
        places = np.lexsort((rows if rank is None else rank[rows], -scores), axis=1)
        return np.take_along_axis(scores, places, axis=1), np.take_along_axis(rows, places, axis=1)

    gaps = scores[:, :-1] - scores[:, 1:]
    if (gaps > slack[:, None]).all():
        return scores, rows
    if not (gaps > 0).all():
        scores, rows = in_order(scores, rows)
        gaps = scores[:, :-1] - scores[:, 1:]
    for query in np.flatnonzero(((gaps > 0) & (gaps <= slack[:, None])).any(axis=1)):
        line, best = scores[query].copy(), dict[object, Any]()
        runs = np.concatenate([[0], np.cumsum(gaps[query] > slack[query])])
        for place in np.flatnonzero(np.bincount(runs)[runs] > 1):
            line[place] = best.setdefault((runs[place], content_of(int(rows[query, place]))), line[place])
        scores[query], rows[query] = (found[0] for found in in_order(line[None], rows[None, query]))
    return scores, rows


def is_bit_code(codec: Codec) -> bool:
    """Whether the codec's codes are bits, which Hamming distance and the fast scan need."""
    return isinstance(codec.quantizer, BitQuantizer)
