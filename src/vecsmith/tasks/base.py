"""Retrieval tasks: a corpus, queries and relevance judgements; and the registry of tasks."""

from collections.abc import Iterator, Mapping, Sequence
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
    """Texts and their ids.

    Attributes
    ----------
    ids, texts : list of str
        Ids and texts, row by row.
    source : str
        The file or task of the texts.
    notes : tuple of str
        Sentences for the user about how the texts were read.
    titles : list of str or None
        Titles, with which the texts begin; empty where a text has none, and None if no title is known.

    Raises
    ------
    VecsmithError
        If there are no texts, or an id is missing or occurs twice.
    """

    ids: list[str] = field(repr=False)
    texts: list[str] = field(repr=False)
    source: str
    notes: tuple[str, ...] = ()
    titles: list[str] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.ids:
            raise VecsmithError(f"{self.source} is empty: there is no text in it.")
        seen: set[str] = set()
        for row, id_ in enumerate(self.ids):
            if not id_ or id_ in seen:
                problem = f"repeats the id {id_!r}" if id_ else "has no id"
                raise VecsmithError(f"{self.source} {problem} in row {row + 1}; give every row a unique id.")
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
        Documents and queries. The text of a document is its title, a space and its body.
    qrels : mapping of str to Qrels
        Judgements per split, such as ``"train"``, ``"dev"`` and ``"test"``. They may include documents that are not in
        the corpus; these count in the ideal ranking, as in trec_eval.
    folder : Path or None
        Folder of the task, which may have precomputed vectors in ``vectors/NAME``.
    provenance : mapping of str to str
        Origin of the texts, such as package versions.
    notes : tuple of str
        Sentences for the user about the data.
    ignore_identical_ids : bool
        Whether a document with the id of a query is that query, and is removed from its results.
    candidates : mapping of str to sequence of str, or None
        For a reranking task, the ids of the documents to rank for each query. By default, all documents are ranked.
    """

    name: str
    corpus: Texts
    queries: Texts
    qrels: Mapping[str, Qrels] = field(repr=False)
    folder: Path | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    ignore_identical_ids: bool = False
    candidates: Mapping[str, Sequence[str]] | None = field(default=None, repr=False)

    def judgements(self, split: str) -> Qrels:
        """Return the judgements of a split, or of several joined by ``+``, such as ``"train+test"``.

        Raises
        ------
        VecsmithError
            If the split does not exist, or judges no document relevant.
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
        """Return the splits, of several joined by ``+``, that the task has; `split` unchanged if it has none."""
        return "+".join(name for name in split.split("+") if name in self.qrels) or split

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the texts, the judgements and the candidates."""
        content = [self.corpus.content_hash, self.queries.content_hash, self.qrels, self.ignore_identical_ids]
        return fingerprint(content if self.candidates is None else [*content, self.candidates])


TASKS: Registry[Loader[Task]] = Registry("vecsmith.tasks")
"""Kinds of tasks by the prefix of their specs; `Loader.load` takes the rest of the spec."""


def unmatched_ids(corpus: Texts, queries: Texts, qrels: Mapping[str, Qrels]) -> Iterator[str]:
    """Yield a sentence for each split whose judgements name documents or queries without a text.

    Parameters
    ----------
    corpus, queries : Texts
        Texts of the documents and of the queries.
    qrels : mapping of str to Qrels
        Judgements by split.

    Raises
    ------
    VecsmithError
        If no query of a split has a text.
    """
    documents, known = set(corpus.ids), set(queries.ids)
    for split, judged in qrels.items():
        count = sum(document not in documents for gains in judged.values() for document in gains)
        if count:
            yield f"{count} judgements of {split} name documents that are not in the corpus; they count as not found."
        count = len(judged.keys() - known)
        if count == len(judged):
            raise VecsmithError(f"None of the queries that {split} judges is in {queries.source}; correct the ids.")
        if count:
            yield f"{count} judged queries of {split} have no text; they are left out."
