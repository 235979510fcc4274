"""Vectors that are stored as codes and decoded when they are read; the originals of a search."""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from vecsmith.array_types import Codes, Floats, RowNumbers, Vectors
from vecsmith.cached import DropsCache
from vecsmith.codecs import Codec
from vecsmith.codecs.projection import projection
from vecsmith.embeddings import UnitVectors, normalize


class CodedVectors(DropsCache):
    """Vectors (n, d) stored as codes, from which a search rescores its shortlist.

    Parameters
    ----------
    codec : Codec
        A fitted codec.
    codes : ndarray of shape (n, bytes_per_vector), uint8
        Codes of the vectors; may be memory-mapped.
    """

    def __init__(self, codec: Codec, codes: Codes) -> None:
        self.codec = codec
        self.codes = codes

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of vectors n and dimensions d."""
        return len(self.codes), self.codec.input_dimensions

    def __getitem__(self, rows: RowNumbers) -> Floats:
        """Return the decoded vectors (m, d), float32, of row numbers (m,)."""
        return self.codec.decode(self.codes[rows])

    def coordinates(self, rows: RowNumbers) -> Floats:
        """Return vectors (m, k) whose inner products with projected queries equal those of the decoded vectors."""
        read = self.codec.decode if self.codec.reducers else self.codec.quantizer.coordinates
        return read(self.codes[rows])

    def project(self, Q: Floats) -> Floats:
        """Project queries (n, d) into the space of `coordinates` (n, k)."""
        return Q if self.codec.reducers else self._projection(Q)

    @cached_property
    def _projection(self) -> Callable[[Floats], Floats]:
        return projection(self.codec.quantizer.project, self.codec.input_dimensions)


class FoldedCodedVectors:
    """Vectors (n, d) of a corpus whose folds were encoded by different codecs, as in cross-fitting.

    Parameters
    ----------
    folds : sequence of CodedVectors
        The coded vectors of each fold.
    rows : sequence of ndarray of shape (m,), int64
        Row numbers in the corpus of the vectors of each fold.
    """

    def __init__(self, folds: Sequence[CodedVectors], rows: Sequence[RowNumbers]) -> None:
        self.folds = folds
        self.shape = sum(map(len, folds)), folds[0].shape[1]
        self._fold_of, self._place_of = np.empty((2, self.shape[0]), np.int64)
        for number, fold_rows in enumerate(rows):
            self._fold_of[fold_rows] = number
            self._place_of[fold_rows] = np.arange(len(fold_rows))

    def __getitem__(self, rows: RowNumbers | slice) -> Floats:
        """Return the decoded vectors (m, d), float32, of row numbers (m,)."""
        numbers, places = self._fold_of[rows], self._place_of[rows]
        decoded = np.empty((len(places), self.shape[1]), np.float32)
        for number, fold in enumerate(self.folds):
            in_fold = numbers == number
            decoded[in_fold] = fold[places[in_fold]]
        return decoded


Originals = Vectors | UnitVectors | CodedVectors | FoldedCodedVectors
"""Vectors, or finer codes, that scoring ``rescored`` reorders a shortlist with; read as ``originals[rows]``."""


def project_to_coordinates(originals: Originals | None, Q: Floats) -> Floats:
    """Project queries (n, d) into the space of `read_coordinates` (n, k)."""
    return originals.project(Q) if isinstance(originals, CodedVectors) else Q


def read_coordinates(originals: Originals, rows: RowNumbers) -> Floats:
    """Return the vectors (m, k) that rescore row numbers (m,): unit vectors, or the coordinates of finer codes."""
    return originals.coordinates(rows) if isinstance(originals, CodedVectors) else normalize(originals[rows])


def stored_array(originals: Originals) -> Vectors | UnitVectors | FoldedCodedVectors | Codes:
    """Return the array that is stored for original vectors: the vectors themselves, or their codes."""
    return originals.codes if isinstance(originals, CodedVectors) else originals


def as_originals(X: UnitVectors, originals: Originals | None) -> Originals | None:
    """Return unit vectors (n, d) in the form of existing originals: the same dtype, or codes of the same codec."""
    if isinstance(originals, CodedVectors):
        return CodedVectors(originals.codec, originals.codec.encode(X))
    return None if originals is None else X[:].astype(getattr(originals, "dtype", np.float32))
