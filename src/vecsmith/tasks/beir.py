"""A task in BEIR's layout: ``corpus.jsonl``, ``queries.jsonl`` and ``qrels/SPLIT.tsv``, each plain or ``.gz``."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

from vecsmith.errors import VecsmithError
from vecsmith.tasks.base import Qrels, Task, Texts, strangers

SPLITS = ("train", "dev", "test")


def load_beir(folder: str | Path) -> Task:
    """Read a BEIR folder.

    A document that has a query's id and ends with the query's text is the query itself (as in ArguAna), and is no
    answer to it.

    Raises
    ------
    VecsmithError
        If a file is missing, empty or broken (which line), an id is missing or occurs twice, or a split judges no
        query that is there.

    References
    ----------
    Thakur et al. 2021, BEIR, https://arxiv.org/abs/2104.08663
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise VecsmithError(f"There is no folder {folder}; a BEIR task is a folder with corpus.jsonl.")
    corpus = read_texts(_find(folder / "corpus.jsonl"))
    queries = read_texts(_find(folder / "queries.jsonl"))
    qrels = {split: _read_qrels(path) for split in SPLITS if (path := _exists(folder / "qrels" / f"{split}.tsv"))}
    if not qrels:
        raise VecsmithError(f"{folder} has no judgements; put them in qrels/test.tsv.")
    return Task(
        name=folder.resolve().name,
        corpus=corpus,
        queries=queries,
        qrels=qrels,
        folder=folder,
        notes=tuple(strangers(corpus, queries, qrels)),
        ignore_identical_ids=_queries_are_documents(corpus, queries),
    )


def _exists(path: Path) -> Path | None:
    return next((file for file in (path, path.with_name(path.name + ".gz")) if file.is_file()), None)


def _find(path: Path) -> Path:
    found = _exists(path)
    if found is None:
        raise VecsmithError(f"There is no {path} (nor {path.name}.gz); a BEIR folder needs it.")
    return found


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a UTF-8 text file that are not blank, with their numbers from 1; ``.gz`` is unpacked.

    Raises
    ------
    VecsmithError
        If a line is not UTF-8, or the file cannot be read or is not the gzip file that its name says.
    """
    number = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip("\r\n")
                if text.strip():
                    yield number, text
    except UnicodeDecodeError as error:
        raise VecsmithError(f"{path}, line {number}, is not UTF-8 ({error.reason}); convert the file.") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise VecsmithError(f"{path} is not a whole gzip file ({error}); copy it again.") from error
    except OSError as error:
        raise VecsmithError(f"{path} cannot be read ({error.strerror}).") from error


def read_texts(path: Path) -> Texts:
    """Read JSON lines with ``"_id"``, ``"text"`` and perhaps ``"title"``, or any other file as a text a line.

    Parameters
    ----------
    path : Path
        The file, plain or ``.gz``; its name says whether it is ``.jsonl``. The ids of bare lines are their row numbers.

    Raises
    ------
    VecsmithError
        If the file is missing, empty or broken (which line), or an id is missing or occurs twice.
    """
    if not path.is_file():
        raise VecsmithError(f"There is no file {path}.")
    if path.name.removesuffix(".gz").endswith(".jsonl"):
        records = [_parse(path, number, line) for number, line in numbered_lines(path)]
        return Texts([id_ for id_, _ in records], [text for _, text in records], str(path))
    lines = [line.strip() for _, line in numbered_lines(path)]
    return Texts([str(row) for row in range(len(lines))], lines, str(path))


def _parse(path: Path, number: int, line: str) -> tuple[str, str]:
    try:
        record = json.loads(line)
        id_, title, text = record["_id"], record.get("title") or "", record["text"]
        if type(id_) not in (str, int) or not isinstance(title, str) or not isinstance(text, str):
            raise TypeError
        f"{id_}{title}{text}".encode()  # JSON can spell half a character, such as \\ud800, which is no text
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise VecsmithError(
            f'{path}, line {number}, is not a JSON object whose "_id" and "text" are text; mend the line.'
        ) from error
    return str(id_), f"{title} {text}".strip()


def _read_qrels(path: Path) -> Qrels:
    qrels: dict[str, dict[str, int]] = {}
    for number, line in numbered_lines(path):
        if number == 1 and line.startswith("query-id\t"):
            continue
        try:
            query, document, gain = line.split("\t")
            qrels.setdefault(query, {})[document] = int(gain)
        except ValueError as error:
            raise VecsmithError(
                f"{path}, line {number}, is not query-id, corpus-id and a whole score between tabs; mend the line."
            ) from error
    if not qrels:
        raise VecsmithError(f"{path} is empty: there is no judgement in it.")
    return qrels


def _queries_are_documents(corpus: Texts, queries: Texts) -> bool:
    documents = dict(corpus.rows())
    return any(text and documents.get(id_, "").endswith(text) for id_, text in queries.rows())
