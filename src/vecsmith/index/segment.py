"""Segments: documents that were added to an index together."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from vecsmith.array_types import RowNumbers
from vecsmith.cached import DropsCache
from vecsmith.codecs.stages import CODE_BLOCK_ROWS
from vecsmith.embeddings import Rows, UnitVectors, warn_of_zero_rows
from vecsmith.errors import VecsmithError
from vecsmith.index.coded_vectors import CodedVectors, Originals
from vecsmith.index.scanning import CodePartition


@dataclass(frozen=True)
class Segment(DropsCache):
    """Documents that were added together.

    Attributes
    ----------
    partitions : tuple of CodePartition
        Codes of the documents; one partition per codec.
    rows : Rows
        Ids and texts.
    originals : Originals or None
        Vectors or finer codes that rescore a shortlist.
    """

    partitions: tuple[CodePartition, ...]
    rows: Rows
    originals: Originals | None

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def checked(
        cls, partitions: Sequence[CodePartition], ids: Sequence[str] | None, originals: Originals | None
    ) -> Self:
        """Make a segment from codes, ids and originals that fit each other.

        Raises
        ------
        VecsmithError
            If the codes are not the codec's, the originals have another shape than the encoded vectors, there is not
            one id per code, or an id is not a string or occurs twice.
        """
        count = 0
        for partition in partitions:
            partition.codec.check_codes(partition.codes)
            count += len(partition.codes)
        expected = count, partitions[0].codec.input_dimensions
        if originals is not None and originals.shape != expected:
            raise VecsmithError(
                f"The originals have shape {originals.shape}, but the codes stand for vectors of shape {expected}; "
                "give the vectors that were encoded."
            )
        return cls(tuple(partitions), checked_rows(count, ids), originals)

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Row number of each id, counted from 0 in this segment."""
        return {id_: row for row, id_ in enumerate(self.rows.ids)}

    def merged_with(self, other: "Segment") -> "Segment":
        """Return one segment in memory for two segments of one partition each."""
        (a,), (b,) = self.partitions, other.partitions
        rows = range(a.rows[0], a.rows[0] + len(self) + len(other))
        partition = a.with_codes(np.concatenate([a.codes, b.codes]), rows)
        originals: Originals | None = None
        if isinstance(self.originals, CodedVectors) and isinstance(other.originals, CodedVectors):
            codes = np.concatenate([self.originals.codes, other.originals.codes])
            originals = CodedVectors(self.originals.codec, codes)
        elif isinstance(self.originals, np.ndarray) and isinstance(other.originals, np.ndarray):
            originals = np.concatenate([self.originals, other.originals])
        return Segment((partition,), Rows(len(rows), [*self.rows.ids, *other.rows.ids]), originals)


def checked_rows(count: int, ids: Sequence[str] | None) -> Rows:
    """Return rows with the given ids, or with row numbers as ids.

    Raises
    ------
    VecsmithError
        If the number of ids is not `count`, or an id is not a string or occurs twice.
    """
    if ids is None:
        return Rows(count)
    if len(ids) != count:
        raise VecsmithError(f"There are {count} vectors but {len(ids)} ids; there must be one each.")
    rows = Rows(count, ids)
    rows.check("The list of ids")
    return rows


def find_zero_rows(X: UnitVectors) -> RowNumbers:
    """Return the row numbers of all-zero vectors, and warn of them."""
    starts = range(0, len(X), CODE_BLOCK_ROWS)
    blocks = [start + np.flatnonzero(~X[start : start + CODE_BLOCK_ROWS].any(axis=1)) for start in starts]
    zero_rows = np.concatenate([np.empty(0, np.int64), *blocks])
    warn_of_zero_rows(zero_rows, len(X), "The array of vectors")
    return zero_rows
