"""Reader of BEIR folders: ``corpus.jsonl``, ``queries.jsonl`` and ``qrels/SPLIT.tsv``, each plain or ``.gz``."""

from pathlib import Path

from vecsmith.errors import VecsmithError
from vecsmith.plugins import Loader
from vecsmith.tasks.base import TASKS, Qrels, Task, Texts, unmatched_ids
from vecsmith.tasks.text_files import numbered_lines, read_beir_texts

SPLITS = ("train", "dev", "test")


def load_beir(folder: str | Path) -> Task:
    """Read a task from a BEIR folder.

    A document with the id of a query whose text ends with the query is that query (as in ArguAna), and is removed from
    its results.

    Raises
    ------
    VecsmithError
        If a file is missing, empty or malformed (the message has the line), an id is missing or occurs twice, or no
        query of a split has a text.

    References
    ----------
    Thakur et al. 2021, BEIR, https://arxiv.org/abs/2104.08663
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise VecsmithError(f"There is no folder {folder}; a BEIR task is a folder with corpus.jsonl.")
    corpus = read_beir_texts(_find(folder / "corpus.jsonl"))
    queries, qrels = load_queries(folder)
    return Task(
        name=folder.resolve().name,
        corpus=corpus,
        queries=queries,
        qrels=qrels,
        folder=folder,
        notes=tuple(unmatched_ids(corpus, queries, qrels)),
        ignore_identical_ids=_queries_are_documents(corpus, queries),
    )


def load_queries(folder: Path) -> tuple[Texts, dict[str, Qrels]]:
    """Read the queries of a BEIR folder and the judgements of its splits; the corpus is not read.

    Raises
    ------
    VecsmithError
        As for `load_beir`.
    """
    queries = read_beir_texts(_find(folder / "queries.jsonl"))
    qrels = {split: _read_qrels(path) for split in SPLITS if (path := _exists(folder / "qrels" / f"{split}.tsv"))}
    if not qrels:
        raise VecsmithError(f"{folder} has no judgements; put them in qrels/test.tsv.")
    return queries, qrels


def _exists(path: Path) -> Path | None:
    return next((file for file in (path, path.with_name(path.name + ".gz")) if file.is_file()), None)


def _find(path: Path) -> Path:
    existing = _exists(path)
    if existing is None:
        raise VecsmithError(f"There is no {path} (nor {path.name}.gz); a BEIR folder must have it.")
    return existing


def _read_qrels(path: Path) -> Qrels:
    qrels: dict[str, dict[str, int]] = {}
    for number, line in numbered_lines(path):
        if not line.strip() or (number == 1 and line.startswith("query-id\t")):
            continue
        try:
            query, document, gain = line.split("\t")
            qrels.setdefault(query, {})[document] = int(gain)
        except ValueError as error:
            raise VecsmithError(
                f"{path}, line {number}, is not query-id, corpus-id and integer score between tabs; correct the line."
            ) from error
    if not qrels:
        raise VecsmithError(f"{path} is empty: it has no judgements.")
    return qrels


def _queries_are_documents(corpus: Texts, queries: Texts) -> bool:
    documents = dict(corpus.rows())
    return any(text and documents.get(id_, "").endswith(text) for id_, text in queries.rows())


TASKS["beir"] = Loader(
    "beir:DIR",
    "a folder with corpus.jsonl, queries.jsonl and qrels/test.tsv; its path alone works too",
    load_beir,
)
