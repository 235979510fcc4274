"""`compare`: every codec asked for, on every task and encoder, measured side by side."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vecsmith.codecs import Codec, is_codec, load_codec
from vecsmith.encoders import EncoderOptions, embed_task, options_by_encoder
from vecsmith.errors import VecsmithError, unknown
from vecsmith.evaluation import paired_p_value
from vecsmith.evaluation.folds import training_set
from vecsmith.evaluation.results import Result
from vecsmith.evaluation.runner import BASELINE, Bench, LineScoring, Measurement
from vecsmith.index import SCORINGS, has_two_quantizers
from vecsmith.progress import track
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
) -> list[Result]:
    """Measure what codecs cost and keep.

    Parameters
    ----------
    tasks : sequence of Task or str
        Tasks, or their specs.
    encoders, codecs : sequence of str
        Specs, as the command line takes them; a codec may be the folder of a fitted one, which is used as it is.
    scorings : sequence of {"symmetric", "asymmetric", "two-stage", "rescored"}
        How queries are scored against codes. A codec of two quantizers always has a ``two-stage`` line: the search that
        ``vecsmith encode`` ships, which scans the first codes and reorders the shortlist by the whole codes.
    split : str
        Judgements to use; several joined by ``+``.
    fit_on : {"cross", "corpus"} or str
        What codecs are fitted on (see `encode_corpus`), or the folder of another `EmbeddingSet`.
    seed : int
        Seeds codecs and halves.
    options : EncoderOptions, optional
        Prompts, of all or per encoder, length and batch size.
    force : bool
        Measure again what has been measured before on the same inputs.
    recenter : bool
        Replace the means of all codecs by those of the corpus that they encode.
    baseline : str, optional
        Spec of the encoder whose float32 vectors everything is compared with; each encoder's own by default.

    Returns
    -------
    list of Result
        For every task and encoder, float32 and then a result per codec and scoring; `baseline` is the first encoder of
        every task, with float32 alone where it is none of `encoders`.

    Raises
    ------
    VecsmithError
        If a name is unknown, an input is bad, or a codec has no mean that `recenter` could replace; all of this is
        checked before anything is embedded.
    """
    results: list[Result] = []
    for bench in measure(tasks, encoders, codecs, scorings, split, fit_on, seed, options, force, recenter, baseline):
        if baseline in (None, bench[0].result.encoder):
            reference = bench[0]
        results += [against(measurement, reference) for measurement in bench]
    return results


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
) -> list[list[Measurement]]:
    """Return the measurements behind `compare`: a list per task and encoder, float32 first.

    Of every task, `baseline` is the first encoder; where it is none of `encoders`, its list is float32 alone.
    """
    for scoring in scorings:
        if scoring not in (*SCORINGS, "two-stage"):
            raise unknown("scoring", scoring, (*SCORINGS, "two-stage"))
    by_encoder = options_by_encoder(options, [*([baseline] if baseline else []), *encoders])
    lines: dict[str, Sequence[LineScoring]] = {BASELINE: ["exact"]}
    for spec in codecs:
        codec = load_codec(spec) if is_codec(spec) else Codec(spec, seed)
        # "PCA16, int8" is pca16,int8; a folder keeps its name
        name = spec if is_codec(spec) else codec.spec
        if name not in lines:
            if recenter:
                codec.check_keeps_mean()
            lines[name] = _scorings_of(codec, scorings)
    loaded = [load_task(task) if isinstance(task, str) else task for task in tasks]
    for task in loaded:
        task.judgements(split)
    measured = []
    for task in loaded:
        for encoder, its_options in by_encoder.items():
            corpus, queries = embed_task(task, encoder, its_options)
            specs = list(lines) if encoder in encoders else [BASELINE]
            training = training_set(fit_on, corpus) if encoder in encoders else None
            bench = Bench(task, split, encoder, corpus, queries, fit_on, training, seed, recenter)
            measured.append(
                [
                    measurement
                    for spec in track(specs, f"{task.name}, {encoder}", len(specs))
                    for measurement in bench.measure(spec, lines[spec], force)
                ]
            )
    return measured


def _scorings_of(codec: Codec, scorings: Sequence[LineScoring]) -> list[LineScoring]:
    """Return the scorings of a codec; one of two quantizers is also measured as it is searched, in two stages."""
    if has_two_quantizers(codec):
        return list(dict.fromkeys(["two-stage", *scorings]))
    if "two-stage" in scorings:
        raise VecsmithError(
            f"{codec.spec} has one quantizer and no two stages; leave out --scoring two-stage, which codecs of two "
            "quantizers are always measured with."
        )
    return list(scorings)


def against(measurement: Measurement, baseline: Measurement) -> Result:
    """Return a measurement as a result, compared with its baseline."""
    result, reference = measurement.result, baseline.result.ndcg_at_10
    stored = result.bytes_per_vector + result.rescore_bytes_per_vector
    return replace(
        result,
        baseline=baseline.result.encoder,
        compression=baseline.result.bytes_per_vector / stored,
        retention=result.ndcg_at_10 / reference if reference else float("nan"),
        p_value=paired_p_value(np.array(measurement.ndcg_at_10), np.array(baseline.ndcg_at_10)),
    )
