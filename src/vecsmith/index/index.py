"""`Index`: codes, the codec that made them, and a FAISS scan."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from operator import index as whole
from pathlib import Path
from threading import Lock
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from vecsmith.codecs import Codec
from vecsmith.codecs.checks import refuse_infinite
from vecsmith.codecs.stages import BLOCK_ROWS, Codes, Floats
from vecsmith.embeddings import MultiModelVectors, Provenance, UnitVectors, VectorsLike, warn_of_zero_rows
from vecsmith.embeddings import Rows as Names
from vecsmith.errors import VecsmithError, unknown
from vecsmith.index.code_set import CodeSet, write_codes
from vecsmith.index.exact import SCORINGS, CodedVectors, Originals, Rows, Scoring
from vecsmith.index.part import CodePartition
from vecsmith.index.ranking import SHORTLIST, best, rescore
from vecsmith.index.segments import Segment, Snapshot
from vecsmith.index.two_stages import first_stage, is_first_stage_of, split_stages


class Index:
    """Searches codes.

    Vectors are compared by cosine: queries and documents of any length are scaled to unit length first. Scores are
    ⟨q, decode(code)⟩ for ``asymmetric``, the same with the query encoded and decoded for ``symmetric`` (for codes of
    bits: minus the Hamming distance), and ⟨q, d⟩ with the original vectors for the first documents of ``rescored``.
    Codes of two quantizers, such as hybrid24B+trellis24B, need no original vectors for that: the first quantizer's are
    scanned, and the whole codes reorder.

    Many threads may search while another adds, deletes or saves: a search goes on with what was there when it began.
    A single query runs on one core, a batch on as many as ``faiss.omp_set_num_threads`` says.

    Parameters
    ----------
    codec : Codec
        A fitted codec.
    codes : ndarray of shape (n, bytes_per_vector), uint8; or array-like of shape (n, d), or EmbeddingSet
        The documents' codes, memory-mapped or not, or their float vectors, which are encoded. All-zero vectors are
        never found; codes do not show which these are.
    scoring : {"symmetric", "asymmetric", "rescored"}
        How a query is scored against a code.
    originals : ndarray of shape (n, d) or CodedVectors, optional
        The documents' float vectors, memory-mapped or not, or finer codes of them; needed by ``rescored``, unless the
        codes are of two quantizers, or `codes` are vectors. Only the shortlist is read.
    ids : sequence of str, optional
        Document ids, all different; ties break by falling id, as in trec_eval. Without them, ids are row numbers, and
        ties break by rising row.

    Raises
    ------
    VecsmithError
        If `scoring` is unknown, or is ``rescored`` without `originals` that it needs; the codes are not the codec's,
        there is not one original and one id for each, or an id is not a string or occurs twice.

    Examples
    --------
    >>> import numpy as np, vecsmith
    >>> X = np.random.default_rng(0).standard_normal((1000, 64)).astype("float32")
    >>> codec = vecsmith.codec("binary").fit(X)
    >>> index = vecsmith.Index(codec, X)
    >>> scores, rows = index.search(X[:3], k=5)
    >>> rows[:, 0]
    array([0, 1, 2])
    >>> index.delete([0])
    >>> index.search(X[:3], k=5, allowed=range(10))[1][:, 0]
    array([9, 1, 2])
    """

    def __init__(
        self,
        codec: Codec,
        codes: Codes | VectorsLike | MultiModelVectors,
        scoring: Scoring = "asymmetric",
        originals: Originals | None = None,
        ids: Sequence[str] | None = None,
    ) -> None:
        zero_rows = None
        if getattr(codes, "dtype", None) != np.uint8:
            X = codec.unit(cast("VectorsLike", codes))
            codes, zero_rows = codec.encode(X), _zero_rows(X)
            if scoring == "rescored" and originals is None and first_stage(codec) is None:
                originals = X
        codes = cast("Codes", codes)
        self._set_up([CodePartition(codec, codes, range(len(codes)))], scoring, originals, ids, zero_rows)

    def __repr__(self) -> str:
        codec = self.parts[0].codec
        return f"Index({len(self)} codes of {codec.bytes_per_vector} bytes, {codec.spec!r}, {self.scoring})"

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_changing"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _changing=Lock())

    @classmethod
    def of_parts(
        cls,
        parts: Sequence[CodePartition],
        scoring: Scoring = "asymmetric",
        originals: Originals | None = None,
        ids: Sequence[str] | None = None,
        zero_rows: Rows | None = None,
    ) -> Self:
        """Make an index over documents that several codecs encoded, as cross-fitting does; their scores are merged.

        Parameters
        ----------
        parts : sequence of CodePartition
            The codes of each codec.
        scoring, originals, ids
            As of `Index`.
        zero_rows : ndarray of shape (m,), int64, optional
            Rows of all-zero vectors, which are never found.
        """
        index = cls.__new__(cls)
        index._set_up(list(parts), scoring, originals, ids, zero_rows)
        return index

    @classmethod
    def load(cls, path: str | Path, mmap: bool = True) -> Self:
        """Open what `save` or ``vecsmith encode`` wrote; ties break by rising row.

        Parameters
        ----------
        path : str or Path
            The folder.
        mmap : bool
            Leave codes, ids and originals on disk and read what a search needs, which takes milliseconds; if not, read
            the codes and check every file's hash. Either way the fast scan of 4-bit groups is laid out in memory by
            the first search.

        Raises
        ------
        VecsmithError
            As `CodeSet.open`.
        """
        stored = CodeSet.open(path, trusting=mmap)
        codes = stored.codes if mmap else np.array(stored.codes)
        part = CodePartition(stored.codec, codes, range(len(codes)), stored.scales, stored.lists)
        index = cls.of_parts([part], stored.scoring, stored.originals, zero_rows=stored.zero_rows)
        (segment,) = index._state.segments
        index._state = replace(index._state, segments=(replace(segment, names=stored.rows),))
        index.provenance = stored.provenance
        return index

    def _set_up(
        self,
        parts: list[CodePartition],
        scoring: Scoring,
        originals: Originals | None,
        ids: Sequence[str] | None,
        zero_rows: Rows | None,
    ) -> None:
        if scoring not in SCORINGS:
            raise unknown("scoring", scoring, SCORINGS)
        if scoring == "rescored" and originals is None:
            parts, originals = split_stages(parts)
        count = 0
        for part in parts:
            part.codec.check_codes(part.codes)
            count += len(part.codes)
        expected = count, parts[0].codec.input_dimensions
        if originals is not None and originals.shape != expected:
            raise VecsmithError(
                f"The originals have shape {originals.shape}, but the codes stand for vectors of shape {expected}; "
                "give the vectors that were encoded."
            )
        names = _names(count, ids)
        self.scoring = scoring
        self.provenance = Provenance()
        self._state = Snapshot((Segment(tuple(parts), names, originals),), None, ids is not None)
        if zero_rows is not None and len(zero_rows):
            self._state = self._state.without(zero_rows)
        self._changing = Lock()

    def __len__(self) -> int:
        return self._state.count

    @property
    def parts(self) -> list[CodePartition]:
        """Codes that are scanned one after the other."""
        return self._state.parts

    @property
    def originals(self) -> Originals | None:
        """What ``rescored`` reorders with, of the documents that were there at first."""
        return self._state.segments[0].originals

    @property
    def rows(self) -> Names:
        """The ids and texts of every row that a search may return, and of those deleted."""
        return self._state.names

    def search(
        self,
        Q: VectorsLike | MultiModelVectors,
        k: int = 10,
        allowed: Iterable[Any] | NDArray[Any] | None = None,
        probes: int | None = None,
    ) -> tuple[Floats, Rows]:
        """Return the scores (n, k), float32, and rows (n, k), int64, of the best documents of queries (n, d).

        There are fewer columns where there are fewer documents. Ties break by id, also at the cut. Where an index of
        ``faiss:FACTORY`` finds fewer than there are, as its own lists do, the rest is scored −∞, in row −1.

        Parameters
        ----------
        Q : array-like of shape (n, d), or EmbeddingSet
            Float queries.
        k : int
            Documents a query.
        allowed : set or sequence of str, of int, or ndarray of shape (rows,), bool, optional
            Ids, row numbers, or a mask of the documents that may be found.
        probes : int, optional
            How many of the inverted lists nearest to a query are scanned (see `build_lists`), in which not all of the
            best documents may be; where they have fewer than `k`, the rest is scored −∞, in row −1. All documents are
            scanned by default.

        Raises
        ------
        VecsmithError
            If `k` is not positive, the queries are not floats, have other dimensions than the codec's or a value that
            is not finite, an id is unknown, or there are no lists to probe.
        """
        k, probes = whole(k), None if probes is None else whole(probes)
        if k < 1:
            raise VecsmithError(f"k must be at least 1, not {k}.")
        if probes is not None and probes < 1:
            raise VecsmithError(f"probes must be at least 1, not {probes}.")
        if probes is not None and self._state.centroids is None:
            raise VecsmithError("There are no inverted lists to probe; make them by build_lists, or leave out probes.")
        state = self._state
        unit = state.parts[0].codec.unit(Q, "the queries")
        state.parts[0].codec.check_dimensions(unit)
        Q = unit[:]
        refuse_infinite(Q, np.arange(len(Q)), "queries")
        mask, count = state.mask(allowed)
        wanted = min(max(k, SHORTLIST) if self.scoring == "rescored" else k, count)
        if not wanted or not len(Q):
            return np.empty((len(Q), min(k, count)), np.float32), np.empty((len(Q), min(k, count)), np.int64)
        scores, rows = best(
            state, Q, wanted, "symmetric" if self.scoring == "symmetric" else "asymmetric", mask, probes
        )
        if self.scoring == "rescored":
            scores, rows = rescore(state, Q, scores, rows)
        return scores[:, :k], rows[:, :k]

    def recall(self, Q: VectorsLike, k: int = 10, probes: int = 16) -> float:
        """Return the share of the best `k` documents of queries (n, d) that are among those found by `probes` lists.

        Raises
        ------
        VecsmithError
            As `search`.
        """
        whole, probed = self.search(Q, k)[1], self.search(Q, k, probes=probes)[1]
        return float(np.mean([np.isin(a, b).mean() for a, b in zip(whole, probed, strict=True)]))

    def build_lists(self, n_lists: int | None = None, seed: int = 0) -> None:
        """Group all documents into inverted lists, of which a search may probe the nearest few.

        The lists are those of spherical k-means, learned from decoded vectors. What is added later is in none of them
        and always scanned; `save` puts it into the nearest. Changes wait meanwhile, searches do not.

        Parameters
        ----------
        n_lists : int, optional
            Lists; the square root of the number of documents by default.
        seed : int
            Seeds the sample and k-means.

        Raises
        ------
        VecsmithError
            If there are fewer documents than lists, or FAISS has no lists for the codec's codes.
        """
        with self._changing:
            self._state = self._state.listed(None if n_lists is None else whole(n_lists), seed)

    def add(self, X: VectorsLike | MultiModelVectors, ids: Sequence[str] | None = None) -> None:
        """Add vectors (n, d) as the last rows.

        Parameters
        ----------
        X : array-like of shape (n, d), or EmbeddingSet
            Float vectors; ``rescored`` keeps them too, at unit length. All-zero ones are never found.
        ids : sequence of str
            Their ids, different from all that are there; may be left out where ids are row numbers.

        Raises
        ------
        VecsmithError
            If the vectors are not floats, such as codes, an id is there already or is not a string, the ids are missing
            or too many, or the index is of several codecs.
        """
        codec = self._codec
        X = codec.unit(X)
        codes, originals, zero_rows = codec.encode(X), self.originals, _zero_rows(X)
        if isinstance(originals, CodedVectors):
            originals = CodedVectors(originals.codec, originals.codec.encode(X))
        elif originals is not None:
            originals = X[:].astype(getattr(originals, "dtype", np.float32))
        with self._changing:
            state = self._state
            if ids is None and state.by_id:
                raise VecsmithError("The documents of the index have ids; give one for each that is added.")
            if ids is None:
                ids = [str(row) for row in range(state.total, state.total + len(codes))]
            names = _names(len(codes), ids)
            if not ids:
                return
            for id_ in ids:
                row = state.find(id_)
                if row is not None and (state.deleted is None or not state.deleted[row]):
                    raise VecsmithError(f"The id {id_!r} is in the index already; delete it first.")
            part = state.parts[0].like(codes, range(state.total, state.total + len(codes)))
            added = state.added(Segment((part,), names, originals))
            self._state = added.without(state.total + zero_rows) if len(zero_rows) else added

    def delete(self, ids: Iterable[Any] | NDArray[Any]) -> None:
        """Delete documents, given as ids, row numbers or a mask; the rows of the others stay what they are.

        Raises
        ------
        VecsmithError
            If there is no such document.
        """
        with self._changing:
            self._state = self._state.without(self._state.rows_of(ids))

    def save(self, path: str | Path, force: bool = False) -> None:
        """Write a folder for `load`, whole or not at all, without what is deleted: the rows are numbered anew there.

        This index goes on as it is; who searches the folder's former content goes on too.

        Parameters
        ----------
        path : str or Path
            The folder; codes that it holds are replaced.
        force : bool
            Replace whatever the folder holds.

        Raises
        ------
        VecsmithError
            If `path` holds something else, nothing is left, or the index is of several codecs.
        """
        codec, state = self._codec, self._state
        if not state.count:
            raise VecsmithError("There is nothing in the index to save; remove its folder instead.")
        originals = self.originals if self.scoring == "rescored" else None
        codes, blocks = state.code_blocks(), None if originals is None else state.original_blocks()
        finer = originals.codec if isinstance(originals, CodedVectors) else None
        if finer and blocks and is_first_stage_of(codec, finer):
            codec, codes, finer, blocks = finer, blocks, None, None
        lists = None if state.centroids is None else (state.centroids, state.list_blocks())
        write_codes(path, codec, codes, state.kept, self.provenance, self.scoring, blocks, finer, lists, force=force)

    @property
    def _codec(self) -> Codec:
        parts = self._state.segments[0].parts
        if len(parts) > 1:
            raise VecsmithError("An index of several codecs, as cross-fitting makes, can neither be changed nor saved.")
        return parts[0].codec


def _zero_rows(X: UnitVectors) -> Rows:
    """Return the rows of all-zero vectors, and warn of them."""
    starts = range(0, len(X), BLOCK_ROWS)
    found = [start + np.flatnonzero(~X[start : start + BLOCK_ROWS].any(axis=1)) for start in starts]
    zero_rows = np.concatenate([np.empty(0, np.int64), *found])
    warn_of_zero_rows(zero_rows, len(X), "The array of vectors")
    return zero_rows


def _names(count: int, ids: Sequence[str] | None) -> Names:
    """Return the ids of so many vectors, row numbers by default, and refuse those that cannot be."""
    if ids is None:
        return Names(count)
    if len(ids) != count:
        raise VecsmithError(f"There are {count} vectors but {len(ids)} ids; there must be one each.")
    names = Names(count, ids)
    names.check("The list of ids")
    return names
