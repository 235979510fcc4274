"""`study translators`: what every translator keeps, between every two models, on every task."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from itertools import permutations
from multiprocessing import get_context
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from vecsmith.codecs import Codec
from vecsmith.embeddings import EmbeddingSet
from vecsmith.encoders import embed_task
from vecsmith.errors import VecsmithError
from vecsmith.files import cache_folder, fingerprint, write_text
from vecsmith.metrics import DEPTH, evaluate, geometry
from vecsmith.progress import track
from vecsmith.search import Index
from vecsmith.studies.bench import _code_hash, _versions
from vecsmith.studies.findings import Findings, Table
from vecsmith.tasks import Task, load_task
from vecsmith.translators import Translator, translator

Floats = NDArray[np.float32]

METHODS = ("procrustes", "linear", "linear:rank64", "canonical", "local8", "mlp1", "mlp1x8", "mlp2")
FOLDS = 5
"""Every text is translated by a translator that was fitted on the other four fifths."""
NEIGHBOURS = 10
MODES = ("queries", "documents", "both", "neither")


@dataclass(frozen=True)
class Experiment:
    """What is measured: a translator, from one model to another, on one task.

    Attributes
    ----------
    task, split, source, target, method : str
        Specs of the task, its judgements, the two encoders and the translator.
    seed : int
        Of the translator and the folds.
    """

    task: str
    split: str
    source: str
    target: str
    method: str
    seed: int


@dataclass(frozen=True)
class Outcome:
    """An experiment, and what it found.

    Attributes
    ----------
    experiment : Experiment
        What was measured.
    task : str
        The task's name.
    figures : dict of str to float
        Of texts that were not fitted on: ``mse``, ``cosine``, ``linear_cka``, ``rbf_cka``, and the measures of
        `vecsmith.metrics.ranked_lists`; nDCG@10 over that of the target model's own index, for each of `MODES`
        (``neither`` where dimensions agree).
    """

    experiment: Experiment
    task: str
    figures: dict[str, float]


def translators(
    tasks: Sequence[str],
    encoders: Sequence[str],
    split: str = "test",
    fit_on: str = "cross",
    seeds: Sequence[int] = (0,),
    methods: Sequence[str] = METHODS,
    workers: int | None = None,
) -> Findings:
    """Measure translators between every two models, both ways, in worker processes.

    What was measured before on the same inputs is read from the cache, so that a study that was killed goes on.

    Parameters
    ----------
    tasks, encoders : sequence of str
        Specs, as of `compare`; two encoders or more.
    split : str
        Judgements to use.
    fit_on : {"cross"}
        Translators are cross-fitted.
    seeds : sequence of int
        Seeds of translators and folds.
    methods : sequence of str
        Specs of translators.
    workers : int, optional
        Processes; one a core by default.

    Raises
    ------
    VecsmithError
        If there are fewer than two encoders, or `fit_on` is something else.
    """
    if len(set(encoders)) < 2:
        raise VecsmithError("Translators are studied between models; give two or more with --encoder.")
    if fit_on != "cross":
        raise VecsmithError(f"Translators are studied cross-fitted; leave out --fit-on {fit_on}.")
    for method in methods:
        translator(method)
    experiments = [
        Experiment(task, split, source, target, method, seed)
        for task in tasks
        for method in methods
        for source, target in permutations(dict.fromkeys(encoders), 2)
        for seed in seeds
    ]
    # texts are embedded once, before processes need them
    for task in tasks:
        for encoder in encoders:
            embed_task(load_task(task), encoder)
    return findings(list(_run(experiments, workers or os.cpu_count() or 1)))


def findings(outcomes: Sequence[Outcome]) -> Findings:
    """Return the tables of the outcomes of experiments."""
    retention = "nDCG@10 over that of the target model's own index"
    return Findings(
        [
            _mean_table("methods", f"Means over tasks, models and seeds; {retention}", outcomes),
            *(_mode_table(mode, f"{retention}: {_SAID[mode]}", outcomes) for mode in MODES[:3]),
            _table("mse", "1,000 times the squared error a dimension", outcomes, lambda f: f"{1000 * f['mse']:.3f}"),
            _table("neighbours", f"Jaccard overlap of {NEIGHBOURS} nearest neighbours", outcomes, _plain("jaccard")),
            _table("kernels", "Linear CKA", outcomes, _plain("linear_cka")),
        ]
    )


_SAID = {
    "queries": "queries translated, the target's documents",
    "documents": "documents translated, the target's queries",
    "both": "queries and documents translated",
}


def _mean_table(name: str, title: str, outcomes: Sequence[Outcome]) -> Table:
    columns = ["cosine", "linear_cka", "rbf_cka", "jaccard", "edit_distance", "rbo"]
    rows = []
    for method in dict.fromkeys(outcome.experiment.method for outcome in outcomes):
        figures = [outcome.figures for outcome in outcomes if outcome.experiment.method == method]
        shares = [[each[mode] for each in figures if mode in each] for mode in MODES]
        plain = [f"{fmean(each[column] for each in figures):.3f}" for column in columns]
        rows.append([method, *(f"{fmean(share):.1%}" if share else "" for share in shares), *plain])
    return Table(name, title, ["translator", *MODES, *columns], rows)


def _mode_table(mode: str, title: str, outcomes: Sequence[Outcome]) -> Table:
    return _table(mode, title, outcomes, lambda figures: f"{figures[mode]:.1%}")


def _plain(name: str) -> Callable[[dict[str, float]], str]:
    return lambda figures: f"{figures[name]:.3f}"


def _table(name: str, title: str, outcomes: Sequence[Outcome], cell: Callable[[dict[str, float]], str]) -> Table:
    """Return a row per task and two models, and a column per translator; means over the seeds."""
    methods = list(dict.fromkeys(outcome.experiment.method for outcome in outcomes))
    groups: dict[tuple[str, str, str], dict[str, list[dict[str, float]]]] = {}
    for outcome in outcomes:
        experiment = outcome.experiment
        group = groups.setdefault((outcome.task, experiment.source, experiment.target), {})
        group.setdefault(experiment.method, []).append(outcome.figures)
    rows = [
        [*names, *(cell(_mean(group[method])) if method in group else "" for method in methods)]
        for names, group in groups.items()
    ]
    return Table(name, title, ["task", "from", "to", *methods], rows)


def _mean(figures: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: fmean(each[name] for each in figures) for name in figures[0]}


def _run(experiments: Sequence[Experiment], workers: int) -> Iterator[Outcome]:
    """Yield the outcomes in the order of the experiments."""
    done: dict[Experiment, Outcome] = {}
    with _one_thread(), ProcessPoolExecutor(min(workers, len(experiments)), get_context("spawn")) as pool:
        futures = {pool.submit(run, experiment): experiment for experiment in experiments}
        try:
            for future in track(as_completed(futures), "Experiments", len(futures)):
                done[futures[future]] = future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    yield from (done[experiment] for experiment in experiments)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Have processes that are started here compute on one thread each."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def run(experiment: Experiment) -> Outcome:
    """Return what an experiment finds, from the cache if it was run before on the same inputs."""
    task = _task(experiment.task)
    source, target = (_embedded(experiment.task, encoder) for encoder in (experiment.source, experiment.target))
    sets = [embedded.fingerprint for embedded in (*source, *target)]
    key = [asdict(experiment), task.fingerprint, sets, _versions(), _code_hash()]
    path = cache_folder() / "results" / f"{fingerprint(key)}.json"
    try:
        return Outcome(experiment, task.name, json.loads(path.read_text(encoding="utf-8"))["figures"])
    except (OSError, ValueError, KeyError, TypeError):  # not run yet
        figures = _measure(experiment, task, source, target)
        write_text(path, json.dumps({"figures": figures}))
        return Outcome(experiment, task.name, figures)


@cache
def _task(spec: str) -> Task:
    return load_task(spec)


@cache
def _embedded(task: str, encoder: str) -> tuple[EmbeddingSet, EmbeddingSet]:
    return embed_task(_task(task), encoder)


def _measure(
    experiment: Experiment,
    task: Task,
    source: tuple[EmbeddingSet, EmbeddingSet],
    target: tuple[EmbeddingSet, EmbeddingSet],
) -> dict[str, float]:
    X, Y = source[0].unit[:], target[0].unit[:]
    translated, folds, fitted = cross_translate(experiment.method, X, Y, experiment.seed)
    # a fold's texts were translated by one translator, as all would be in use
    Z, wanted = translated[folds[0]], Y[folds[0]]
    neighbours = geometry.neighbourhoods(Z, wanted, (NEIGHBOURS,), experiment.seed)
    figures = {
        "mse": geometry.mse(Z, wanted).mean,
        "cosine": geometry.cosine(Z, wanted).mean,
        "linear_cka": geometry.linear_cka(Z, wanted),
        "rbf_cka": geometry.rbf_cka(Z, wanted),
        **{name: found.mean for (name, _), found in neighbours.items()},
    }
    judged = [row for row, id_ in enumerate(target[1].ids) if id_ in task.judgements(experiment.split)]
    asked, own = (side[1].unit[np.array(judged)] for side in (source, target))

    def ndcg(Q: Floats, D: Floats) -> float:
        return retrieval(task, experiment.split, [target[1].ids[row] for row in judged], Q, D)

    baseline, queries = ndcg(own, Y), fitted.transform(asked)
    modes = {"queries": ndcg(queries, Y), "documents": ndcg(own, translated), "both": ndcg(queries, translated)}
    if X.shape[1] == Y.shape[1]:
        modes["neither"] = ndcg(asked, Y)
    return figures | {mode: value / baseline for mode, value in modes.items()}


def retrieval(task: Task, split: str, query_ids: Sequence[str], Q: Floats, D: Floats) -> float:
    """Return the mean nDCG@10 of queries (m, d) on all documents (n, d) of a task."""
    codec = Codec("float32").fit(D)
    index = Index(codec, codec.encode(D), ids=task.corpus.ids)
    scores, rows = index.search(Q, DEPTH + task.ignore_identical_ids)
    judgements = task.judgements(split)
    quality = evaluate(scores, rows, query_ids, task.corpus.ids, judgements, task.ignore_identical_ids)
    return float(quality.ndcg_at_10.mean())


def cross_translate(
    method: str, X: Floats, Y: Floats, seed: int, pairs: int | None = None
) -> tuple[Floats, list[NDArray[np.int64]], Translator]:
    """Translate every row of X by a translator that has not seen it.

    Parameters
    ----------
    method : str
        Spec of the translator.
    X, Y : ndarray of shape (n, a) and (n, b), float32
        Paired vectors.
    seed : int
        Seeds translators and folds.
    pairs : int, optional
        Pairs that each learns from; all outside the fold by default.

    Returns
    -------
    translated : ndarray of shape (n, b), float32
        X in the space of Y.
    folds : list of ndarray of int64
        The rows that each translator translated.
    fitted : Translator
        That of the first fold.
    """
    folds = np.array_split(np.random.default_rng(seed).permutation(len(X)), FOLDS)
    translated, fitted = np.empty_like(Y), []
    for number, rows in enumerate(folds):
        others = np.concatenate(folds[:number] + folds[number + 1 :])[:pairs]
        fitted.append(translator(method, seed).fit(X[others], Y[others]))
        translated[rows] = fitted[-1].transform(X[rows])
    return translated, folds, fitted[0]
