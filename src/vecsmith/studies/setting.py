"""What every study is asked: on which tasks and encoders, and under which protocol, it measures."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

from vecsmith.embeddings import EmbeddingSet
from vecsmith.encoders import EncoderOptions, embed_task, options_by_encoder
from vecsmith.evaluation.compare import measure
from vecsmith.evaluation.runner import Measurement
from vecsmith.plugins import Registry
from vecsmith.progress import track
from vecsmith.report.findings import Findings
from vecsmith.tasks import Task, load_task


@dataclass(frozen=True)
class Setting:
    """On what a study measures, and how.

    Attributes
    ----------
    tasks, encoders : sequence of str
        Specs, as of `compare`.
    split : str
        Judgements to use; those of several splits joined by ``+`` count where a task has them.
    fit_on : {"cross", "corpus"} or str
        What codecs are fitted on: see `encode_corpus`, or the folder of another `EmbeddingSet`.
    seeds : sequence of int
        Seeds of codecs and halves.
    options : EncoderOptions
        Prompts, of all or per encoder, length and batch size.

    Raises
    ------
    VecsmithError
        If `options` have a prompt of an encoder that is not among `encoders`.
    """

    tasks: Sequence[str]
    encoders: Sequence[str]
    split: str = "test"
    fit_on: str = "cross"
    seeds: Sequence[int] = (0, 1, 2)
    options: EncoderOptions = field(default_factory=EncoderOptions)

    def __post_init__(self) -> None:
        options_by_encoder(self.options, self.encoders)

    def options_of(self, encoder: str) -> EncoderOptions:
        """Return the options of an encoder, which may join several by ``+``."""
        return options_by_encoder(self.options, [*self.encoders, encoder])[encoder]

    def embed(self, task: Task, encoder: str) -> tuple[EmbeddingSet, EmbeddingSet]:
        """Return the vectors of a task's corpus and queries, as of `embed_task`."""
        return embed_task(task, encoder, self.options_of(encoder))

    @cached_property
    def loaded(self) -> list[Task]:
        """The tasks, all of whose judgements are checked before anything is embedded."""
        tasks = [load_task(spec) for spec in self.tasks]
        for task in tasks:
            task.judgements(task.present(self.split))
        return tasks

    @property
    def cases(self) -> Iterator[tuple[Task, str]]:
        """Every task with every encoder."""
        cases = list(product(self.loaded, self.encoders))
        yield from track(cases, "Tasks and encoders", len(cases))

    @property
    def all_documents(self) -> str:
        """What is fitted on by what is fitted once and for all, in words."""
        return "all documents" if self.fit_on in ("cross", "corpus") else self.fit_on

    def measure(self, task: Task, encoder: str, codecs: Sequence[str]) -> Iterator[list[Measurement]]:
        """Yield a list per seed: float32, and then a measurement per codec."""
        for seed in track(self.seeds, f"{task.name}, {encoder}: seeds", len(self.seeds)):
            split, options = task.present(self.split), self.options_of(encoder)
            yield from measure([task], [encoder], codecs, split=split, fit_on=self.fit_on, seed=seed, options=options)


STUDIES: Registry[Callable[..., Findings]] = Registry("vecsmith.studies")
"""Studies by the name that ``vecsmith study`` takes; each takes a `Setting` and returns `Findings`."""
