"""Measure codecs on one task that one encoder has embedded."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.codecs import Codec, is_codec
from vecsmith.embeddings import EmbeddingSet, normalize
from vecsmith.evaluation.folds import Encoded, encode_corpus
from vecsmith.evaluation.fusion_weight import choose_weight
from vecsmith.evaluation.judged_pairs import judged_pairs
from vecsmith.evaluation.judged_queries import JudgedQueries, Search
from vecsmith.evaluation.measurement import CachedMeasurement, Measurement
from vecsmith.evaluation.metrics import DEFAULT_METRICS
from vecsmith.evaluation.preservation import SimilarityPreservation
from vecsmith.evaluation.results import Result
from vecsmith.evaluation.timing import TimedRanking, timed_ranking
from vecsmith.evaluation.versions import code_hash, machine, package_versions, versions
from vecsmith.files import sha256_of
from vecsmith.index import CodePartition, Index, Scoring, two_stages
from vecsmith.index.bm25 import Bm25, LexicalIndex
from vecsmith.retrievers import FusionStage, IndexRetriever, LexicalRetriever, Retriever, Stage
from vecsmith.retrievers.base import rank_by_id
from vecsmith.retrievers.stages import BM25_PACKAGES
from vecsmith.retrievers.vector_sources import PrecomputedVectors
from vecsmith.tasks import Task
from vecsmith.training import JudgedPairs

BASELINE = "float32"
LineScoring = Scoring | Literal["exact", "two-stage"]
"""Scoring of a line of `compare`. ``exact`` is the scoring of float32. ``two-stage`` is the search of folders that
`CodeSet.encode` writes for codes of two quantizers: it scans the codes of the first quantizer, and reorders the
shortlist by the complete codes."""


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
    pairs_split : str
        The split whose judged pairs train codecs with a contrastive loss; empty for pseudo-queries.
    metrics : sequence of str
        Names of metrics to compute besides `DEFAULT_METRICS`.
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
    pairs_split: str = ""
    metrics: Sequence[str] = ()

    def measure(
        self, spec: str, scorings: Sequence[LineScoring], force: bool = False, stages: Sequence[Stage] = ()
    ) -> Iterator[Measurement]:
        """Yield a measurement of a codec for each scoring, followed by one for each stage after it.

        Parameters
        ----------
        spec : str
            Spec of the codec, or the folder of a fitted one.
        scorings : sequence of LineScoring
            Scorings of queries against codes.
        force : bool
            Measure again, instead of reading earlier measurements of the same inputs from the cache.
        stages : sequence of Stage
            Fusions and rerankers.
        """
        weights = sha256_of(Path(spec) / "config.json") if is_codec(spec) else ""
        encoded: list[Encoded] = []
        for scoring in scorings:
            indexes: list[Index] = []
            for stage in (None, *stages):
                cached = self._cached([spec, weights, scoring], stage)
                measurement = None if force else cached.read()
                if measurement is None:
                    if not encoded:
                        encoded.append(self._encode(spec))
                    if not indexes:
                        indexes.append(self._index(scoring, encoded[0].parts))
                    measurement = cached.write(self._measure(spec, scoring, encoded[0], indexes[0], stage))
                yield measurement

    def measure_lexical(self, bm25: Bm25, force: bool = False, stages: Sequence[Stage] = ()) -> Iterator[Measurement]:
        """Yield a measurement of BM25, followed by one for each stage after it; from the cache, as `measure` does."""
        for stage in (None, *stages):
            cached = self._cached([bm25.spec, package_versions(BM25_PACKAGES)], stage)
            yield (None if force else cached.read()) or cached.write(self._measure_lexical(bm25, stage))

    def _cached(self, line: Sequence[object], stage: Stage | None) -> CachedMeasurement:
        """Return the place in the cache of a measurement, by its inputs besides `_key`."""
        after = [] if stage is None else [stage.settings, package_versions(stage.packages)]
        return CachedMeasurement([self._key, *line, *after])

    def _encode(self, spec: str) -> Encoded:
        recenter = self.recenter and spec != BASELINE
        pairs = self._pairs if self.pairs_split else None
        return encode_corpus(
            spec, self._documents, self.fit_on, self.seed, self.training, recenter, self.corpus.blocks, pairs
        )

    @cached_property
    def _key(self) -> list[object]:
        """The inputs of a measurement besides codec and scoring, for the key of the cache."""
        fit_on = self.training.fingerprint if self.training else self.fit_on
        sets = [self.corpus.fingerprint, self.queries.fingerprint]
        names = [self.task.name, self.encoder, self.fit_on, self.recenter, self.pairs_split, list(self.metrics)]
        return [names, self.task.fingerprint, self.split, sets, fit_on, self.seed, versions(), code_hash()]

    @cached_property
    def _documents(self) -> Floats:
        return normalize(self.corpus.vectors)

    def _pairs(self, rows: RowNumbers) -> JudgedPairs:
        return judged_pairs(self.task, self.pairs_split, self.queries, self.corpus, rows)

    @cached_property
    def _judged(self) -> JudgedQueries:
        return JudgedQueries(self.task, self.split, self.queries.ids, self.corpus.ids, self.metrics)

    @cached_property
    def _judged_vectors(self) -> Floats:
        return normalize(self.queries.vectors[self._judged.rows])

    @cached_property
    def _preservation(self) -> SimilarityPreservation:
        return SimilarityPreservation(self._judged_vectors, self._documents, self.corpus.ids, self.seed)

    def _index(self, scoring: LineScoring, parts: Sequence[CodePartition]) -> Index:
        ids, zero_rows = self.corpus.ids, self.corpus.zero_rows
        if scoring == "two-stage":
            return Index.from_partitions(parts, "rescored", None, ids, zero_rows)
        scan = "asymmetric" if scoring == "exact" else scoring
        return Index.from_partitions(parts, scan, self._documents, ids, zero_rows)

    @cached_property
    def _texts(self) -> list[str]:
        """Texts of the judged queries."""
        return [self.task.queries.texts[row] for row in self._judged.rows]

    @cached_property
    def _vectors(self) -> PrecomputedVectors:
        return PrecomputedVectors(self.corpus, self.queries)

    def _measure(
        self, spec: str, scoring: LineScoring, encoded: Encoded, index: Index, stage: Stage | None
    ) -> Measurement:
        codec, rescore_bytes = encoded.parts[0].codec, 4 * self.corpus.dimensions if scoring == "rescored" else 0
        if stage is None:
            queries = self._judged_vectors
            ranked = timed_ranking(self._judged, lambda few, k, allowed: index.search(queries[few], k, allowed))
            correlation = self._preservation.score_correlation(index)
        else:
            first = IndexRetriever(index, self._vectors.embed_queries)
            stage, retriever = self._over(stage, first)
            ranked, correlation = timed_ranking(self._judged, self._search_texts(retriever)), math.nan
            rescore_bytes += retriever.rescore_bytes_per_document
        lexical_bytes = 0.0 if stage is None else retriever.lexical_bytes_per_document
        return self._measurement(
            ranked,
            stage,
            codec=spec,
            scoring=scoring,
            fit_on=self._fit_on(spec, codec),
            dimensions=codec.dimensions,
            bytes_per_vector=codec.bytes_per_vector,
            memory_bytes_per_vector=two_stages.memory_bytes_per_vector(codec)
            if scoring == "two-stage"
            else codec.memory_bytes_per_vector,
            rescore_bytes_per_vector=rescore_bytes,
            lexical_bytes_per_vector=round(lexical_bytes),
            amortised_bytes_per_vector=codec.bytes_per_vector
            + rescore_bytes
            + lexical_bytes
            + codec.codec_bytes / len(self.corpus),
            codec_bytes=codec.codec_bytes,
            fit_seconds=encoded.fit_seconds,
            encode_vectors_per_second=len(self.corpus) / encoded.encode_seconds,
            score_correlation=correlation,
        )

    def _measure_lexical(self, bm25: Bm25, stage: Stage | None) -> Measurement:
        start = time.perf_counter()
        lexical = LexicalIndex.build(self.task.corpus.texts, bm25)
        seconds = time.perf_counter() - start
        retriever: Retriever = LexicalRetriever(lexical, rank_by_id(self.corpus.ids))
        if stage is not None:
            stage, retriever = self._over(stage, retriever)
        rescore_bytes, lexical_bytes = retriever.rescore_bytes_per_document, retriever.lexical_bytes_per_document
        return self._measurement(
            timed_ranking(self._judged, self._search_texts(retriever)),
            stage,
            packages=BM25_PACKAGES,
            codec=bm25.spec,
            scoring="lexical",
            fit_on="nothing",
            dimensions=0,
            bytes_per_vector=0,
            rescore_bytes_per_vector=rescore_bytes,
            lexical_bytes_per_vector=round(lexical_bytes),
            amortised_bytes_per_vector=rescore_bytes + lexical_bytes,
            codec_bytes=0,
            fit_seconds=0.0,
            encode_vectors_per_second=len(self.corpus) / seconds,
        )

    def _over(self, stage: Stage, first: Retriever) -> tuple[Stage, Retriever]:
        """Return a stage, with a chosen weight if it needs one, and the retriever that it makes of the first one."""
        if isinstance(stage, FusionStage) and stage.weight == "chosen":
            stage = choose_weight(stage, first, self.task, self.split)
        return stage, stage.over(first, self.task.corpus)

    def _search_texts(self, retriever: Retriever) -> Search:
        return lambda few, k, allowed: retriever.search(self._texts[few], k, allowed)

    def _measurement(
        self, ranked: TimedRanking, stage: Stage | None, scoring: str, packages: Sequence[str] = (), **values: Any
    ) -> Measurement:
        """Return the measurement of a ranking; `values` are the fields of the result that depend on the retriever."""
        quality, further = ranked.quality, [*packages, *(() if stage is None else stage.packages)]
        result = Result(
            task=self.task.name,
            split=self.split,
            encoder=self.encoder,
            scoring=scoring if stage is None else f"{scoring}+{stage.label}",
            n_docs=len(self.corpus),
            n_queries=len(quality.query_ids),
            compression=1.0,
            ndcg_at_10=quality.mean_ndcg_at_10,
            recall_at_100=float(quality.recall_at_100.mean()),
            retention=1.0,
            p_value=1.0,
            queries_per_second=len(self._texts) / ranked.seconds,
            milliseconds_per_query=ranked.milliseconds_per_query,
            seed=self.seed,
            versions={**versions(), **package_versions(further)},
            metrics={name: float(each.mean()) for name, each in quality.values.items() if name not in DEFAULT_METRICS},
            neighbors_kept_at_10=math.nan if self.task.candidates else self._preservation.neighbors_kept(ranked.rows),
            second_stage={} if stage is None else dict(stage.settings),
            machine=machine(),
            **values,
        )
        return Measurement(result, quality.ndcg_at_10.tolist(), *ranked.top)

    def _fit_on(self, spec: str, codec: Codec) -> str:
        if not codec.requires_fit:
            return "nothing"
        fit_on = "saved codec" if is_codec(spec) else self.fit_on
        return f"{fit_on}, re-centered" if self.recenter else fit_on
