"""`study binary-training`: the starts, relaxations and losses of trained binary codes, chosen on validation queries."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from statistics import fmean

import numpy as np

from vecsmith.array_types import Doubles
from vecsmith.codecs import Codec
from vecsmith.codecs.options import LOSSES
from vecsmith.errors import VecsmithError
from vecsmith.evaluation import paired_p_value
from vecsmith.evaluation.compare import compare_with_baseline
from vecsmith.evaluation.folds import training_set
from vecsmith.evaluation.measurement import Measurement
from vecsmith.evaluation.results import Result
from vecsmith.evaluation.runner import BASELINE, TaskRunner
from vecsmith.progress import track
from vecsmith.report.architectures import Models, codec_diagram
from vecsmith.report.article import Block
from vecsmith.report.findings import Findings, Table, mean_and_spread
from vecsmith.studies.config import STUDIES, StudyConfig
from vecsmith.studies.outline import OUTLINES, Outline
from vecsmith.tasks import Task

STARTS = (1, 4)
RELAXATIONS = ("straight-through", "sigmoid", "tanh", "gumbel")
GRID = {"starts": STARTS, "relaxation": RELAXATIONS, "loss": LOSSES}
"""Values of the training options that are searched."""
SHARE = 16
"""Default sizes of grouped and neural codes: d/16 bytes, half a bit per dimension."""
TRAIN, DEV = "train", "dev"
SPLIT_SEED = 0
"""Seed of the validation queries of a task that has no split of its own for them."""


def binary_training(config: StudyConfig, methods: Sequence[str] = ()) -> Findings:
    """Search the starts, relaxations and losses of thresholds, grouped and neural codes on dev; report on test.

    Contrastive losses are trained on the judged pairs of ``train``, and options are chosen by nDCG@10 on ``dev`` with
    the first seed. A task that has only one of the two splits gets the other from a half of its queries. Queries of the
    reported split are left out of both.

    Parameters
    ----------
    config : StudyConfig
        Tasks, encoders and protocol. Each task needs a split ``train`` or ``dev``.
    methods : sequence of str
        Codecs whose training is searched; by default thresholds, grouped codes with both rules, and neural codes.

    Returns
    -------
    Findings
        For each codec the default and the chosen options on the reported split, over all seeds; the mean retention on
        ``dev`` for each value of an option; and all combinations on ``dev``.

    Raises
    ------
    VecsmithError
        If a task has neither ``train`` nor ``dev``, or a codec does not take the options.
    """
    tasks = [with_validation(task, task.present(config.split)) for task in config.loaded]
    searches = [
        Search(config, task, encoder, method)
        for task in tasks
        for encoder in config.encoders
        for method in methods or default_methods(config.embed(task, encoder)[0].dimensions)
    ]
    specs = [list(search.specs) for search in searches]
    rows: dict[str, list[list[str]]] = {"chosen": [], "options": [], "search": []}
    results: list[Result] = []
    for number, (search, variants) in enumerate(zip(searches, specs, strict=True), 1):
        retention = search.on_dev(variants)
        chosen = max(retention, key=lambda spec: retention[spec])
        lines, measured = search.on_test([search.method, chosen])
        names = [search.task.name, search.encoder]
        rows["chosen"] += [[*names, *line] for line in lines]
        rows["options"] += [[*names, search.method, *line] for line in _option_means(retention)]
        rows["search"] += [[*names, spec, f"{value:.1%}"] for spec, value in retention.items()]
        results += measured
        config.publish(Findings(_tables(config, rows), results), number, len(searches))
    return Findings(_tables(config, rows), results)


def default_methods(d: int) -> list[str]:
    """Return the codecs that are searched by default, for vectors of d dimensions."""
    size = max(1, d // SHARE)
    return ["thresholds", f"grouped{size}B", f"grouped{size}B(rule=sum)", f"neural{size}B"]


def with_validation(task: Task, split: str) -> Task:
    """Return the task with disjoint splits ``train`` and ``dev``, both without the queries of `split`.

    Raises
    ------
    VecsmithError
        If the task has neither split, or too few queries in them.
    """
    reported = task.judgements(split)
    given = {
        name: {query: gains for query, gains in task.qrels.get(name, {}).items() if query not in reported}
        for name in (TRAIN, DEV)
    }
    train = {query: gains for query, gains in given[TRAIN].items() if query not in given[DEV]}
    dev = given[DEV]
    if not train or not dev:
        judged = train or dev
        queries = np.random.default_rng(SPLIT_SEED).permutation(sorted(judged)).tolist()
        half = len(queries) // 2
        if not half:
            raise VecsmithError(
                f"{task.name} has no queries in train or dev besides those of {split}; this study chooses training "
                "options on them. Choose another task."
            )
        train, dev = ({query: judged[query] for query in part} for part in (queries[:half], queries[half:]))
    return replace(task, qrels={split: reported, TRAIN: train, DEV: dev})


@dataclass(frozen=True)
class Search:
    """A search of the training options of one codec on one task and encoder.

    Attributes
    ----------
    config : StudyConfig
        The protocol.
    task : Task
        A task of `with_validation`.
    encoder, method : str
        Specs of the encoder and of the codec with its fixed options.
    """

    config: StudyConfig
    task: Task
    encoder: str
    method: str

    @property
    def specs(self) -> Iterator[str]:
        """Canonical specs of all combinations of options."""
        *reducers, quantizer = (stage.spec for stage in Codec(self.method).stages)
        head, _, fixed = quantizer.removesuffix(")").partition("(")
        for values in product(*GRID.values()):
            searched = [f"{name}={value}" for name, value in zip(GRID, values, strict=True)]
            options = ",".join([*searched, *filter(None, [fixed])])
            yield Codec(",".join([*reducers, f"{head}({options})"])).spec

    def on_dev(self, specs: Sequence[str]) -> dict[str, float]:
        """Return the retention on dev for each spec, with the first seed."""
        seed = self.config.seeds[0]
        baseline = self._measure(BASELINE, DEV, seed).result.ndcg_at_10
        return {
            spec: self._measure(spec, DEV, seed).result.ndcg_at_10 / baseline
            for spec in track(specs, f"{self.task.name}, {self.encoder}: {self.method}", len(specs))
        }

    def on_test(self, specs: Sequence[str]) -> tuple[list[list[str]], list[Result]]:
        """Return a row for each spec, compared with the first, and the results on the reported split of all seeds."""
        split, seeds = self.task.present(self.config.split), self.config.seeds
        baselines = [self._measure(BASELINE, split, seed) for seed in seeds]
        results = [compare_with_baseline(each, each) for each in baselines]
        rows: list[list[str]] = []
        by_query: list[Doubles] = []
        for spec in specs:
            measured = [self._measure(spec, split, seed) for seed in seeds]
            by_query.append(np.mean([each.ndcg_at_10 for each in measured], axis=0))
            p_value = f"{paired_p_value(by_query[-1], by_query[0]):.3f}" if rows else ""
            compared = [compare_with_baseline(*each) for each in zip(measured, baselines, strict=True)]
            ndcg = f"{fmean(each.ndcg_at_10 for each in compared):.4f}"
            kept = mean_and_spread([each.retention for each in compared])
            on_dev = f"{self.on_dev([spec])[spec]:.1%}"
            rows.append([spec, str(compared[0].bytes_per_vector), on_dev, ndcg, kept, p_value])
            results += compared
        return rows, results

    def _measure(self, spec: str, split: str, seed: int) -> Measurement:
        corpus, queries = self.config.embed(self.task, self.encoder)
        fit_on = self.config.fit_on
        runner = TaskRunner(
            task=self.task,
            split=split,
            encoder=self.encoder,
            corpus=corpus,
            queries=queries,
            fit_on=fit_on,
            training=training_set(fit_on, corpus),
            seed=seed,
            pairs_split=TRAIN,
        )
        return next(runner.measure(spec, ["exact" if spec == BASELINE else "asymmetric"]))


def _option_means(retention: dict[str, float]) -> Iterator[list[str]]:
    """Yield each value of an option with the mean and the maximum retention over the other options."""
    for option, values in GRID.items():
        for value in values:
            kept = [each for spec, each in retention.items() if Codec(spec).quantizer.options[option] == value]
            yield [option, str(value), f"{fmean(kept):.1%}", f"{max(kept):.1%}"]


def _tables(config: StudyConfig, rows: dict[str, list[list[str]]]) -> list[Table]:
    protocol = f"nDCG@10 relative to float32, asymmetric scoring, fit on {config.fit_on}"
    seeds = ", ".join(map(str, config.seeds))
    return [
        Table(
            "chosen",
            f"Default options, and below them the options with the best nDCG@10 on dev: {protocol}; split "
            f"{config.split}, mean and half the range of seeds {seeds}; p of a paired test over queries against the "
            "default",
            ["task", "encoder", "codec", "bytes", "dev", "nDCG@10", "retention", "p"],
            rows["chosen"],
        ),
        Table(
            "options",
            f"Mean and maximum over all combinations with a value of an option, on dev: {protocol}; seed "
            f"{config.seeds[0]}",
            ["task", "encoder", "codec", "option", "value", "mean", "maximum"],
            rows["options"],
        ),
        Table(
            "search",
            f"All combinations of options on dev: {protocol}; seed {config.seeds[0]}",
            ["task", "encoder", "codec", "dev"],
            rows["search"],
        ),
    ]


def methods(models: Models) -> Sequence[Block]:
    """Return the methods for the article, with a diagram of the first model's neural codes."""
    model, d = next(iter(models.items()))
    return [
        f"Codes are trained with every combination of {' or '.join(map(str, STARTS))} starts, {len(RELAXATIONS)} "
        f"relaxations of the sign ({', '.join(RELAXATIONS)}) and {len(LOSSES)} losses ({', '.join(LOSSES)}). The best "
        "combination on validation queries is measured on the reported queries, beside the default.",
        codec_diagram(f"neural{d // SHARE or 24}B", {model: d}),
    ]


STUDIES["binary-training"] = binary_training
OUTLINES["binary-training"] = Outline(
    "Training of binary codes",
    "Which start, relaxation and loss suit the training of binary codes, and does the choice matter?",
    methods,
    {
        "chosen": "Default and chosen options",
        "options": "The options one by one",
        "search": "All combinations",
    },
    ["Options are chosen on the validation queries of each task, with the first seed."],
)
