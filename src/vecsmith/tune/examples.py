"""Training examples of models: pairs, triplets, margins, scored pairs or sentences, and their folders."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vecsmith.embeddings.columns import listed as listed_columns
from vecsmith.errors import VecsmithError, require
from vecsmith.evaluation.judged_pairs import TEST
from vecsmith.files import fingerprint
from vecsmith.manifests import read_manifest, write_manifest
from vecsmith.outputs import output_folder
from vecsmith.tasks import Task

if TYPE_CHECKING:
    from datasets import Dataset

Kind = Literal["pairs", "triplets", "margins", "scored pairs", "sentences"]

FOLDER_KIND = "training examples"
FORMAT_VERSION = 1
MANIFEST, TABLE = "manifest.json", "examples.parquet"
COLUMNS: dict[Kind, tuple[str, ...]] = {
    "pairs": ("query", "positive"),
    "triplets": ("query", "positive", "negative"),
    "margins": ("query", "positive", "negative", "margin"),
    "scored pairs": ("sentence1", "sentence2", "score"),
    "sentences": ("text",),
}
"""Columns of each kind; triplets may have further negatives, ``negative_2``, ``negative_3`` and so on."""
NUMBERS = ("margin", "score")
"""Columns of numbers; the others have texts."""


class TrainingExamples:
    """Training examples of a model, as a `datasets.Dataset`.

    A margin is the score of the positive minus the score of the negative.

    Parameters
    ----------
    dataset : datasets.Dataset
        The examples, with the columns of a kind in `COLUMNS`, in any order.
    provenance : mapping, optional
        Origin of the examples, such as task, split, recipe, generator and seed; JSON-serializable.
    counts : mapping of str to int, optional
        Number of examples that were left out, by reason.

    Attributes
    ----------
    dataset : datasets.Dataset
        The examples. Texts are strings, numbers are float64, and the columns are in the order of `COLUMNS`.
    kind : {"pairs", "triplets", "margins", "scored pairs", "sentences"}
        Kind of the examples, which follows from the columns.
    provenance, counts
        As given.

    Raises
    ------
    VecsmithError
        If there are no examples, no kind of examples has these columns, a text is missing or blank, or a number is
        missing or not finite.
    """

    def __init__(
        self, dataset: "Dataset", provenance: Mapping[str, Any] | None = None, counts: Mapping[str, int] | None = None
    ) -> None:
        self.kind: Kind = kind_of(dataset.column_names)
        self.provenance, self.counts = dict(provenance or {}), dict(counts or {})
        names = [*COLUMNS[self.kind], *_more_negatives(dataset.column_names)]
        if not len(dataset):
            raise VecsmithError(f"There are no {self.kind} to train on; {self._advice()}.")
        table = dataset.with_format("arrow")[:]
        self.dataset = require("datasets", "tune").Dataset(
            pa.table({name: _checked(name, table[name]) for name in names})
        )

    @classmethod
    def from_columns(
        cls,
        columns: Mapping[str, Sequence[str] | Sequence[float]],
        provenance: Mapping[str, Any] | None = None,
        counts: Mapping[str, int] | None = None,
    ) -> Self:
        """Return the examples with these columns, of equal length."""
        types = {name: pa.float64() if name in NUMBERS else pa.string() for name in columns}
        table = pa.table({name: pa.array(values, types[name]) for name, values in columns.items()})
        return cls(require("datasets", "tune").Dataset(table), provenance, counts)

    @classmethod
    def from_task(cls, task: Task, split: str = "train", test: str = TEST) -> Self:
        """Return the pairs of queries and relevant documents of a split.

        Queries that the test split judges too are left out, by id and by text.

        Parameters
        ----------
        task : Task
            The task.
        split : str
            The split of the judgements, or several joined by ``+``, which may not include `test`.
        test : str
            The split that is kept for reported results; the task need not have it.

        Raises
        ------
        VecsmithError
            If the task has no such split, the split is `test`, or no pair is left.
        """
        if {test, TEST} & set(split.split("+")):
            raise VecsmithError(f"The judgements of the split {split} are for reported results; train on train or dev.")
        judgements = task.judgements(split)
        tested = task.qrels.get(test, {})
        queries, documents = dict(task.queries.rows()), dict(task.corpus.rows())
        tested_texts = {queries[query] for query in tested if query in queries}
        counts = Counter[str]()
        pairs = dict[tuple[str, str], None]()
        for query, gains in judgements.items():
            for document in sorted(document for document, gain in gains.items() if gain > 0):
                pair = queries.get(query, ""), documents.get(document, "")
                if query in tested or pair[0] in tested_texts:
                    counts[f"query judged in {test}"] += 1
                elif not all(map(str.strip, pair)):
                    counts["no text"] += 1
                elif pair in pairs:
                    counts["repeated"] += 1
                else:
                    pairs[pair] = None
        if not pairs:
            raise VecsmithError(
                f"The split {split} of {task.name} has no pair to train on ({listed(counts)}); give judgements of "
                "other queries."
            )
        columns = {"query": [query for query, _ in pairs], "positive": [positive for _, positive in pairs]}
        return cls.from_columns(columns, {"task": task.name, "split": split, "test": test}, counts)

    def __len__(self) -> int:
        return len(self.dataset)

    def __repr__(self) -> str:
        return f"TrainingExamples({len(self)} {self.kind}{f', {self.negatives} negatives' if self.negatives else ''})"

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the examples as dictionaries."""
        # a row of a dataset takes ten times as long
        for batch in self.table.to_batches():
            yield from batch.to_pylist()

    @property
    def summary(self) -> str:
        """A sentence with the number of examples, and of examples that were left out, by reason."""
        reasons = listed(self.counts)
        return (
            f"Made {len(self):,} {self.kind}; left out: {reasons}." if reasons else f"Made {len(self):,} {self.kind}."
        )

    def column(self, name: str) -> list[Any]:
        """Return the values of a column as a list."""
        return list(self.table[name].to_pylist())

    @property
    def table(self) -> pa.Table:
        """The examples as an Arrow table."""
        return self.dataset.with_format("arrow")[:]

    @property
    def negatives(self) -> int:
        """Number of negatives per example."""
        return sum(name.startswith("negative") for name in self.dataset.column_names)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the examples."""
        return fingerprint(self.table.to_pydict())

    def where(self, kept: Sequence[bool], reason: str) -> Self:
        """Return the examples that are kept; the others are counted under a reason.

        Raises
        ------
        VecsmithError
            If none is kept.
        """
        counts = Counter(self.counts) + Counter({reason: len(self) - sum(kept)})
        return type(self)(self.dataset.select(np.flatnonzero(kept)), self.provenance, counts)

    def with_provenance(self, **more: Any) -> Self:
        """Return the examples with further entries of the provenance."""
        return type(self)(self.dataset, {**self.provenance, **more}, self.counts)

    def save(self, path: str | Path, force: bool = False) -> None:
        """Write the examples to a folder: ``examples.parquet``, and ``manifest.json`` with provenance and counts.

        Parameters
        ----------
        path : str or Path
            The folder; training examples in it are replaced.
        force : bool
            Replace other content too.

        Raises
        ------
        VecsmithError
            If the folder has other content.
        """
        with output_folder(Path(path), FOLDER_KIND, force) as staging:
            pq.write_table(self.table.replace_schema_metadata(None), staging / TABLE)
            about = {
                "examples": self.kind,
                "rows": len(self),
                "columns": self.dataset.column_names,
                "provenance": self.provenance,
                "left_out": self.counts,
            }
            write_manifest(staging / MANIFEST, FOLDER_KIND, FORMAT_VERSION, about, [TABLE])

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read the examples in a folder that `save` wrote.

        Raises
        ------
        VecsmithError
            If the folder has no training examples, is damaged, or has a newer format version.
        """
        manifest = read_manifest(Path(path) / MANIFEST, FOLDER_KIND, FORMAT_VERSION)
        try:
            table = pq.read_table(Path(path) / TABLE)
            return cls(require("datasets", "tune").Dataset(table), manifest["provenance"], manifest["left_out"])
        except (pa.ArrowException, OSError, KeyError) as error:
            raise VecsmithError(f"{path} does not hold training examples ({error}); write them again.") from error

    def _advice(self) -> str:
        reasons = listed(self.counts)
        return f"these were left out: {reasons}" if reasons else "give examples"


def kind_of(names: Sequence[str]) -> Kind:
    """Return the kind of training examples with these columns.

    Raises
    ------
    VecsmithError
        If no kind of examples has these columns.
    """
    first = set(names) - set(_more_negatives(names))
    for kind, columns in COLUMNS.items():
        if first == set(columns) and (len(first) == len(names) or kind == "triplets"):
            return kind
    known = "; ".join(", ".join(columns) for columns in COLUMNS.values())
    given = listed_columns(names) if names else "no name"
    raise VecsmithError(f"Training examples cannot have columns of {given}; the columns of a kind are: {known}.")


def listed(counts: Mapping[str, int]) -> str:
    """Return the numbers of what was left out, joined for a sentence."""
    return ", ".join(f"{count:,} × {reason}" for reason, count in counts.items() if count)


def _more_negatives(names: Sequence[str]) -> list[str]:
    """Return the columns of the second and further negatives, which must be numbered without a gap."""
    numbered = [f"negative_{number}" for number in range(2, len(names) + 2)]
    return [name for place, name in enumerate(numbered) if set(numbered[: place + 1]) <= set(names)]


def _checked(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of texts or numbers with its own type, after checking all values."""
    if name in NUMBERS:
        try:
            numbers = column.cast(pa.float64())
        except pa.ArrowException as error:
            raise VecsmithError(f"The column {name!r} of the training examples must have numbers ({error}).") from error
        bad = np.flatnonzero(~np.isfinite(numbers.to_numpy()))
        if len(bad):
            value = column[int(bad[0])].as_py()
            raise VecsmithError(f"Training example {bad[0]} has the {name} {value}; give a finite number.")
        return numbers
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise VecsmithError(f"The column {name!r} of the training examples has {column.type}; give texts.")
    blank = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(pc.fill_null(column, ""))), 0)
    if (row := pc.index(blank, True).as_py()) >= 0:
        raise VecsmithError(f"Training example {row} has a blank {name}; leave the example out or correct it.")
    return column.cast(pa.string())
