"""Immutable snapshot of an index: segments, tombstones of deleted rows, and ids."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecsmith.array_types import Codes, Floats, RowMask, RowNumbers
from vecsmith.cached import DropsCache
from vecsmith.codecs.stages import CODE_BLOCK_ROWS
from vecsmith.embeddings import ConcatenatedRows, Rows
from vecsmith.errors import VecsmithError
from vecsmith.index.coded_vectors import Originals, read_coordinates, stored_array
from vecsmith.index.inverted_lists import InvertedLists, ListNumbers
from vecsmith.index.row_filter import MaskFilter, RowFilter, row_filter
from vecsmith.index.scanning import CodePartition
from vecsmith.index.segment import Segment, checked_rows


@dataclass(frozen=True)
class Snapshot(DropsCache):
    """State of an index at one moment; a change makes a new snapshot.

    Attributes
    ----------
    segments : tuple of Segment
        The initial documents, then the added ones, in the order of their row numbers.
    deleted : ndarray of shape (n,), bool, or None
        Tombstones: mask of the deleted rows; None if no row is deleted.
    ties_by_id : bool
        Whether ties break by falling id rather than by rising row number.
    """

    segments: tuple[Segment, ...]
    deleted: RowMask | None
    ties_by_id: bool

    @cached_property
    def starts(self) -> list[int]:
        """First row number of each segment, followed by the number of rows."""
        return list(accumulate(map(len, self.segments), initial=0))

    @property
    def total(self) -> int:
        """Number of rows, deleted rows included."""
        return self.starts[-1]

    @cached_property
    def partitions(self) -> list[CodePartition]:
        """Partitions of all segments."""
        return [partition for segment in self.segments for partition in segment.partitions]

    @cached_property
    def alive(self) -> RowMask | None:
        """Mask (n,) of the rows that are not deleted; None if no row is deleted."""
        return None if self.deleted is None else ~self.deleted

    @cached_property
    def count(self) -> int:
        """Number of rows that are not deleted."""
        return self.total if self.deleted is None else self.total - int(np.count_nonzero(self.deleted))

    @cached_property
    def rank(self) -> RowNumbers | None:
        """Position (n,) of each row among rows with equal scores; None where it is the row number."""
        if not self.ties_by_id:
            return None
        ids = [id_ for segment in self.segments for id_ in segment.rows.ids]
        by_id = sorted(range(len(ids)), key=ids.__getitem__, reverse=True)
        return np.argsort(np.fromiter(by_id, np.int64))

    def rank_of(self, rows: RowNumbers) -> RowNumbers:
        """Return the position of each row number among rows with equal scores; the first call sorts all ids."""
        return rows if self.rank is None else self.rank[rows]

    @property
    def centroids(self) -> Floats | None:
        """Centroids (n_lists, d) of the inverted lists, which all partitions share; None if there are no lists."""
        return next((partition.lists.centroids for partition in self.partitions if partition.lists), None)

    @cached_property
    def rows(self) -> Rows:
        """Ids and texts of all rows, deleted rows included."""
        return ConcatenatedRows([segment.rows for segment in self.segments])

    @property
    def live_rows(self) -> Rows:
        """Ids and texts of the rows that are not deleted."""
        return ConcatenatedRows([segment.rows for segment in self.segments], self.alive)

    def coordinates(self, rows: RowNumbers) -> Floats:
        """Return the vectors (m, k) that rescore row numbers (m,).

        Raises
        ------
        VecsmithError
            If the index has no original vectors.
        """
        if len(self.segments) == 1 and self.segments[0].originals is not None:
            return read_coordinates(self.segments[0].originals, rows)
        numbers = np.searchsorted(self.starts, rows, side="right") - 1
        coordinates: Floats | None = None
        for number, segment in enumerate(self.segments):
            inside = numbers == number
            if inside.any() and segment.originals is not None:
                read = read_coordinates(segment.originals, rows[inside] - self.starts[number])
                if coordinates is None:
                    coordinates = np.empty((len(rows), read.shape[1]), np.float32)
                coordinates[inside] = read
        if coordinates is None:
            raise VecsmithError("Scoring 'rescored' reorders with the original vectors; give them as `originals`.")
        return coordinates

    def code_of(self, row: int) -> object:
        """Return the content that determines the score of a row: its code, or the row itself with several codecs."""
        segment, place = self._place_of(row)
        return segment.partitions[0].codes[place].tobytes() if len(segment.partitions) == 1 else row

    def original_of(self, row: int) -> bytes:
        """Return the content that determines the rescored score of a row: its original vector or finer code."""
        segment, place = self._place_of(row)
        assert segment.originals is not None
        return np.asarray(stored_array(segment.originals)[place : place + 1]).tobytes()

    def _place_of(self, row: int) -> tuple[Segment, int]:
        row = max(row, 0)  # −1 marks an empty place, whose content does not matter
        number = bisect_right(self.starts, row) - 1
        return self.segments[number], row - self.starts[number]

    def filters(self, allowed: Iterable[Any] | NDArray[Any] | None) -> tuple[list[RowFilter | None], int]:
        """Return the filter of each partition for the rows that a search may return, and the number of these rows.

        A filter is None where all documents of the partition are allowed. See `rows_of` for the parameters and errors.
        """
        if allowed is None:
            return self.alive_filters, self.count
        rows = self.rows_of(allowed)
        if self.deleted is not None:
            rows = rows[~self.deleted[rows]]
        chosen = row_filter(rows, self.total)
        return [chosen.within(partition.rows) for partition in self.partitions], chosen.count

    @cached_property
    def alive_filters(self) -> list[RowFilter | None]:
        """Filter of each partition for the documents that are not deleted; None where none is deleted."""
        if self.alive is None:
            return [None] * len(self.partitions)
        alive = MaskFilter(self.alive)
        return [alive.within(partition.rows) for partition in self.partitions]

    def rows_of(self, documents: Iterable[Any] | NDArray[Any]) -> RowNumbers:
        """Return the row numbers (m,) of documents given as ids (m,), row numbers (m,) or a mask (n,).

        Raises
        ------
        VecsmithError
            If there is no such id or row.
        """
        if np.isscalar(documents):
            documents = [documents]
        elif not isinstance(documents, Sequence | np.ndarray):
            documents = list(documents)
        array = np.asarray(documents)
        if array.dtype == np.bool_:
            if array.shape != (self.total,):
                raise VecsmithError(f"A mask must have {self.total} values, one a row, not shape {array.shape}.")
            return np.flatnonzero(array)
        if array.dtype.kind in "iu":
            beyond = array[(array < 0) | (array >= self.total)]
            if len(beyond):
                raise VecsmithError(f"There is no row {beyond[0]}; rows are from 0 to {self.total - 1}.")
            return array.astype(np.int64)
        return np.fromiter((self._row_of(str(id_)) for id_ in documents), np.int64, len(array))

    def _row_of(self, id_: str) -> int:
        row = self.find(id_)
        if row is None:
            raise VecsmithError(f"There is no id {id_!r} in the index.")
        return row

    def find(self, id_: str) -> int | None:
        """Return the row number of an id, or None; for an id that was deleted and added again, the new row number."""
        for start, segment in zip(reversed(self.starts[:-1]), reversed(self.segments), strict=True):
            if (row := segment.row_of.get(id_)) is not None:
                return start + row
        return None

    def with_codes(
        self, codes: Codes, ids: Sequence[str] | None, originals: Originals | None, zero_rows: RowNumbers
    ) -> "Snapshot":
        """Return a snapshot with added documents.

        Parameters
        ----------
        codes : ndarray of shape (m, bytes_per_vector), uint8
            Codes of the documents.
        ids : sequence of str or None
            Their ids; None for row numbers.
        originals : Originals or None
            Their vectors or finer codes, if the snapshot has originals.
        zero_rows : ndarray of shape (z,), int64
            Positions of all-zero vectors among them, which a search never returns.

        Raises
        ------
        VecsmithError
            If an id is in the snapshot already or is not a string, or the number of ids is wrong.
        """
        start, stop = self.total, self.total + len(codes)
        if ids is None and self.ties_by_id:
            raise VecsmithError("The documents of the index have ids; give one for each that is added.")
        rows = checked_rows(len(codes), [str(row) for row in range(start, stop)] if ids is None else ids)
        if not len(rows):
            return self
        partition = self.partitions[0].with_codes(codes, range(start, stop))
        added = self.with_segment(Segment((partition,), rows, originals))
        return added.without_rows(start + zero_rows) if len(zero_rows) else added

    def with_segment(self, segment: Segment) -> "Snapshot":
        """Return a snapshot with one more segment, merged with the last added segments that are not larger.

        After n additions there are therefore about log n segments.

        Raises
        ------
        VecsmithError
            If the segment has an id of a row that is not deleted.
        """
        for id_ in segment.rows.ids:
            row = self.find(id_)
            if row is not None and (self.deleted is None or not self.deleted[row]):
                raise VecsmithError(f"The id {id_!r} is in the index already; delete it first.")
        segments = [*self.segments, segment]
        while len(segments) > 2 and len(segments[-2]) <= len(segments[-1]):
            segments[-2:] = [segments[-2].merged_with(segments[-1])]
        deleted = None if self.deleted is None else np.concatenate([self.deleted, np.zeros(len(segment), np.bool_)])
        return replace(self, segments=tuple(segments), deleted=deleted)

    def without_rows(self, rows: RowNumbers) -> "Snapshot":
        """Return a snapshot in which rows (m,) are deleted."""
        deleted = np.zeros(self.total, np.bool_) if self.deleted is None else self.deleted.copy()
        deleted[rows] = True
        return replace(self, deleted=deleted)

    def code_blocks(self) -> Iterator[Codes]:
        """Yield the codes of the rows that are not deleted, in order; each segment must have one partition."""
        for number, segment in enumerate(self.segments):
            for block, alive in self._blocks(number):
                yield segment.partitions[0].codes[block][alive]

    def list_blocks(self) -> Iterator[ListNumbers]:
        """Yield the list numbers of the rows that are not deleted; rows outside the lists get their nearest list."""
        assert self.centroids is not None
        for number, segment in enumerate(self.segments):
            (partition,) = segment.partitions
            lists = partition.lists or InvertedLists.assign(self.centroids, partition.codec, partition.codes)
            for block, alive in self._blocks(number):
                yield lists.numbers[block][alive]

    def original_blocks(self) -> Iterator[NDArray[Any]]:
        """Yield the originals, or their codes, of the rows that are not deleted."""
        for number, segment in enumerate(self.segments):
            assert segment.originals is not None
            for block, alive in self._blocks(number):
                yield np.asarray(stored_array(segment.originals)[block])[alive]

    def _blocks(self, number: int) -> Iterator[tuple[slice, Any]]:
        """Yield the blocks of a segment: their rows in the segment, and the mask of those that are not deleted."""
        start, count, alive = self.starts[number], len(self.segments[number]), self.alive
        for first in range(0, count, CODE_BLOCK_ROWS):
            block = slice(first, min(first + CODE_BLOCK_ROWS, count))
            yield block, slice(None) if alive is None else alive[start + block.start : start + block.stop]
