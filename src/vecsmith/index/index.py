"""`Index`: a codec, its codes, and a search engine over them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from operator import index as as_integer
from pathlib import Path
from threading import Lock
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from vecsmith.array_types import Codes, Floats, RowMask, RowNumbers
from vecsmith.codecs import Codec
from vecsmith.embeddings import MultiModelVectors, Provenance, Rows, VectorsLike
from vecsmith.errors import VecsmithError, unknown
from vecsmith.index.bm25 import LexicalIndex
from vecsmith.index.code_set import CodeSet
from vecsmith.index.code_writing import save_snapshot
from vecsmith.index.coded_vectors import Originals, as_originals
from vecsmith.index.list_building import build_lists
from vecsmith.index.scanning import CodePartition
from vecsmith.index.scoring import SCORINGS, Scoring
from vecsmith.index.search import search
from vecsmith.index.segment import Segment, find_zero_rows
from vecsmith.index.snapshot import Snapshot
from vecsmith.index.two_stages import first_stage, split_stages


class Index:
    """Search over codes.

    Vectors are compared by cosine: queries and documents are normalized to unit length first. The score is
    ⟨q, decode(code)⟩ for ``asymmetric``. For ``symmetric`` the query is encoded and decoded too; for codes of bits the
    score is minus the Hamming distance. For ``rescored`` the first documents are reordered by ⟨q, d⟩ with the original
    vectors. Codes of two quantizers, such as hybrid24B+trellis24B, need no original vectors for that: the codes of the
    first quantizer are scanned, and the whole codes reorder the shortlist.

    Several threads may search while another thread adds, deletes or saves: each search uses the snapshot of the index
    at its start. A single query runs on one core; a batch uses as many threads as ``faiss.omp_set_num_threads`` sets.

    Parameters
    ----------
    codec : Codec
        A fitted codec.
    codes : ndarray of shape (n, bytes_per_vector), uint8; or array-like of shape (n, d), or EmbeddingSet
        Codes of the documents, which may be memory-mapped, or float vectors to encode. A search never returns all-zero
        vectors, which cannot be recognized in codes.
    scoring : {"symmetric", "asymmetric", "rescored"}
        How a query is scored against a document.
    originals : ndarray of shape (n, d) or CodedVectors, optional
        Float vectors of the documents, which may be memory-mapped, or finer codes of them. Required for ``rescored``,
        unless the codes are of two quantizers or `codes` are vectors. Only the shortlist is read.
    ids : sequence of str, optional
        Unique document ids; ties break by falling id, as in trec_eval. By default ids are row numbers, and ties break
        by rising row number.

    Raises
    ------
    VecsmithError
        If `scoring` is unknown, `originals` are required but missing, the codes do not fit the codec, there is not one
        original and one id per code, or an id is not a string or occurs twice.

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
            codes, zero_rows = codec.encode(X), find_zero_rows(X)
            if scoring == "rescored" and originals is None and first_stage(codec) is None:
                originals = X
        codes = cast("Codes", codes)
        self._set_up([CodePartition(codec, codes, range(len(codes)))], scoring, originals, ids, zero_rows)

    def __repr__(self) -> str:
        codec = self.partitions[0].codec
        return f"Index({len(self)} codes of {codec.bytes_per_vector} bytes, {codec.spec!r}, {self.scoring})"

    def __len__(self) -> int:
        return self._snapshot.count

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=Lock())

    @classmethod
    def from_partitions(
        cls,
        partitions: Sequence[CodePartition],
        scoring: Scoring = "asymmetric",
        originals: Originals | None = None,
        ids: Sequence[str] | None = None,
        zero_rows: RowNumbers | None = None,
    ) -> Self:
        """Make an index of documents that several codecs encoded, as in cross-fitting; rankings are merged by score.

        The other parameters are those of `Index`, and the row numbers (m,) of all-zero vectors.
        """
        index = cls.__new__(cls)
        index._set_up(list(partitions), scoring, originals, ids, zero_rows)
        return index

    @classmethod
    def load(cls, path: str | Path, mmap: bool = True) -> Self:
        """Open a folder that `save` or ``vecsmith encode`` wrote; ties break by rising row number.

        Parameters
        ----------
        path : str or Path
            The folder.
        mmap : bool
            Whether to leave codes, ids and originals on disk, so that opening takes milliseconds. Otherwise the codes
            are read, and the hashes of all files are checked. The first search builds the layout of the 4-bit fast scan
            in memory in both cases.

        Raises
        ------
        VecsmithError
            If the folder holds no codes, is damaged, or is from a newer version of the format.
        """
        stored = CodeSet.open(path, verify=not mmap)
        codes = stored.codes if mmap else np.array(stored.codes)
        codes.flags.writeable = False  # FAISS then reads them in place
        partition = CodePartition(
            stored.codec, codes, range(len(codes)), stored.score_factors, stored.lists, stored.content_hash
        )
        index = cls.from_partitions([partition], stored.scoring, stored.originals, zero_rows=stored.zero_rows)
        (segment,) = index._snapshot.segments
        index._snapshot = replace(index._snapshot, segments=(replace(segment, rows=stored.rows),))
        index.provenance, index._open_lexical = stored.provenance, stored.open_lexical
        return index

    def _set_up(
        self,
        partitions: list[CodePartition],
        scoring: Scoring,
        originals: Originals | None,
        ids: Sequence[str] | None,
        zero_rows: RowNumbers | None,
    ) -> None:
        if scoring not in SCORINGS:
            raise unknown("scoring", scoring, SCORINGS)
        if scoring == "rescored" and originals is None:
            partitions, originals = split_stages(partitions)
        self.scoring = scoring
        self.provenance = Provenance()
        self._open_lexical: Callable[[], LexicalIndex] | None = None
        self._snapshot = Snapshot((Segment.checked(partitions, ids, originals),), None, ids is not None)
        if zero_rows is not None and len(zero_rows):
            self._snapshot = self._snapshot.without_rows(zero_rows)
        self._lock = Lock()

    @property
    def partitions(self) -> list[CodePartition]:
        """Codes of each codec and segment."""
        return self._snapshot.partitions

    @property
    def originals(self) -> Originals | None:
        """Vectors or finer codes of the initial documents, with which ``rescored`` reorders."""
        return self._snapshot.segments[0].originals

    @cached_property
    def lexical(self) -> LexicalIndex | None:
        """The lexical index that is stored with the codes, opened on first access; None if there is none.

        Raises
        ------
        VecsmithError
            If bm25s is not installed, or another process has replaced the folder of the index.
        """
        return self._open_lexical() if self._open_lexical else None

    @property
    def alive(self) -> RowMask | None:
        """Mask (n,) of the rows that are not deleted; None if no row is deleted."""
        return self._snapshot.alive

    def rank_of(self, rows: RowNumbers) -> RowNumbers:
        """Return the position of each row number among rows with equal scores."""
        return self._snapshot.rank_of(rows)

    @property
    def rows(self) -> Rows:
        """Ids and texts of all rows, deleted rows included."""
        return self._snapshot.rows

    def search(
        self,
        Q: VectorsLike | MultiModelVectors,
        k: int = 10,
        allowed: Iterable[Any] | NDArray[Any] | None = None,
        probes: int | None = None,
    ) -> tuple[Floats, RowNumbers]:
        """Return the best k documents of each query, with ties broken at the cut too.

        Parameters
        ----------
        Q : array-like of shape (n, d), or EmbeddingSet
            Float queries.
        k : int
            Documents per query.
        allowed : set or sequence of str, of int, or ndarray of shape (rows,), bool, optional
            Ids, row numbers, or a mask of the documents that may be returned.
        probes : int, optional
            Number of inverted lists nearest to a query that are scanned (see `build_lists`); fewer lists are faster
            but miss some of the best documents. All documents are scanned by default.

        Returns
        -------
        scores : ndarray of shape (n, k), float32
            Scores, best first. There are fewer columns if fewer than k documents may be returned.
        rows : ndarray of shape (n, k), int64
            Row numbers. Where the probed lists, or the lists of a codec faiss:FACTORY, hold fewer than k documents, the
            remaining scores are −inf and the remaining row numbers −1.

        Raises
        ------
        VecsmithError
            If `k` or `probes` is not positive, the queries are not finite floats of the codec's dimensions, an id is
            unknown, or there are no lists to probe.
        """
        return search(self._snapshot, Q, k, self.scoring, allowed, probes)

    def recall(self, Q: VectorsLike, k: int = 10, probes: int = 16) -> float:
        """Return the recall of a search with `probes` lists: its share of the best k documents of queries (n, d).

        Raises
        ------
        VecsmithError
            As for `search`.
        """
        exact, probed = self.search(Q, k)[1], self.search(Q, k, probes=probes)[1]
        return float(np.mean([np.isin(a, b).mean() for a, b in zip(exact, probed, strict=True)]))

    def build_lists(self, n_lists: int | None = None, seed: int = 0) -> None:
        """Group all documents into inverted lists, of which a search may probe the nearest few.

        The centroids are learned from decoded vectors by spherical k-means. Documents added later are in no list and
        always scanned, until `save` assigns them to the nearest list. Other changes wait for this method; searches do
        not.

        Parameters
        ----------
        n_lists : int, optional
            Number of lists; the square root of the number of documents by default.
        seed : int
            Seed of the training sample and of k-means.

        Raises
        ------
        VecsmithError
            If there are fewer documents than lists, or FAISS has no inverted lists for the codes.
        """
        with self._lock:
            self._snapshot = build_lists(self._snapshot, None if n_lists is None else as_integer(n_lists), seed)

    def add(self, X: VectorsLike | MultiModelVectors, ids: Sequence[str] | None = None) -> None:
        """Add vectors as the last rows.

        Parameters
        ----------
        X : array-like of shape (n, d), or EmbeddingSet
            Float vectors. An index with originals keeps them too, at unit length. A search never returns all-zero
            vectors.
        ids : sequence of str
            Ids that are not in the index; optional if the ids of the index are row numbers.

        Raises
        ------
        VecsmithError
            If the vectors are not floats, an id is in the index already or is not a string, the number of ids is wrong,
            or the index has several codecs or a lexical index, which needs the texts of all documents.
        """
        codec = self._codec
        if self._open_lexical is not None:
            raise VecsmithError(
                "No documents can be added to an index with a lexical index; encode all documents again with --lexical."
            )
        X = codec.unit(X)
        codes, originals, zero_rows = codec.encode(X), as_originals(X, self.originals), find_zero_rows(X)
        with self._lock:
            self._snapshot = self._snapshot.with_codes(codes, ids, originals, zero_rows)

    def delete(self, ids: Iterable[Any] | NDArray[Any]) -> None:
        """Delete documents, given as ids, row numbers or a mask; the other documents keep their row numbers.

        Raises
        ------
        VecsmithError
            If there is no such document.
        """
        with self._lock:
            self._snapshot = self._snapshot.without_rows(self._snapshot.rows_of(ids))

    def save(self, path: str | Path, force: bool = False) -> None:
        """Write the index to a folder for `load`, atomically and without deleted rows; rows are renumbered there.

        The index itself does not change, nor do indexes that were loaded from the former content of the folder.

        Parameters
        ----------
        path : str or Path
            The folder; codes in it are replaced.
        force : bool
            Replace any other content of the folder too.

        Raises
        ------
        VecsmithError
            If `path` holds something else, all rows are deleted, or the index has several codecs.
        """
        bm25 = self.lexical.options if self.lexical else None
        save_snapshot(path, self._codec, self._snapshot, self.scoring, self.provenance, bm25, force)

    @property
    def _codec(self) -> Codec:
        """The only codec, which changing and saving require."""
        partitions = self._snapshot.segments[0].partitions
        if len(partitions) > 1:
            raise VecsmithError("An index of several codecs, as cross-fitting makes, can neither be changed nor saved.")
        return partitions[0].codec
