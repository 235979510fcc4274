"""A comparison with the options of the command line: all tasks at once, or one after another in a language."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from vecsmith.cli.app import say
from vecsmith.cli.engines import opened_engine, refuse_with_files, works_on_files
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.compare import compare
from vecsmith.evaluation.task_batch import measure_each
from vecsmith.tasks import Task, load_task, tasks_in_language

if TYPE_CHECKING:
    from vecsmith.encoders import EncoderOptions
    from vecsmith.evaluation.results import Result
    from vecsmith.integrations.mteb_files import MtebFiles
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
    engine, ray_address : str or None
        Engine that measures documents in many files, and the address of a Ray cluster.
    notes : list of str
        Sentences about the data of the tasks so far.
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
    engine: str | None = None
    ray_address: str | None = None
    notes: list[str] = field(default_factory=list)

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
            yield [result for spec in specs for result in self._compare_files(spec)]
            return
        if language is None:
            tasks = [load_task(spec) for spec in specs]
            for task in tasks:
                self._note(task)
            results = self._compare(tasks, self.split)
            yield results
            if files:
                for task in tasks:
                    files.add(task, self.split, results)
            return
        results = []
        for task, measured in measure_each(
            tasks_in_language(specs, language), self.split, lambda task, split: self._compare([task], split), say
        ):
            self._note(task)
            results += measured
            yield results
            if files:
                files.add(task, measured[0].split, measured)

    def _compare(self, tasks: Sequence[Task], split: str) -> "list[Result]":
        return compare(
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
            return comparison.compare(
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
