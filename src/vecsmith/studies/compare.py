"""`compare`: every codec asked for, on every task and encoder, measured side by side."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vecsmith.codecs import Codec, is_codec, load_codec
from vecsmith.encoders import EncoderOptions, embed_task
from vecsmith.errors import unknown
from vecsmith.metrics import paired_p_value
from vecsmith.progress import track
from vecsmith.results import Result
from vecsmith.search import SCORINGS, Scoring, training_set
from vecsmith.studies.bench import BASELINE, Bench, Measurement
from vecsmith.tasks import Task, load_task


def compare(
    tasks: Sequence[Task | str],
    encoders: Sequence[str],
    codecs: Sequence[str],
    scorings: Sequence[Scoring] = ("asymmetric",),
    split: str = "test",
    fit_on: str = "cross",
    seed: int = 0,
    options: EncoderOptions | None = None,
    force: bool = False,
    recenter: bool = False,
) -> list[Result]:
    """Measure what codecs cost and keep.

    Parameters
    ----------
    tasks : sequence of Task or str
        Tasks, or their specs.
    encoders, codecs : sequence of str
        Specs, as the command line takes them; a codec may be the folder of a fitted one, which is used as it is.
    scorings : sequence of {"symmetric", "asymmetric", "rescored"}
        How queries are scored against codes.
    split : str
        Judgements to use; several joined by ``+``.
    fit_on : {"cross", "corpus"} or str
        What codecs are fitted on (see `encode_corpus`), or the folder of another `EmbeddingSet`.
    seed : int
        Seeds codecs and halves.
    options : EncoderOptions, optional
        Prompts, length and batch size of the encoders.
    force : bool
        Measure again what has been measured before on the same inputs.
    recenter : bool
        Give codecs that keep a mean that of the corpus they encode.

    Returns
    -------
    list of Result
        For every task and encoder, float32 and then a result per codec and scoring.

    Raises
    ------
    VecsmithError
        If a name is unknown or an input is bad; names are checked before anything is embedded.
    """
    measured = measure(tasks, encoders, codecs, scorings, split, fit_on, seed, options, force, recenter)
    return [against(measurement, bench[0]) for bench in measured for measurement in bench]


def measure(
    tasks: Sequence[Task | str],
    encoders: Sequence[str],
    codecs: Sequence[str],
    scorings: Sequence[Scoring] = ("asymmetric",),
    split: str = "test",
    fit_on: str = "cross",
    seed: int = 0,
    options: EncoderOptions | None = None,
    force: bool = False,
    recenter: bool = False,
) -> list[list[Measurement]]:
    """Return the measurements behind `compare`: a list per task and encoder, float32 first."""
    for scoring in scorings:
        if scoring not in SCORINGS:
            raise unknown("scoring", scoring, SCORINGS)
    specs = list(dict.fromkeys([BASELINE, *codecs]))
    for spec in specs:
        load_codec(spec) if is_codec(spec) else Codec(spec, seed)
    loaded = [load_task(task) if isinstance(task, str) else task for task in tasks]
    for task in loaded:
        task.judgements(split)
    measured = []
    for task in loaded:
        for encoder in encoders:
            corpus, queries = embed_task(task, encoder, options or EncoderOptions())
            training = training_set(fit_on, corpus)
            bench = Bench(task, split, encoder, corpus, queries, fit_on, training, seed, recenter)
            measured.append(
                [
                    measurement
                    for spec in track(specs, f"{task.name}, {encoder}", len(specs))
                    for measurement in bench.measure(spec, scorings, force)
                ]
            )
    return measured


def against(measurement: Measurement, baseline: Measurement) -> Result:
    """Return a measurement as a result, compared with its baseline."""
    reference = baseline.result.ndcg_at_10
    return replace(
        measurement.result,
        retention=measurement.result.ndcg_at_10 / reference if reference else float("nan"),
        p_value=paired_p_value(np.array(measurement.ndcg_at_10), np.array(baseline.ndcg_at_10)),
    )
