"""A task in BEIR's layout: ``corpus.jsonl``, ``queries.jsonl`` and ``qrels/SPLIT.tsv``, each plain or ``.gz``."""

import csv
import gzip
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from vecsmith.errors import VecsmithError
from vecsmith.tasks.base import Qrels, Task, Texts

SPLITS = ("train", "dev", "test")


def load_beir(folder: str | Path) -> Task:
    """Read a BEIR folder.

    A document that has a query's id and ends with the query's text is the query itself (as in ArguAna), and is no
    answer to it.

    Raises
    ------
    VecsmithError
        If a file is missing, empty or broken (which line), or an id occurs twice.

    References
    ----------
    Thakur et al. 2021, BEIR, https://arxiv.org/abs/2104.08663
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise VecsmithError(f"There is no folder {folder}; a BEIR task is a folder with corpus.jsonl.")
    corpus = _read_texts(_find(folder / "corpus.jsonl"))
    queries = _read_texts(_find(folder / "queries.jsonl"))
    qrels = {split: _read_qrels(path) for split in SPLITS if (path := _exists(folder / "qrels" / f"{split}.tsv"))}
    if not qrels:
        raise VecsmithError(f"{folder} has no judgements; put them in qrels/test.tsv.")
    return Task(
        name=folder.resolve().name,
        corpus=corpus,
        queries=queries,
        qrels=qrels,
        folder=folder,
        notes=tuple(_unknown_ids(corpus, queries, qrels)),
        ignore_identical_ids=_queries_are_documents(corpus, queries),
    )


def _exists(path: Path) -> Path | None:
    return next((file for file in (path, path.with_name(path.name + ".gz")) if file.is_file()), None)


def _find(path: Path) -> Path:
    found = _exists(path)
    if found is None:
        raise VecsmithError(f"There is no {path} (nor {path.name}.gz); a BEIR folder needs it.")
    return found


def open_text(path: Path) -> TextIO:
    """Open a UTF-8 text file, gzipped where its name ends in ``.gz``."""
    file = gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # noqa: SIM115
    return io.TextIOWrapper(file, encoding="utf-8-sig", newline="")


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file that are not blank, with their numbers from 1.

    Raises
    ------
    VecsmithError
        If a line is not UTF-8, or the file is not the gzip archive that its name says.
    """
    number = 0
    try:
        with open_text(path) as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line
    except UnicodeDecodeError as error:
        raise VecsmithError(f"{path} is not UTF-8 after line {number} ({error.reason}); convert it.") from error
    except (EOFError, gzip.BadGzipFile) as error:
        raise VecsmithError(f"{path} is not a whole gzip file ({error}); copy it again.") from error


def _read_texts(path: Path) -> Texts:
    ids, texts = [], []
    for number, line in numbered_lines(path):
        try:
            record = json.loads(line)
            ids.append(str(record["_id"]))
            texts.append(f"{record.get('title') or ''} {record['text']}".strip())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise VecsmithError(
                f'{path}, line {number}, is not a JSON object with "_id" and "text" ({error!r}); mend the line.'
            ) from error
    return Texts(ids, texts, str(path))


def _read_qrels(path: Path) -> Qrels:
    qrels: dict[str, dict[str, int]] = {}
    lines = numbered_lines(path)
    for number, line in lines:
        fields = next(csv.reader([line], delimiter="\t", quoting=csv.QUOTE_NONE))
        if number == 1 and fields[0] == "query-id":
            continue
        try:
            query, document, gain = fields
            qrels.setdefault(query, {})[document] = int(gain)
        except ValueError as error:
            raise VecsmithError(
                f"{path}, line {number}, is not query-id, corpus-id and a whole score between tabs; mend the line."
            ) from error
    return qrels


def _unknown_ids(corpus: Texts, queries: Texts, qrels: Mapping[str, Qrels]) -> Iterator[str]:
    documents, known = set(corpus.ids), set(queries.ids)
    for split, judged in qrels.items():
        strangers = sum(document not in documents for gains in judged.values() for document in gains)
        if strangers:
            yield f"{strangers} judgements of {split} name documents that the corpus does not have; they count as missed."
        strangers = len(judged.keys() - known)
        if strangers:
            yield f"{strangers} judged queries of {split} have no text; they are left out."


def _queries_are_documents(corpus: Texts, queries: Texts) -> bool:
    documents = dict(zip(corpus.ids, corpus.texts, strict=True))
    return any(
        text and documents.get(id_, "").endswith(text) for id_, text in zip(queries.ids, queries.texts, strict=True)
    )
