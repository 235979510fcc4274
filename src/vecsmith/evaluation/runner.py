"""Measure codecs on one task that one encoder has embedded."""

import json
import os
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import faiss

from vecsmith.array_types import Floats
from vecsmith.codecs import Codec, is_codec
from vecsmith.embeddings import EmbeddingSet, normalize
from vecsmith.evaluation.folds import Encoded, encode_corpus
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.evaluation.metrics import DEPTH
from vecsmith.evaluation.results import Result
from vecsmith.files import cache_folder, fingerprint, sha256_of, write_text
from vecsmith.index import CodePartition, Index, Scoring, two_stages
from vecsmith.tasks import Task

BASELINE = "float32"
LineScoring = Scoring | Literal["exact", "two-stage"]
"""Scoring of a line of `compare`. ``exact`` stands for float32. ``two-stage`` is the search that `CodeSet.encode` ships
for codes of two quantizers: it scans the codes of the first quantizer and reorders the shortlist by the whole codes."""


@dataclass(frozen=True)
class Measurement:
    """A result that has not been compared with a baseline yet, and its measure for every query.

    Attributes
    ----------
    result : Result
        The result. Its compression, retention and p-value are 1.
    ndcg_at_10 : list of float
        nDCG@10 of each judged query, in the order of the sorted query ids.
    """

    result: Result
    ndcg_at_10: list[float]


@dataclass(frozen=True)
class TaskRunner:
    """Measures codecs on one task, embedded by one encoder, under one protocol.

    Attributes
    ----------
    task : Task
        The task.
    split : str
        The split of the relevance judgements.
    encoder : str
        Spec of the encoder.
    corpus, queries : EmbeddingSet
        Vectors of the documents and queries.
    fit_on : str
        The protocol: ``cross``, ``corpus``, or the folder of the training set (see `encode_corpus`).
    training : EmbeddingSet or None
        The training set whose folder `fit_on` names.
    seed : int
        Seed of the codecs and of the halves of the corpus.
    recenter : bool
        Whether to replace the means of the codecs by the means of the vectors that they encode.
    """

    task: Task
    split: str
    encoder: str
    corpus: EmbeddingSet
    queries: EmbeddingSet
    fit_on: str
    training: EmbeddingSet | None
    seed: int
    recenter: bool = False

    def measure(self, spec: str, scorings: Sequence[LineScoring], force: bool = False) -> Iterator[Measurement]:
        """Yield a measurement of a codec for each scoring.

        A measurement that was made before on the same inputs is read from the cache, unless `force` is set.
        """
        encoded = None
        for scoring in scorings:
            weights = sha256_of(Path(spec) / "config.json") if is_codec(spec) else ""
            path = cache_folder() / "results" / f"{fingerprint([self._key, spec, weights, scoring])}.json"
            measurement = None if force else _read_cached(path)
            if measurement is None:
                recenter = self.recenter and spec != BASELINE
                encoded = encoded or encode_corpus(
                    spec, self._documents, self.fit_on, self.seed, self.training, recenter, self.corpus.blocks
                )
                measurement = self._measure(spec, scoring, encoded)
                write_text(path, json.dumps(asdict(measurement)))
            yield measurement

    @cached_property
    def _key(self) -> list[object]:
        """The inputs of a measurement besides codec and scoring, for the key of the cache."""
        fit_on = self.training.fingerprint if self.training else self.fit_on
        sets = [self.corpus.fingerprint, self.queries.fingerprint]
        names = [self.task.name, self.encoder, self.fit_on, self.recenter]
        return [names, self.task.fingerprint, self.split, sets, fit_on, self.seed, versions(), code_hash()]

    @cached_property
    def _documents(self) -> Floats:
        return normalize(self.corpus.vectors)

    @cached_property
    def _judged(self) -> JudgedQueries:
        return JudgedQueries(self.task, self.split, self.queries.ids, self.corpus.ids)

    def _index(self, scoring: LineScoring, parts: Sequence[CodePartition]) -> Index:
        ids, zero_rows = self.corpus.ids, self.corpus.zero_rows
        if scoring == "two-stage":
            return Index.from_partitions(parts, "rescored", None, ids, zero_rows)
        scan = "asymmetric" if scoring == "exact" else scoring
        return Index.from_partitions(parts, scan, self._documents, ids, zero_rows)

    def _measure(self, spec: str, scoring: LineScoring, encoded: Encoded) -> Measurement:
        index = self._index(scoring, encoded.parts)
        queries = normalize(self.queries.vectors[self._judged.rows])
        # the first search builds the FAISS index, which is not counted as search time
        index.search(queries[:1], DEPTH)
        start = time.perf_counter()
        scores, rows = index.search(queries, self._judged.depth)
        search_seconds = time.perf_counter() - start
        quality = self._judged.evaluate(scores, rows)
        codec, n_docs = encoded.parts[0].codec, len(self.corpus)
        rescore_bytes = 4 * self.corpus.dimensions if scoring == "rescored" else 0
        result = Result(
            task=self.task.name,
            split=self.split,
            encoder=self.encoder,
            codec=spec,
            scoring=scoring,
            fit_on=self._fit_on(spec, codec),
            n_docs=n_docs,
            n_queries=len(quality.query_ids),
            dimensions=codec.dimensions,
            bytes_per_vector=codec.bytes_per_vector,
            memory_bytes_per_vector=two_stages.memory_bytes_per_vector(codec)
            if scoring == "two-stage"
            else codec.memory_bytes_per_vector,
            rescore_bytes_per_vector=rescore_bytes,
            amortised_bytes_per_vector=codec.bytes_per_vector + rescore_bytes + codec.codec_bytes / n_docs,
            codec_bytes=codec.codec_bytes,
            compression=1.0,
            ndcg_at_10=quality.mean_ndcg_at_10,
            recall_at_100=float(quality.recall_at_100.mean()),
            retention=1.0,
            p_value=1.0,
            fit_seconds=encoded.fit_seconds,
            encode_vectors_per_second=n_docs / encoded.encode_seconds,
            queries_per_second=len(queries) / search_seconds,
            seed=self.seed,
            versions=versions(),
        )
        return Measurement(result, quality.ndcg_at_10.tolist())

    def _fit_on(self, spec: str, codec: Codec) -> str:
        if not codec.requires_fit:
            return "nothing"
        fit_on = "saved codec" if is_codec(spec) else self.fit_on
        return f"{fit_on}, re-centered" if self.recenter else fit_on


@cache
def code_hash() -> str:
    """Return a hash of this package's source code, which may change without a new version number."""
    package = Path(__file__).parents[1]
    return fingerprint({str(path.relative_to(package)): sha256_of(path) for path in sorted(package.rglob("*.py"))})


def versions() -> dict[str, str]:
    """Return the versions of the packages that a measurement depends on, and the number of threads."""
    packages = {name: version(name) for name in ("vecsmith", "numpy", "faiss-cpu", "pytrec-eval-terrier")}
    threads = f"{faiss.omp_get_max_threads()} of {os.cpu_count()}"
    return {**packages, "python": platform.python_version(), "threads": threads}


def _read_cached(path: Path) -> Measurement | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Measurement(Result(**content["result"]), content["ndcg_at_10"])
    except (OSError, ValueError, KeyError, TypeError):
        # not measured yet, or written by a version with other fields
        return None
