"""What a retrieval task is: a corpus, queries, and which documents are relevant."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from vecsmith.embeddings import content_hash
from vecsmith.errors import VecsmithError, unknown
from vecsmith.files import fingerprint
from vecsmith.plugins import Loader, Registry

Qrels = Mapping[str, Mapping[str, int]]
"""Relevance judgements: query id → document id → gain."""


@dataclass(frozen=True)
class Texts:
    """Texts with their ids, row by row.

    Attributes
    ----------
    ids, texts : list of str
        One of each a row.
    source : str
        The file or the task that they are from.
    notes : tuple of str
        What a user should know about how they were read, a sentence each.

    Raises
    ------
    VecsmithError
        If there is none, or an id is missing or occurs twice.
    """

    ids: list[str] = field(repr=False)
    texts: list[str] = field(repr=False)
    source: str
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.ids:
            raise VecsmithError(f"{self.source} is empty: there is no text in it.")
        seen: set[str] = set()
        for row, id_ in enumerate(self.ids):
            if not id_ or id_ in seen:
                what = f"the id {id_!r} again" if id_ else "no id"
                raise VecsmithError(f"{self.source} has {what} in row {row + 1}; ids must be there and unique.")
            seen.add(id_)

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield each id with its text."""
        return zip(self.ids, self.texts, strict=True)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the ids and texts."""
        return content_hash(self.ids, self.texts)


@dataclass(frozen=True)
class Task:
    """A retrieval task.

    Attributes
    ----------
    name : str
        A short name for tables, such as ``"scifact"``.
    corpus, queries : Texts
        Documents and queries; a document's text is its title, a space and its text.
    qrels : mapping of str to Qrels
        Judgements per split, such as ``"train"``, ``"dev"`` and ``"test"``. Judgements of documents that the corpus
        does not have stay in: they count in the ideal ranking, as in trec_eval.
    folder : Path or None
        Where ready vectors may lie, in ``vectors/NAME``.
    provenance : mapping of str to str
        What the texts were made from, such as package versions.
    notes : tuple of str
        What a user should know about the data, a sentence each.
    ignore_identical_ids : bool
        Whether the document with a query's own id is the query itself and no answer to it.
    """

    name: str
    corpus: Texts
    queries: Texts
    qrels: Mapping[str, Qrels] = field(repr=False)
    folder: Path | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    ignore_identical_ids: bool = False

    def judgements(self, split: str) -> Qrels:
        """Return the judgements of a split, or of several joined by ``+``, such as ``"train+test"``.

        Raises
        ------
        VecsmithError
            If there is no such split, or it judges no document relevant.
        """
        merged: dict[str, Mapping[str, int]] = {}
        for name in split.split("+"):
            if name not in self.qrels:
                raise unknown(f"split of {self.name}", name, self.qrels)
            for query, gains in self.qrels[name].items():
                merged[query] = {**merged.get(query, {}), **gains}
        if not any(gain > 0 for gains in merged.values() for gain in gains.values()):
            where = f" ({self.folder / 'qrels' / split}.tsv)" if self.folder and "+" not in split else ""
            raise VecsmithError(
                f"The split {split} of {self.name}{where} judges no document relevant: no score is above 0; choose "
                "another split, or correct the judgements."
            )
        return merged

    def present(self, split: str) -> str:
        """Return those of several splits joined by ``+`` that the task has; `split` as it is where it has none."""
        return "+".join(name for name in split.split("+") if name in self.qrels) or split

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of texts and judgements."""
        return fingerprint([self.corpus.content_hash, self.queries.content_hash, self.qrels, self.ignore_identical_ids])


TASKS: Registry[Loader[Task]] = Registry("vecsmith.tasks")
"""Kinds of tasks by the prefix of their specs; `Loader.load` takes the rest of the spec."""


def unmatched_ids(corpus: Texts, queries: Texts, qrels: Mapping[str, Qrels]) -> Iterator[str]:
    """Yield a sentence for each split that judges documents or queries that have no text.

    Raises
    ------
    VecsmithError
        If none of a split's queries has a text.
    """
    documents, known = set(corpus.ids), set(queries.ids)
    for split, judged in qrels.items():
        count = sum(document not in documents for gains in judged.values() for document in gains)
        if count:
            yield f"{count} judgements of {split} name documents that the corpus does not have; they count as missed."
        count = len(judged.keys() - known)
        if count == len(judged):
            raise VecsmithError(f"None of the queries that {split} judges is in {queries.source}; mend the ids.")
        if count:
            yield f"{count} judged queries of {split} have no text; they are left out."
