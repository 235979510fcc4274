"""`compare`: measure several codecs on several tasks and encoders."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from vecsmith.codecs import Codec, is_codec, load_codec
from vecsmith.encoders import EncoderOptions, embed_task, options_by_encoder
from vecsmith.errors import VecsmithError, unknown
from vecsmith.evaluation.folds import training_set
from vecsmith.evaluation.fusion_weight import validation_split
from vecsmith.evaluation.measurement import Measurement
from vecsmith.evaluation.metrics import required_depth
from vecsmith.evaluation.results import FIELD_OF_METRIC, Result
from vecsmith.evaluation.runner import BASELINE, LineScoring, TaskRunner
from vecsmith.evaluation.significance import paired_p_value
from vecsmith.index import SCORINGS, has_two_quantizers
from vecsmith.progress import track
from vecsmith.retrievers.specs import RetrieverSpecs
from vecsmith.retrievers.vector_sources import PrecomputedVectors
from vecsmith.tasks import Task, load_task


def compare(
    tasks: Sequence[Task | str],
    encoders: Sequence[str],
    codecs: Sequence[str],
    scorings: Sequence[LineScoring] = ("asymmetric",),
    split: str = "test",
    fit_on: str = "cross",
    seed: int = 0,
    options: EncoderOptions | None = None,
    force: bool = False,
    recenter: bool = False,
    baseline: str | None = None,
    metrics: Sequence[str] = (),
    retrievers: RetrieverSpecs | None = None,
) -> list[Result]:
    """Measure the retrieval quality, storage and speed of codecs.

    Parameters
    ----------
    tasks : sequence of Task or str
        Tasks, or their specs.
    encoders, codecs : sequence of str
        Specs, as on the command line. A codec may also be the folder of a fitted codec, which is not fitted again.
    scorings : sequence of {"symmetric", "asymmetric", "two-stage", "rescored"}
        How queries are scored against codes. A codec of two quantizers always has a ``two-stage`` line: the search that
        ``vecsmith encode`` ships, which scans the first codes and reorders the shortlist by the whole codes.
    split : str
        The split of the relevance judgements, or several splits joined by ``+``.
    fit_on : {"cross", "corpus"} or str
        The protocol (see `encode_corpus`), or the folder of the `EmbeddingSet` that codecs are fitted on.
    seed : int
        Seed of the codecs and of the halves of the corpus.
    options : EncoderOptions, optional
        Prompts (for all encoders or for each), maximum length and batch size.
    force : bool
        Whether to ignore measurements in the cache.
    recenter : bool
        Whether to replace the means of all codecs by the means of the vectors that they encode.
    baseline : str, optional
        Spec of the encoder whose float32 vectors are the baseline of all results. By default, the baseline of a result
        is the float32 vectors of its own encoder.
    metrics : sequence of str
        Names of further metrics, as in ir_measures: nDCG@K, R@K, P@K, RR@K, AP@K, Success@K, Judged@K, or nDCG, RR, AP,
        Rprec and Bpref of the first 1,000 documents. nDCG@10, R@100 and the similarity preservation (Kept@10 and
        Correlation) are always measured.
    retrievers : RetrieverSpecs, optional
        BM25, and fusions and rerankers after every codec.

    Returns
    -------
    list of Result
        For every task and encoder, the result of float32, then of BM25 if it is measured, then a result per codec and
        scoring. Each is followed by the results of its fusions and rerankers. If `baseline` is given, its float32
        result comes first for every task.

    Raises
    ------
    VecsmithError
        If a name is unknown, an input is invalid, or a codec has no mean that `recenter` could replace. All of this
        is checked before any text is embedded.
    """
    groups = measure(
        tasks, encoders, codecs, scorings, split, fit_on, seed, options, force, recenter, baseline, metrics, retrievers
    )
    return [measurement.result for measurement in compared(groups, baseline)]


def measure(
    tasks: Sequence[Task | str],
    encoders: Sequence[str],
    codecs: Sequence[str],
    scorings: Sequence[LineScoring] = ("asymmetric",),
    split: str = "test",
    fit_on: str = "cross",
    seed: int = 0,
    options: EncoderOptions | None = None,
    force: bool = False,
    recenter: bool = False,
    baseline: str | None = None,
    metrics: Sequence[str] = (),
    retrievers: RetrieverSpecs | None = None,
) -> list[list[Measurement]]:
    """Return the measurements behind `compare`: a list for every task and encoder, float32 first.

    See `compare` for the parameters. The list of `baseline` comes first for every task; it has only float32 if
    `baseline` is not among `encoders`.

    Raises
    ------
    VecsmithError
        As for `compare`.
    """
    for scoring in scorings:
        if scoring not in (*SCORINGS, "two-stage"):
            raise unknown("scoring", scoring, (*SCORINGS, "two-stage"))
    metrics = [name for name in dict.fromkeys(metrics) if name not in FIELD_OF_METRIC]
    required_depth(metrics)  # raises an error for an unknown metric
    retrievers = retrievers or RetrieverSpecs()
    retrievers.check()
    measured_encoders = [*([baseline] if baseline else []), *encoders]
    by_encoder = options_by_encoder(options, [*measured_encoders, *retrievers.encoders])
    lines: dict[str, Sequence[LineScoring]] = {BASELINE: ["exact"]}
    for spec in codecs:
        codec = load_codec(spec) if is_codec(spec) else Codec(spec, seed)
        # "PCA16, int8" is written pca16,int8; the path of a folder does not change
        name = spec if is_codec(spec) else codec.spec
        if name not in lines:
            if recenter:
                codec.check_keeps_mean()
            lines[name] = _codec_scorings(codec, scorings)
    loaded = [load_task(task) if isinstance(task, str) else task for task in tasks]
    for task in loaded:
        task.judgements(split)
        if any(stage.weight == "chosen" for stage in retrievers.fusion_stages):
            validation_split(task, split)
    measured = []
    for task in loaded:
        sources = {spec: PrecomputedVectors(*embed_task(task, spec, by_encoder[spec])) for spec in retrievers.encoders}
        rerankers = list(retrievers.reranking_stages(sources))
        for encoder in dict.fromkeys(measured_encoders):
            encoder_options = by_encoder[encoder]
            corpus, queries = embed_task(task, encoder, encoder_options)
            specs = list(lines) if encoder in encoders else [BASELINE]
            training = training_set(fit_on, corpus) if encoder in encoders else None
            runner = TaskRunner(
                task, split, encoder, corpus, queries, fit_on, training, seed, recenter, metrics=metrics
            )
            stages = [*retrievers.fusion_stages, *rerankers] if encoder in encoders else []
            group: list[Measurement] = []
            for spec in track(specs, f"{task.name}, {encoder}", len(specs)):
                group += runner.measure(spec, lines[spec], force, stages)
                if spec == BASELINE and encoder in encoders and retrievers.lexical:
                    group += runner.measure_lexical(retrievers.lexical, force, rerankers)
            measured.append(group)
    return measured


def compared(groups: Iterable[Sequence[Measurement]], baseline: str | None = None) -> Iterator[Measurement]:
    """Yield the measurements of `measure`, with results that are compared with the baseline.

    Parameters
    ----------
    groups : iterable of sequence of Measurement
        The return value of `measure`.
    baseline : str, optional
        Its parameter `baseline`.
    """
    for group in groups:
        if baseline in (None, group[0].result.encoder):
            reference = group[0]
        for measurement in group:
            yield replace(measurement, result=compare_with_baseline(measurement, reference))


def _codec_scorings(codec: Codec, scorings: Sequence[LineScoring]) -> list[LineScoring]:
    """Return the scorings to measure for a codec, with ``two-stage`` first for a codec of two quantizers."""
    if has_two_quantizers(codec):
        return list(dict.fromkeys(["two-stage", *scorings]))
    if "two-stage" in scorings:
        raise VecsmithError(
            f"{codec.spec} has one quantizer and no two stages; leave out --scoring two-stage. Codecs of two "
            "quantizers are measured with it by default."
        )
    return list(scorings)


def compare_with_baseline(measurement: Measurement, baseline: Measurement) -> Result:
    """Return the result of a measurement with its compression, retention and p-value relative to a baseline."""
    result, reference = measurement.result, baseline.result.ndcg_at_10
    stored = result.bytes_per_vector + result.rescore_bytes_per_vector + result.lexical_bytes_per_vector
    return replace(
        result,
        baseline=baseline.result.encoder,
        compression=baseline.result.bytes_per_vector / stored,
        retention=result.ndcg_at_10 / reference if reference else float("nan"),
        p_value=paired_p_value(np.array(measurement.ndcg_at_10), np.array(baseline.ndcg_at_10)),
    )
