"""A comparison with the options of the command line: all tasks at once, or one after another in a language."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vecsmith.cli.app import say
from vecsmith.cli.engines import opened_engine, refuse_with_files, works_on_files
from vecsmith.encoders import embed_task, options_by_encoder
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.compare import compared, measure
from vecsmith.evaluation.query_rankings import TaskQueries, task_queries
from vecsmith.evaluation.task_batch import measure_each
from vecsmith.tasks import Task, load_task, tasks_in_language

if TYPE_CHECKING:
    from vecsmith.encoders import EncoderOptions
    from vecsmith.evaluation.results import Result
    from vecsmith.integrations.mteb_files import MtebFiles
    from vecsmith.report.document_map import DocumentMap
    from vecsmith.retrievers.specs import RetrieverSpecs


@dataclass
class Comparison:
    """Options of ``vecsmith compare`` that do not depend on the task.

    Attributes
    ----------
    encoders, codecs, scorings, split, fit_on, seed, options, remeasure, recenter, baseline, metrics
        As in `compare`.
    mteb_out : Path or None
        Folder for mteb's result files.
    predictions : bool
        Whether to write mteb's predictions too.
    retrievers : RetrieverSpecs
        BM25, hybrids and rerankers.
    command : callable
        Returns the command that measures a result of the task of a spec.
    map_method : str or None
        Layout of the maps of documents (see `document_map`); None for no maps.
    engine, ray_address : str or None
        Engine that measures documents in many files, and the address of a Ray cluster.
    notes : list of str
        Sentences about the data of the tasks so far.
    queries : list of TaskQueries
        Queries of the tasks so far, with their rankings.
    maps : list of DocumentMap
        Maps of the documents of the tasks so far.
    """

    encoders: Sequence[str]
    codecs: Sequence[str]
    scorings: Sequence[str]
    split: str
    fit_on: str
    seed: int
    options: "EncoderOptions"
    remeasure: bool
    recenter: bool
    baseline: str | None
    metrics: Sequence[str]
    mteb_out: Path | None
    predictions: bool
    retrievers: "RetrieverSpecs"
    command: "Callable[[str, Result], str]"
    map_method: str | None = None
    engine: str | None = None
    ray_address: str | None = None
    notes: list[str] = field(default_factory=list)
    queries: list[TaskQueries] = field(default_factory=list)
    maps: "list[DocumentMap]" = field(default_factory=list)

    def run(self, specs: Sequence[str], language: str | None) -> "Iterator[list[Result]]":
        """Yield the results so far: once after all tasks, or after each task in a language.

        Raises
        ------
        VecsmithError
            If a task or an option is invalid.
        """
        files = self._mteb_files()
        if works_on_files(self.engine, *(spec.removeprefix("vectors:") for spec in self.encoders)):
            refuse_with_files(language=language, recenter=self.recenter, baseline=self.baseline, mteb_out=files)
            yield [
                replace(result, command=self.command(spec, result))
                for spec in specs
                for result in self._compare_files(spec)
            ]
            return
        if language is None:
            tasks = [load_task(spec) for spec in specs]
            for task in tasks:
                self._note(task)
            results = self._compare(specs, tasks, self.split)
            yield results
            if files:
                for task in tasks:
                    files.add(task, self.split, results)
            return
        results = []
        for task, measured in measure_each(
            tasks_in_language(specs, language),
            self.split,
            lambda spec, task, split: self._compare([spec], [task], split),
            say,
        ):
            self._note(task)
            results += measured
            yield results
            if files:
                files.add(task, measured[0].split, measured)

    def _compare(self, specs: Sequence[str], tasks: Sequence[Task], split: str) -> "list[Result]":
        groups = measure(
            tasks,
            self.encoders,
            self.codecs,
            self.scorings,  # type: ignore[arg-type]
            split,
            self.fit_on,
            self.seed,
            self.options,
            self.remeasure,
            self.recenter,
            self.baseline,
            self.metrics,
            self.retrievers,
        )
        results: list[Result] = []
        groups_per_task = len(groups) // len(tasks)
        for number, (spec, task) in enumerate(zip(specs, tasks, strict=True)):
            of_task = groups[number * groups_per_task : (number + 1) * groups_per_task]
            measurements = list(compared(of_task, self.baseline))
            self.queries.append(task_queries(task, split, measurements))
            if self.map_method is not None:
                self.maps += self._maps(task, self.queries[-1])
            results += [replace(each.result, command=self.command(spec, each.result)) for each in measurements]
        return results

    def _maps(self, task: Task, queries: TaskQueries) -> "list[DocumentMap]":
        from vecsmith.report.document_map import MIN_DOCUMENTS, document_map

        if len(task.corpus) < MIN_DOCUMENTS:
            return []
        encoder = self.encoders[0]
        measured = [*self.encoders, *([self.baseline] if self.baseline else []), *self.retrievers.encoders]
        corpus, embedded = embed_task(task, encoder, options_by_encoder(self.options, measured)[encoder])
        assert self.map_method is not None
        return [document_map(task, queries, encoder, corpus, embedded, self.map_method, self.seed)]

    def _compare_files(self, folder: str) -> "list[Result]":
        """Measure codecs on documents in many files."""
        from vecsmith.distributed import comparison
        from vecsmith.distributed.sources import open_source
        from vecsmith.embeddings import EmbeddingSet

        kind, _, where = self.encoders[0].partition(":")
        corpus, comma, queries = where.rpartition(",")
        if len(self.encoders) > 1 or kind != "vectors" or not comma:
            raise VecsmithError(
                "--engine and URIs take one --encoder vectors:CORPUS,QUERIES, such as "
                "'vectors:s3://bucket/corpus/*.parquet,queries.npy'."
            )
        if list(self.scorings) != ["asymmetric"] or not self.retrievers.is_empty:
            raise VecsmithError(
                "Documents in many files are scored by their decoded codes alone; leave out --scoring, --hybrid and "
                "--rerank."
            )
        with opened_engine(self.engine, self.ray_address) as engine:
            results, rankings = comparison.compare(
                folder,
                open_source(corpus),
                EmbeddingSet.open(queries),
                self.codecs,
                self.split,
                self.fit_on,
                self.seed,
                self.metrics,
                engine,
            )
        self.queries.append(rankings)
        return results

    def _note(self, task: Task) -> None:
        notes = [f"{task.name}: {note}" for note in task.notes]
        say(*notes)
        self.notes += notes

    def _mteb_files(self) -> "MtebFiles | None":
        if self.mteb_out is None:
            if self.predictions:
                raise VecsmithError("--predictions are rankings that mteb writes; give --mteb-out DIR too.")
            return None
        if self.recenter or self.baseline or self.retrievers.bm25:
            option = "--recenter" if self.recenter else "--baseline"
            raise VecsmithError(f"mteb evaluates codecs without {option}; leave out {option} or --mteb-out.")
        from vecsmith.integrations.mteb_files import MtebFiles

        return MtebFiles(
            self.mteb_out,
            self.encoders,
            self.codecs,
            self.scorings,  # type: ignore[arg-type]
            self.fit_on,
            self.seed,
            self.options,
            self.predictions,
            self.retrievers,
        )
