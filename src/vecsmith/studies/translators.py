"""`study translators`: what every translator keeps, between every two models, on every task."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import replace
from itertools import permutations
from multiprocessing import get_context, parent_process
from statistics import fmean
from threading import Thread

from vecsmith.errors import VecsmithError
from vecsmith.evaluation.translation import MODES, NEIGHBORS, Experiment, Outcome, run
from vecsmith.progress import track
from vecsmith.report.findings import Findings, Table
from vecsmith.studies.setting import STUDIES, Setting
from vecsmith.studies.translator_examples import examples
from vecsmith.translators import translator

METHODS = ("canonical", "procrustes", "linear", "linear:rank64", "local8", "mlp1", "mlp1x8", "mlp2")


def translators(setting: Setting, methods: Sequence[str] = METHODS, workers: int | None = None) -> Findings:
    """Measure translators between every two models, both ways, in worker processes.

    What was measured before on the same inputs is read from the cache, so that a study that was killed goes on. The
    maps and the page of examples are of what is named first: task, models, translator and seed.

    Parameters
    ----------
    setting : Setting
        On what it measures: two encoders or more, cross-fitted.
    methods : sequence of str
        Specs of translators.
    workers : int, optional
        Processes; one a core by default.

    Raises
    ------
    VecsmithError
        If there are fewer than two encoders, or `fit_on` is not ``cross``.
    """
    if len(set(setting.encoders)) < 2:
        raise VecsmithError("Translators are studied between models; give two or more with --encoder.")
    if setting.fit_on != "cross":
        raise VecsmithError(f"Translators are studied cross-fitted; leave out --fit-on {setting.fit_on}.")
    for method in methods:
        translator(method)
    experiments = [
        Experiment(
            task,
            setting.split,
            source,
            target,
            method,
            seed,
            options=(setting.options_of(source), setting.options_of(target)),
        )
        for task in setting.tasks
        for method in methods
        for source, target in permutations(dict.fromkeys(setting.encoders), 2)
        for seed in setting.seeds
    ]
    # texts are embedded once, before processes need them
    for task, encoder in setting.cases:
        setting.embed(task, encoder)
    found = findings(run_all(experiments, workers))
    maps, page = examples(experiments[0])
    return replace(found, maps=maps, pages=[page])


def findings(outcomes: Sequence[Outcome]) -> Findings:
    """Return the tables of the outcomes of experiments."""
    retention = "nDCG@10 over that of the target model's own index"
    seeds = ", ".join(map(str, sorted({outcome.experiment.seed for outcome in outcomes})))
    return Findings(
        [
            _mean_table("methods", f"Means over tasks, models and seeds ({seeds}); {retention}", outcomes),
            *(_mode_table(mode, f"{retention}: {_SAID[mode]}", outcomes) for mode in MODES[:3]),
            _table("mse", "1,000 times the squared error a dimension", outcomes, lambda f: f"{1000 * f['mse']:.3f}"),
            _table("neighbors", f"Jaccard overlap of {NEIGHBORS} nearest neighbors", outcomes, _plain("jaccard")),
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
    return _table(mode, title, outcomes, lambda figures: f"{figures[mode]:.1%}" if mode in figures else "")


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


def run_all(experiments: Sequence[Experiment], workers: int | None = None) -> list[Outcome]:
    """Return the outcomes of experiments, which run in worker processes: one a core by default."""
    done: dict[Experiment, Outcome] = {}
    processes = min(workers or os.cpu_count() or 1, len(experiments))
    with _one_thread(), ProcessPoolExecutor(processes, get_context("spawn"), end_with_the_parent) as pool:
        futures = {pool.submit(run, experiment): experiment for experiment in experiments}
        try:
            for future in track(as_completed(futures), "Experiments", len(futures)):
                done[futures[future]] = future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [done[experiment] for experiment in experiments]


def end_with_the_parent() -> None:
    """End this process when the one that started it is gone; a worker of one that was killed waits for work forever."""
    if parent := parent_process():

        def watch() -> None:
            parent.join()
            os._exit(1)

        Thread(target=watch, daemon=True).start()


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


STUDIES["translators"] = translators
