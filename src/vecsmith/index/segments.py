"""What an index holds at one moment: segments of documents, which of them are deleted, and what they are called."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, compress, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecsmith.cached import DropsCache
from vecsmith.codecs.stages import BLOCK_ROWS, Codes, Floats
from vecsmith.embeddings import Rows as Names
from vecsmith.errors import VecsmithError
from vecsmith.index.exact import CodedVectors, Originals, Rows, read
from vecsmith.index.inverted_lists import LISTS, SAMPLE, ListNumbers, Lists, empty_lists, learn_centroids
from vecsmith.index.part import CodePartition, Mask


@dataclass(frozen=True)
class Segment(DropsCache):
    """Documents that came together: their codes, names, and what their scores are refined with."""

    parts: tuple[CodePartition, ...]
    names: Names
    originals: Originals | None

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def row_of(self) -> dict[str, int]:
        """The row, from 0 in this segment, of every id."""
        return {id_: row for row, id_ in enumerate(self.names.each("id"))}

    def followed_by(self, other: "Segment") -> "Segment":
        """Return one segment for two, each of one part, in memory."""
        (a,), (b,) = self.parts, other.parts
        rows = range(a.rows[0], a.rows[0] + len(self) + len(other))
        part = a.like(np.concatenate([a.codes, b.codes]), rows)
        originals: Originals | None = None
        if isinstance(self.originals, CodedVectors) and isinstance(other.originals, CodedVectors):
            finer = np.concatenate([self.originals.codes, other.originals.codes])
            originals = CodedVectors(self.originals.codec, finer)
        elif isinstance(self.originals, np.ndarray) and isinstance(other.originals, np.ndarray):
            originals = np.concatenate([self.originals, other.originals])
        return Segment((part,), Names(len(rows), [*self.names.ids, *other.names.ids]), originals)


@dataclass(frozen=True)
class Snapshot(DropsCache):
    """Segments, one after the other, and their deleted rows; it never changes.

    Attributes
    ----------
    segments : tuple of Segment
        What there was at first, and what was added.
    deleted : ndarray of shape (n,), bool, or None
        Rows that are not found any more.
    by_id : bool
        Whether ties break by falling id rather than by rising row.
    """

    segments: tuple[Segment, ...]
    deleted: Mask | None
    by_id: bool

    @cached_property
    def starts(self) -> list[int]:
        """The first row of every segment, and the number of all rows."""
        return list(accumulate(map(len, self.segments), initial=0))

    @property
    def total(self) -> int:
        """Rows, the deleted included."""
        return self.starts[-1]

    @cached_property
    def parts(self) -> list[CodePartition]:
        """The parts of all segments."""
        return [part for segment in self.segments for part in segment.parts]

    @cached_property
    def alive(self) -> Mask | None:
        """Which rows (n,) are not deleted; None where all are there."""
        return None if self.deleted is None else ~self.deleted

    @cached_property
    def count(self) -> int:
        """Rows that are not deleted."""
        return self.total if self.deleted is None else self.total - int(np.count_nonzero(self.deleted))

    @cached_property
    def rank(self) -> Rows | None:
        """The place (n,) of every row among equals; None where that is the row itself."""
        if not self.by_id:
            return None
        ids = [id_ for segment in self.segments for id_ in segment.names.each("id")]
        by_id = sorted(range(len(ids)), key=ids.__getitem__, reverse=True)
        return np.argsort(np.fromiter(by_id, np.int64))

    def vectors(self, rows: Rows) -> Floats:
        """Return the vectors (m, k) that scores of rows (m,) are refined with; those of codes in their coordinates."""
        if len(self.segments) == 1 and self.segments[0].originals is not None:
            return read(self.segments[0].originals, rows)
        numbers = np.searchsorted(self.starts, rows, side="right") - 1
        pieces = [(numbers == number, segment) for number, segment in enumerate(self.segments)]
        result: Floats | None = None
        for here, segment in pieces:
            if here.any() and segment.originals is not None:
                found = read(segment.originals, rows[here] - self.starts[numbers[here][0]])
                if result is None:
                    result = np.empty((len(rows), found.shape[1]), np.float32)
                result[here] = found
        if result is None:
            raise VecsmithError("Scoring 'rescored' reorders with the original vectors; give them as `originals`.")
        return result

    def code_of(self, row: int) -> object:
        """Return what the score of a row follows from: its code, or the row itself where there are several codecs."""
        segment, place = self._place_of(row)
        return segment.parts[0].codes[place].tobytes() if len(segment.parts) == 1 else row

    def original_of(self, row: int) -> bytes:
        """Return what the refined score of a row follows from: the bytes of its original, or their code."""
        segment, place = self._place_of(row)
        originals: Any = segment.originals
        codes = originals.codes if isinstance(originals, CodedVectors) else originals
        return np.asarray(codes[place : place + 1]).tobytes()

    def _place_of(self, row: int) -> tuple[Segment, int]:
        row = max(row, 0)  # −1 stands for no document, of which one place is as good as another
        number = bisect_right(self.starts, row) - 1
        return self.segments[number], row - self.starts[number]

    def mask(self, allowed: Iterable[Any] | NDArray[Any] | None) -> tuple[Mask | None, int]:
        """Return which rows (n,) may be found, None for all, and how many."""
        if allowed is None:
            return self.alive, self.count
        mask = np.zeros(self.total, np.bool_)
        mask[self.rows_of(allowed)] = True
        if self.deleted is not None:
            mask &= ~self.deleted
        return mask, int(np.count_nonzero(mask))

    def rows_of(self, names: Iterable[Any] | NDArray[Any]) -> Rows:
        """Return the rows of ids (m,), of row numbers (m,), or of a mask (n,).

        Raises
        ------
        VecsmithError
            If there is no such id or row.
        """
        if np.isscalar(names):
            names = [names]
        elif not isinstance(names, Sequence | np.ndarray):
            names = list(names)
        given = np.asarray(names)
        if given.dtype == np.bool_:
            if given.shape != (self.total,):
                raise VecsmithError(f"A mask must have {self.total} values, one a row, not shape {given.shape}.")
            return np.flatnonzero(given)
        if given.dtype.kind in "iu":
            beyond = given[(given < 0) | (given >= self.total)]
            if len(beyond):
                raise VecsmithError(f"There is no row {beyond[0]}; rows are from 0 to {self.total - 1}.")
            return given.astype(np.int64)
        return np.fromiter((self._row_of(str(name)) for name in names), np.int64, len(given))

    def _row_of(self, name: str) -> int:
        row = self.find(name)
        if row is None:
            raise VecsmithError(f"There is no id {name!r} in the index.")
        return row

    def find(self, name: str) -> int | None:
        """Return the row of an id, or None; of an id that was deleted and added again, the new one."""
        for start, segment in zip(reversed(self.starts[:-1]), reversed(self.segments), strict=True):
            if (row := segment.row_of.get(name)) is not None:
                return start + row
        return None

    def added(self, segment: Segment) -> "Snapshot":
        """Return the state with one more segment, which is joined with the latest ones where these are no larger."""
        segments = [*self.segments, segment]
        # so there are about as many segments as the number of additions has digits
        while len(segments) > 2 and len(segments[-2]) <= len(segments[-1]):
            segments[-2:] = [segments[-2].followed_by(segments[-1])]
        deleted = None if self.deleted is None else np.concatenate([self.deleted, np.zeros(len(segment), np.bool_)])
        return replace(self, segments=tuple(segments), deleted=deleted)

    def without(self, rows: Rows) -> "Snapshot":
        """Return the state without rows."""
        deleted = np.zeros(self.total, np.bool_) if self.deleted is None else self.deleted.copy()
        deleted[rows] = True
        return replace(self, deleted=deleted)

    def listed(self, n_lists: int | None, seed: int) -> "Snapshot":
        """Return the state with all documents in inverted lists, whose centroids are learned from a sample.

        Raises
        ------
        VecsmithError
            If there are fewer documents than lists, or FAISS has no lists for a codec's codes.
        """
        n_lists = round(LISTS * self.count**0.5) if n_lists is None else n_lists
        if not 1 <= n_lists <= self.count:
            raise VecsmithError(f"n_lists must be from 1 to {self.count}, the documents there are, not {n_lists}.")
        for part in self.parts:
            empty_lists(part.codec.quantizer.index(part.codes[:1]), n_lists)
        rng, pieces = np.random.default_rng(seed), []
        for part in self.parts:
            here, count = part.allowed(self.alive)
            places = np.arange(count) if here is None else np.flatnonzero(here)
            size = min(count, -(-SAMPLE * n_lists * count // self.count))
            chosen = np.sort(rng.choice(places, size, replace=False))
            pieces.append(part.codec.decode(part.codes[chosen]))
        centroids = learn_centroids(np.vstack(pieces), n_lists, seed)
        segments = []
        for segment in self.segments:
            parts = [part.listed(Lists.assign(centroids, part.codec, part.codes)) for part in segment.parts]
            segments.append(replace(segment, parts=tuple(parts)))
        return replace(self, segments=tuple(segments))

    @property
    def centroids(self) -> Floats | None:
        """The centroids (n_lists, d) of the inverted lists, where there are any; all parts in lists share them."""
        return next((part.lists.centroids for part in self.parts if part.lists), None)

    @cached_property
    def names(self) -> Names:
        """The ids and texts of all rows, the deleted included."""
        return KeptNames([segment.names for segment in self.segments])

    @property
    def kept(self) -> "KeptNames":
        """The ids and texts of the rows that are not deleted."""
        return KeptNames([segment.names for segment in self.segments], self.alive)

    def code_blocks(self) -> Iterator[Codes]:
        """Yield the codes of the rows that are not deleted, in order; every segment must have one part."""
        for start, segment in zip(self.starts, self.segments, strict=False):
            for block, places in self._blocks(start, len(segment)):
                yield segment.parts[0].codes[block][places]

    def list_blocks(self) -> Iterator[ListNumbers]:
        """Yield the lists likewise, of documents that are in none yet their nearest."""
        assert self.centroids is not None
        for start, segment in zip(self.starts, self.segments, strict=False):
            (part,) = segment.parts
            lists = part.lists or Lists.assign(self.centroids, part.codec, part.codes)
            for block, places in self._blocks(start, len(segment)):
                yield lists.numbers[block][places]

    def original_blocks(self) -> Iterator[NDArray[Any]]:
        """Yield the originals likewise, or their codes."""
        for start, segment in zip(self.starts, self.segments, strict=False):
            originals: Any = segment.originals
            for block, places in self._blocks(start, len(segment)):
                yield (originals.codes if isinstance(originals, CodedVectors) else originals)[block][places]

    def _blocks(self, start: int, count: int) -> Iterator[tuple[slice, Any]]:
        """Yield the blocks of a segment, and which of their rows are kept."""
        for first in range(0, count, BLOCK_ROWS):
            block = slice(first, min(first + BLOCK_ROWS, count))
            alive = self.alive
            yield block, slice(None) if alive is None else alive[start + block.start : start + block.stop]


class KeptNames(Names):
    """The ids and texts of several sets of rows, one after the other, of which some may be left out.

    Parameters
    ----------
    several : sequence of Rows
        The rows.
    kept : ndarray of shape (n,), bool, optional
        Which of them to keep.
    """

    def __init__(self, several: Sequence[Names], kept: Mask | None = None) -> None:
        self._blocks = [(rows, number) for rows in several for number in range(len(rows._starts) - 1)]
        sizes = [rows._starts[number + 1] - rows._starts[number] for rows, number in self._blocks]
        starts = list(accumulate(sizes, initial=0))
        self._masks = None if kept is None else [kept[a:b] for a, b in pairwise(starts)]
        self._starts = starts if self._masks is None else [0, *accumulate(int(mask.sum()) for mask in self._masks)]
        self.has_texts = any(rows.has_texts for rows in several)

    def _block(self, number: int, column: Any) -> Sequence[str]:
        rows, place = self._blocks[number]
        texts_missing = column == "text" and not rows.has_texts
        values = [""] * (rows._starts[place + 1] - rows._starts[place]) if texts_missing else rows._block(place, column)
        return values if self._masks is None else list(compress(values, self._masks[number]))
