"""Configuration of a study: tasks, encoders and protocol."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

from vecsmith.embeddings import EmbeddingSet
from vecsmith.encoders import EncoderOptions, embed_task, options_by_encoder
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.compare import compare_with_baseline, measure
from vecsmith.evaluation.measurement import Measurement
from vecsmith.evaluation.query_rankings import TaskQueries, task_queries
from vecsmith.evaluation.results import Result
from vecsmith.plugins import Registry
from vecsmith.progress import track
from vecsmith.report.findings import Findings
from vecsmith.tasks import Task, load_task


@dataclass(frozen=True)
class StudyConfig:
    """Tasks and encoders of a study, and the protocol of its measurements.

    Attributes
    ----------
    tasks, encoders : sequence of str
        Specs, as in `compare`.
    split : str
        The split of the judgements, or several joined by ``+``, of which those that a task has are used.
    fit_on : {"cross", "corpus"} or str
        The protocol (see `encode_corpus`), or the folder of the `EmbeddingSet` that codecs are fitted on.
    seeds : sequence of int
        Seeds of the codecs and of the halves of the corpus.
    options : EncoderOptions
        Prompts (for all encoders or for each), maximum length and batch size.
    observer : callable, optional
        Called with this configuration, the findings so far, the number of steps that are done, and the number of all
        steps; 0 of 0 before the first text is embedded.
    dimensions : dict of str to int
        Dimensions of the encoders that embedded texts so far.
    searches : list of TaskQueries
        The searches of the first task and encoder with several codecs that was measured; empty before.

    Raises
    ------
    VecsmithError
        If `options` have a prompt for an encoder that is not among `encoders`.
    """

    tasks: Sequence[str]
    encoders: Sequence[str]
    split: str = "test"
    fit_on: str = "cross"
    seeds: Sequence[int] = (0, 1, 2)
    options: EncoderOptions = field(default_factory=EncoderOptions)
    observer: Callable[["StudyConfig", Findings, int, int], None] | None = None
    dimensions: dict[str, int] = field(default_factory=dict, init=False, repr=False)
    searches: list[TaskQueries] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        options_by_encoder(self.options, self.encoders)

    def options_of(self, encoder: str) -> EncoderOptions:
        """Return the options of an encoder, which may be several encoders joined by ``+``."""
        return options_by_encoder(self.options, [*self.encoders, encoder])[encoder]

    def embed(self, task: Task, encoder: str) -> tuple[EmbeddingSet, EmbeddingSet]:
        """Return the vectors of a task's corpus and queries, as `embed_task` does."""
        if not self.dimensions:
            self.publish(Findings([]), 0, 0)
        corpus, queries = embed_task(task, encoder, self.options_of(encoder))
        sizes = list(corpus.blocks.values()) or [corpus.dimensions]
        self.dimensions.update(zip(encoder.split("+"), sizes, strict=False), **{encoder: corpus.dimensions})
        return corpus, queries

    def publish(self, findings: Findings, done: int, steps: int) -> None:
        """Show the findings so far to the observer."""
        if self.observer is not None:
            self.observer(self, findings, done, steps)

    @cached_property
    def loaded(self) -> list[Task]:
        """The tasks. Their judgements are checked before any text is embedded."""
        tasks = [load_task(spec) for spec in self.tasks]
        for task in tasks:
            task.judgements(task.present(self.split))
        return tasks

    @property
    def cases(self) -> Iterator[tuple[Task, str]]:
        """All pairs of a task and an encoder."""
        cases = list(product(self.loaded, self.encoders))
        yield from track(cases, "Tasks and encoders", len(cases))

    @property
    def full_training_set(self) -> str:
        """Description of the training set of a model that is fitted without cross-fitting, for titles of tables."""
        return "all documents" if self.fit_on in ("cross", "corpus") else self.fit_on

    def measure(self, task: Task, encoder: str, codecs: Sequence[str]) -> Iterator[list[Measurement]]:
        """Yield a list of measurements for each seed: float32, followed by the codecs."""
        for seed in track(self.seeds, f"{task.name}, {encoder}: seeds", len(self.seeds)):
            split, options = task.present(self.split), self.options_of(encoder)
            for measured in measure(
                [task], [encoder], codecs, split=split, fit_on=self.fit_on, seed=seed, options=options
            ):
                if len(measured) > 1 and not self.searches:
                    self.searches.append(task_queries(task, split, measured))
                yield measured

    def chosen_widths(
        self, widths: Sequence[int] | None, dimensions: int, default: Callable[[int], Sequence[int]]
    ) -> list[int]:
        """Return the given widths, or the default widths for vectors of d dimensions, in descending order.

        Raises
        ------
        VecsmithError
            If a given width is not from 1 to d.
        """
        for width in widths or ():
            if not 1 <= width <= dimensions:
                raise VecsmithError(
                    f"Vectors of {dimensions} dimensions have no width {width}; leave out that --width."
                )
        return sorted(set(widths or default(dimensions)), reverse=True)

    def measure_widths(
        self,
        methods: Mapping[str, str],
        widths: Callable[[int], Sequence[int]],
        findings: Callable[[Sequence[Result]], Findings],
    ) -> list[Result]:
        """Measure reducers at several widths, on all tasks and encoders.

        PCA is left out at widths of more than half of the documents, because a half is its training set.

        Parameters
        ----------
        methods : mapping of str to str
            Specs of the reducers by name, with ``{}`` in place of the width.
        widths : callable
            Maps the dimensions of the vectors to the widths.
        findings : callable
            Maps the results so far to the findings to publish.
        """
        results: list[Result] = []
        for number, (task, encoder) in enumerate(self.cases, 1):
            corpus, _ = self.embed(task, encoder)
            specs = [
                method.format(width)
                for width in widths(corpus.dimensions)
                for method in methods.values()
                if not method.startswith("pca") or width <= len(corpus) // 2
            ]
            for baseline, *measured in self.measure(task, encoder, specs):
                results += [compare_with_baseline(measurement, baseline) for measurement in (baseline, *measured)]
            self.publish(findings(results), number, len(self.loaded) * len(self.encoders))
        return results


STUDIES: Registry[Callable[..., Findings]] = Registry("vecsmith.studies")
"""Studies by the name that ``vecsmith study`` takes; each takes a `StudyConfig` and returns `Findings`."""
