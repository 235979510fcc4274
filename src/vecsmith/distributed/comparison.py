"""Measure codecs on a task whose documents lie in many files, in one pass over them."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import faiss
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vecsmith.array_types import Doubles, Floats
from vecsmith.codecs import Codec
from vecsmith.codecs.codec import FIT_VECTORS
from vecsmith.distributed.engines import Engine, LocalEngine
from vecsmith.distributed.fitting import sample
from vecsmith.distributed.shards import Block, Shard
from vecsmith.distributed.sources import Source
from vecsmith.distributed.work import check_dimensions, halves
from vecsmith.embeddings import EmbeddingSet, normalize, rows_of
from vecsmith.embeddings.checks import check_values
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.compare import compared
from vecsmith.evaluation.judged_queries import TOP
from vecsmith.evaluation.measurement import Measurement
from vecsmith.evaluation.metrics import DEFAULT_METRICS, Quality, evaluate, required_depth
from vecsmith.evaluation.query_rankings import TaskQueries, task_queries
from vecsmith.evaluation.results import Result
from vecsmith.evaluation.runner import BASELINE
from vecsmith.evaluation.versions import machine, versions
from vecsmith.tasks.base import Task, Texts
from vecsmith.tasks.beir import load_queries


class Ranking(NamedTuple):
    """The best documents of queries, best first.

    Attributes
    ----------
    scores : ndarray of shape (n, k), float32
        Scores.
    places : ndarray of shape (n, k), int64
        Positions of the documents in the whole corpus, by which ties break.
    ids : ndarray of shape (n, k), object
        Ids of the documents.
    """

    scores: Floats
    places: NDArray[np.int64]
    ids: NDArray[Any]

    def merged(self, other: "Ranking", k: int) -> "Ranking":
        """Return the best k documents of both."""
        scores, places = np.hstack([self.scores, other.scores]), np.hstack([self.places, other.places])
        order = np.lexsort((places, -scores), axis=1)[:, :k]
        columns = scores, places, np.hstack([self.ids, other.ids])
        return Ranking(*(np.take_along_axis(column, order, axis=1) for column in columns))


@dataclass
class RankShards:
    """Rank the documents of a shard by float vectors, and by the decoded codes of codecs.

    Parameters
    ----------
    shards : sequence of Shard
        The documents.
    queries : ndarray of shape (n, d), float32
        Unit queries.
    codecs : sequence of list of Codec
        For each line the codec of all documents; or the codecs of the two halves of cross-fitting, in the order of the
        half that they encode.
    k : int
        Documents per query.
    """

    shards: list[Shard]
    queries: Floats
    codecs: list[list[Codec]]
    k: int

    def __call__(self, number: int) -> tuple[list[Ranking], list[float], int]:
        """Return a ranking for float vectors and for each line, the seconds of encoding, and the number of rows."""
        shard, lines = self.shards[number], [[], *self.codecs]
        best: list[Ranking | None] = [None] * len(lines)
        seconds, rows = [0.0] * len(lines), 0
        for block in shard.blocks():
            check_dimensions(shard, block, self.queries.shape[1])
            assert block.vectors is not None
            check_values([block.vectors], shard.name, block.start)
            X, half_of = normalize(block.vectors), halves(block.ids)
            for line, codecs in enumerate(lines):
                start = time.perf_counter()
                decoded = _decoded(codecs, X, half_of)
                seconds[line] += time.perf_counter() - start
                ranking, before = self._rank(decoded, X, block, number), best[line]
                best[line] = ranking if before is None else before.merged(ranking, self.k)
            rows += len(X)
        return [each for each in best if each is not None], seconds, rows

    def _rank(self, decoded: Floats, X: Floats, block: Block, number: int) -> Ranking:
        """Rank a block by inner products; all-zero vectors are left out."""
        nonzero = np.flatnonzero(X.any(axis=1))
        k = min(self.k, len(nonzero))
        if not k:
            shape = len(self.queries), 0
            return Ranking(np.empty(shape, np.float32), np.empty(shape, np.int64), np.empty(shape, object))
        scores, rows = faiss.knn(self.queries, decoded[nonzero], k, metric=faiss.METRIC_INNER_PRODUCT)
        rows = nonzero[rows]
        names = np.array(block.ids.take(pa.array(rows.ravel())).to_pylist(), object).reshape(rows.shape)
        return Ranking(scores, (np.int64(number) << 40) + block.start + rows, names)


def _decoded(codecs: Sequence[Codec], X: Floats, half_of: NDArray[np.uint64]) -> Floats:
    """Return the decoded codes of unit vectors (n, d); the vectors themselves without a codec."""
    if not codecs:
        return X
    result = np.empty_like(X)
    for half, codec in enumerate(codecs):
        rows = slice(None) if len(codecs) == 1 else np.flatnonzero(half_of == half)
        result[rows] = codec.decode(codec.encode(X[rows]))
    return result


def compare(
    folder: str | Path,
    corpus: Source,
    queries: EmbeddingSet,
    codecs: Sequence[str],
    split: str = "test",
    fit_on: str = "cross",
    seed: int = 0,
    metrics: Sequence[str] = (),
    engine: Engine | None = None,
) -> tuple[list[Result], TaskQueries]:
    """Measure the retrieval quality of codecs in one pass over the documents, which no machine needs to hold.

    Every document is scored by its decoded code, as an exhaustive search with float queries does. The speed of a search
    is not measured.

    Parameters
    ----------
    folder : str or Path
        Folder with ``queries.jsonl`` and ``qrels/SPLIT.tsv``, as BEIR has them. It needs no corpus.
    corpus : Source
        Vectors and ids of the documents.
    queries : EmbeddingSet
        Vectors of the queries by the same model, matched by id; or in the order of the texts, if their ids are row
        numbers.
    codecs : sequence of str
        Specs of codecs.
    split : str
        Split whose judgements are used.
    fit_on : {"cross", "corpus"}
        ``cross`` splits the documents into two halves by a hash of their ids, and encodes each half with a codec fitted
        on the other one. ``corpus`` fits one codec on all documents. Samples are drawn as in
        `vecsmith.distributed.fitting.sample`.
    seed : int
        Seed of the samples and codecs.
    metrics : sequence of str
        Names of further metrics, as in ir_measures.
    engine : Engine, optional
        The engine; threads of this process by default.

    Returns
    -------
    results : list of Result
        float32 first.
    queries : TaskQueries
        The queries with their rankings, for the report. Documents have no texts.

    Raises
    ------
    VecsmithError
        If a file is missing or malformed, a judged query has no vector, or an argument is invalid.

    Notes
    -----
    A document that is the query itself is not removed from its results, because the texts of the documents are unknown.
    """
    if fit_on not in ("cross", "corpus"):
        raise VecsmithError(f"--fit-on {fit_on} needs the corpus on one machine; take cross or corpus.")
    engine, name = engine or LocalEngine(), Path(folder).resolve().name
    texts, qrels = load_queries(Path(folder))
    # judgements do not depend on the corpus
    task = Task(name, texts, texts, qrels, folder=Path(folder))
    judged = sorted(set(task.queries.ids) & set(task.judgements(split)))
    Q = queries.unit[_query_rows(judged, task.queries.ids, queries)]
    halves_to_fit = [None] if fit_on == "corpus" else [1, 0]
    samples = [sample(corpus, FIT_VECTORS, seed, engine, half) for half in halves_to_fit]
    fitted, fit_seconds = [], [0.0]
    for spec in codecs:
        start = time.perf_counter()
        fitted.append([Codec(spec, seed).fit(X) for X in samples])
        fit_seconds.append((time.perf_counter() - start) / len(samples))
    ranked, seconds, n_docs = _ranked(corpus, Q, fitted, required_depth(metrics), engine)
    if not n_docs or not ranked[0].scores.size:
        raise VecsmithError(f"{corpus.where} has no vector that is not zero; embed its texts again.")
    common = {
        "task": name,
        "split": split,
        "encoder": f"vectors:{corpus.where},{queries.source}",
        "n_docs": n_docs,
        "n_queries": len(judged),
        "seed": seed,
    }
    lines = [_float_line(Q.shape[1])]
    lines += [_codec_line(own[0], fit_on, n_docs / spent) for own, spent in zip(fitted, seconds[1:], strict=True)]
    documents = np.unique(np.concatenate([ranking.ids.ravel() for ranking in ranked]))
    task = replace(task, corpus=Texts(documents.tolist(), [""] * len(documents), corpus.where))
    measured = []
    for line, ranking, fit_time in zip(lines, ranked, fit_seconds, strict=True):
        rows = np.searchsorted(documents, ranking.ids)
        quality = evaluate(ranking.scores, rows, judged, task.corpus.ids, task.judgements(split), metrics=metrics)
        result = _result({**common, **line, "fit_seconds": fit_time}, quality)
        top = rows[:, :TOP].tolist(), [[float(f"{score:.5g}") for score in row] for row in ranking.scores[:, :TOP]]
        measured.append(Measurement(result, quality.ndcg_at_10.tolist(), *top))
    measured = list(compared([measured]))
    return [each.result for each in measured], task_queries(task, split, measured)


def _float_line(dimensions: int) -> dict[str, Any]:
    """Return the fields of a result that describe float32 vectors."""
    return {
        "codec": BASELINE,
        "scoring": "exact",
        "fit_on": "nothing",
        "dimensions": dimensions,
        "bytes_per_vector": 4 * dimensions,
        "codec_bytes": 0,
        "encode_vectors_per_second": math.nan,
    }


def _codec_line(codec: Codec, fit_on: str, vectors_per_second: float) -> dict[str, Any]:
    """Return the fields of a result that describe a codec."""
    return {
        "codec": codec.spec,
        "scoring": "asymmetric",
        "fit_on": fit_on if codec.requires_fit else "nothing",
        "dimensions": codec.dimensions,
        "bytes_per_vector": codec.bytes_per_vector,
        "codec_bytes": codec.codec_bytes,
        "encode_vectors_per_second": vectors_per_second,
    }


def _ranked(
    corpus: Source, Q: Floats, codecs: list[list[Codec]], k: int, engine: Engine
) -> tuple[list[Ranking], Doubles, int]:
    """Return the ranking of each line over all shards, the seconds of encoding, and the number of documents."""
    ranked, seconds, n_docs, count = list[Ranking](), np.zeros(len(codecs) + 1), 0, len(corpus.shards)
    for rankings, spent, rows in engine.run(RankShards(list(corpus.shards), Q, codecs, k), count, "Ranking documents"):
        if ranked and rankings:
            ranked = [a.merged(b, k) for a, b in zip(ranked, rankings, strict=True)]
        ranked = ranked or rankings
        seconds, n_docs = seconds + spent, n_docs + rows
    return ranked, seconds, n_docs


def _query_rows(judged: Sequence[str], ids: Sequence[str], queries: EmbeddingSet) -> NDArray[np.int64]:
    """Return the rows of judged queries among the vectors."""
    if len(queries) == len(ids) and queries.ids == [str(row) for row in range(len(ids))]:
        return rows_of(judged, ids)
    rows = rows_of(judged, queries.ids)
    if (rows < 0).any():
        raise VecsmithError(
            f"{queries.source} has no vector of the query {judged[int(np.argmin(rows))]!r}; embed all queries."
        )
    return rows


def _result(about: dict[str, Any], quality: Quality) -> Result:
    further = {name: float(values.mean()) for name, values in quality.values.items() if name not in DEFAULT_METRICS}
    return Result(
        **about,
        rescore_bytes_per_vector=0,
        amortised_bytes_per_vector=about["bytes_per_vector"] + about["codec_bytes"] / about["n_docs"],
        compression=1.0,
        ndcg_at_10=quality.mean_ndcg_at_10,
        recall_at_100=float(quality.recall_at_100.mean()),
        retention=1.0,
        p_value=1.0,
        queries_per_second=math.nan,
        versions=versions(),
        machine=machine(),
        metrics=further,
    )
