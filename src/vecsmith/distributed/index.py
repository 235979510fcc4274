"""Search of codes in parts by several processes, each of which holds some of the parts."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.codecs import load_codec
from vecsmith.codecs.checks import refuse_infinite
from vecsmith.distributed.engines import ray_session
from vecsmith.distributed.locations import Location, is_uri
from vecsmith.embeddings import VectorsLike, as_unit
from vecsmith.embeddings.part_files import CODE_PARTS, part_name, read_codes, read_column, zero_rows_of
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.metrics import Quality, evaluate, required_depth
from vecsmith.index import Index as LocalIndex
from vecsmith.index.scanning import CodePartition
from vecsmith.index.tie_order import sort_by_score

QUERY_BATCH = 1024
"""Queries that are sent to the processes at a time, which bounds the memory."""


class PartIndex:
    """An index of consecutive parts of a folder of codes; the class of the actors.

    Parameters
    ----------
    where : str
        The folder, which is copied to a cache of the node if it is a URI.
    start, stop : int
        First part, and last part + 1.
    """

    def __init__(self, where: str, start: int, stop: int) -> None:
        location, numbers = Location.parse(where), range(start, stop)
        manifest = parts_manifest(location)
        self._location = location
        self._ids: pa.ChunkedArray | None = None
        self._names = [part_name(number) for number in numbers if manifest["parts"][number]]
        with tempfile.TemporaryDirectory(prefix="vecsmith-") as folder:
            (location / "codec").fetch(Path(folder))
            codec = load_codec(folder)
        codes = read_codes(manifest, lambda name: (location / name).open(), numbers)
        partition = CodePartition(codec, codes, range(len(codes)))
        zero_rows = zero_rows_of(manifest, numbers)
        self._index = LocalIndex.from_partitions([partition], manifest["scoring"], zero_rows=zero_rows)

    def search(self, Q: Floats, k: int) -> tuple[Floats, RowNumbers]:
        """Return the scores and row numbers, counted from the first part, of the best k documents, (n, k) or fewer."""
        return self._index.search(Q, k)

    def codes(self, rows: RowNumbers) -> Any:
        """Return the codes (m, bytes) of rows."""
        return self._index.partitions[0].codes[rows]

    def ids(self, rows: RowNumbers) -> list[str]:
        """Return the ids of rows (m,); all ids stay in memory after the first call."""
        if self._ids is None:
            columns = [read_column((self._location / name).open(), "id") for name in self._names]
            self._ids = pa.chunked_array([chunk for column in columns for chunk in column.chunks], pa.string())
        return list(self._ids.take(pa.array(rows)).to_pylist())


class Index:
    """Bulk search of codes that no single machine needs to hold.

    The parts are split among Ray actors, each of which builds an index of its own and searches all queries. The best
    documents of all are merged, with ties broken by rising row number, as one index does. For codes that are scanned
    exactly, such as hybrid48B, the answer equals that of one index. Trellis codes are searched by sketches: each actor
    searches its documents at least as deeply as one index would, so that the answer is as near to the exhaustive
    ranking, or nearer.

    It is made for evaluation and for many queries at a time. Serve users from a database (see `vecsmith.stores`).

    Parameters
    ----------
    where : str or Path
        Folder of codes in parts, or its URI, which every node must be able to read.
    actors : int, optional
        Number of actors; by default one for each CPU of the cluster, but at most one for each part.
    address : str, optional
        Address of the Ray cluster; a new instance on this machine by default. A connection that is there is used.

    Raises
    ------
    VecsmithError
        If Ray is not installed or cannot be reached, or the folder does not hold codes in parts.

    Examples
    --------
    >>> with vecsmith.distributed.Index("s3://bucket/codes") as index:  # doctest: +SKIP
    ...     scores, rows = index.search(queries, k=100)
    """

    def __init__(self, where: str | Path, actors: int | None = None, address: str | None = None) -> None:
        # actors have another current folder
        where = str(where) if is_uri(where) else str(Path(where).absolute())
        manifest = parts_manifest(Location.parse(where))
        self.rows, counts = manifest["rows"], manifest["parts"]
        self._session = ray_session(address)
        self._ray = self._session.__enter__()
        available = int(self._ray.cluster_resources().get("CPU", 1))
        count = max(1, min(actors or available, len(counts)))
        edges = _balanced(counts, count)
        self._starts = np.concatenate([[0], np.cumsum(counts)])[edges[:-1]]
        actor = self._ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=-1)(PartIndex)
        self._actors = [actor.remote(where, a, b) for a, b in pairwise(edges)]

    def __len__(self) -> int:
        return int(self.rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the actors, and the instance of Ray if this index started it."""
        for actor in self._actors:
            self._ray.kill(actor)
        self._actors = []
        self._session.__exit__(None, None, None)

    def search(self, Q: VectorsLike, k: int = 10) -> tuple[Floats, RowNumbers]:
        """Return the best k documents of each query.

        Parameters
        ----------
        Q : array-like of shape (n, d), or EmbeddingSet
            Float queries.
        k : int
            Documents per query.

        Returns
        -------
        scores : ndarray of shape (n, k), float32
            Scores, best first. There are fewer columns if there are fewer than k documents.
        rows : ndarray of shape (n, k), int64
            Row numbers, counted through all parts.

        Raises
        ------
        VecsmithError
            If `k` is not positive, or the queries are not finite floats of the codec's dimensions.
        """
        if k < 1:
            raise VecsmithError(f"k must be at least 1, not {k}.")
        queries = as_unit(Q, "the queries")[:]
        refuse_infinite(queries, np.arange(len(queries)), "queries")
        blocks = [queries[start : start + QUERY_BATCH] for start in range(0, len(queries), QUERY_BATCH)]
        found = [self._search_block(block, k) for block in blocks] or [self._search_block(queries, k)]
        return np.concatenate([scores for scores, _ in found]), np.concatenate([rows for _, rows in found])

    def _search_block(self, Q: Floats, k: int) -> tuple[Floats, RowNumbers]:
        sent = self._ray.put(Q)
        answers = self._ray.get([actor.search.remote(sent, k + 1) for actor in self._actors])
        scores = np.hstack([scores for scores, _ in answers])
        rows = np.hstack([rows + start for (_, rows), start in zip(answers, self._starts, strict=True)])
        order = np.lexsort((rows, -scores), axis=1)
        scores, rows = np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)
        scores, rows = sort_by_score(scores, rows, lambda rows: rows, self._code_of)
        return scores[:, :k], rows[:, :k]

    def ids(self, rows: RowNumbers) -> list[str]:
        """Return the ids of row numbers (m,)."""
        numbers = np.searchsorted(self._starts, rows, side="right") - 1
        names = np.empty(len(rows), object)
        for number in np.unique(numbers):
            places = np.flatnonzero(numbers == number)
            names[places] = self._ray.get(self._actors[number].ids.remote(rows[places] - self._starts[number]))
        return list(names)

    def evaluate(
        self,
        Q: VectorsLike,
        query_ids: Sequence[str],
        qrels: Mapping[str, Mapping[str, int]],
        metrics: Sequence[str] = (),
    ) -> Quality:
        """Measure the retrieval quality of queries on a corpus that no machine needs to hold.

        Parameters
        ----------
        Q : array-like of shape (n, d), or EmbeddingSet
            Float queries.
        query_ids : sequence of str
            Their ids.
        qrels : mapping
            Relevance judgements: query id → document id → gain. Queries without judgements are left out.
        metrics : sequence of str
            Names of metrics besides nDCG@10 and R@100, as in ir_measures.

        Returns
        -------
        Quality
            The value of each metric for each judged query.

        Raises
        ------
        VecsmithError
            If a metric is unknown, or no query is judged.

        Notes
        -----
        For exact search as the baseline, encode the vectors by a codec without a quantizer, such as ``truncate384``
        for 384 dimensions, whose codes are float32.
        """
        scores, rows = self.search(Q, required_depth(metrics))
        found, places = np.unique(rows, return_inverse=True)
        return evaluate(scores, places.reshape(rows.shape), query_ids, self.ids(found), qrels, metrics=metrics)

    def _code_of(self, row: int) -> bytes:
        """Return the code of a row, which is asked for only where two scores differ by rounding alone."""
        number = int(np.searchsorted(self._starts, row, side="right")) - 1
        code = self._ray.get(self._actors[number].codes.remote(np.array([row - self._starts[number]])))
        return bytes(code.tobytes())


def parts_manifest(location: Location) -> dict[str, Any]:
    """Return the manifest of a folder of codes in parts.

    Raises
    ------
    VecsmithError
        If the folder holds something else.
    """
    if (location / "manifest.json").size is not None:
        with suppress(ValueError, KeyError, TypeError):
            manifest = json.loads((location / "manifest.json").read())
            if manifest["kind"] == CODE_PARTS:
                return dict(manifest)
    raise VecsmithError(f"{location} holds no codes in parts; write them by `vecsmith encode` with --engine.")


def _balanced(counts: Sequence[int], parts: int) -> list[int]:
    """Return the edges of groups of consecutive parts that have about as many rows each, and at least one part."""
    ends = np.cumsum(counts)
    wanted = ends[-1] * np.arange(1, parts) / parts
    inner = np.maximum.accumulate(np.searchsorted(ends, wanted) + 1)
    inner = np.clip(inner, np.arange(1, parts), len(counts) - np.arange(parts - 1, 0, -1))
    return [0, *np.maximum.accumulate(inner).tolist(), len(counts)]
