"""Readers of texts from JSON, CSV, TSV and Parquet tables, and from plain text with one text per line."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from vecsmith.embeddings.columns import chosen_text_columns, listed
from vecsmith.errors import VecsmithError
from vecsmith.tasks.base import Texts

CSV_BLOCK_BYTES = 1 << 26
"""Bytes of CSV that are parsed at a time, which is also the maximum length of a row."""


@dataclass(frozen=True)
class Table:
    """A table whose columns are read on demand.

    Attributes
    ----------
    path : Path
        The file.
    names : sequence of str
        Names of the columns.
    column : callable
        Returns the values of a column, with None for missing values.
    place : callable
        Returns the position of a row in the file, such as ``"line 3"``.
    has_certain_names : bool
        False for CSV files, whose first line may be data instead of column names.
    """

    path: Path
    names: Sequence[str]
    column: Callable[[str], list[Any]]
    place: Callable[[int], str]
    has_certain_names: bool = True


def read_texts(path: Path, text_column: str | None = None, id_column: str | None = None) -> Texts:
    """Read texts and their ids from a table, or from a file with one text per line.

    Parameters
    ----------
    path : Path
        ``.jsonl`` (one object per line), ``.json`` (a list of objects), ``.csv`` and ``.tsv`` (column names in the
        first line; CSV fields may be quoted, TSV fields are not), or ``.parquet``. Other files have one text per line,
        including blank lines. All formats except Parquet may be compressed (``.gz``).
    text_column : str, optional
        Column of the texts. Default: the first of ``text``, ``content``, ``body``, …. If there is a column ``title``,
        it is put before the text, with a space.
    id_column : str, optional
        Column of the ids. Default: ``_id``, ``id``, ``ids`` or ``uuid``; without such a column, row numbers from 0.

    Returns
    -------
    Texts
        The texts; `notes` name the columns.

    Raises
    ------
    VecsmithError
        If the file is missing, empty or malformed (the message has the line), a column is unknown, a text or an id is
        missing, or an id occurs twice.
    """
    path = Path(path)
    if not path.is_file():
        raise VecsmithError(f"There is no file {path}.")
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix in READERS:
        return _choose_columns(READERS[suffix](path), text_column, id_column)
    if text_column or id_column:
        raise VecsmithError(
            f"{path} has one text per line and no columns; leave out --text-column and --id-column, or give a "
            f"{', '.join(READERS)} file."
        )
    lines = [line.strip() for _, line in numbered_lines(path)]
    return Texts([str(row) for row in range(len(lines))], lines, str(path))


def read_beir_texts(path: Path) -> Texts:
    """Read JSON lines with ``"_id"``, ``"text"`` and optionally ``"title"``.

    Raises
    ------
    VecsmithError
        If the file is empty or malformed (the message has the line), or an id is missing or occurs twice.
    """
    return _take(_read_json_lines(path), "_id", "text", "title")


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a UTF-8 text file with their numbers from 1; ``.gz`` files are decompressed.

    Raises
    ------
    VecsmithError
        If the file cannot be read, a line is not UTF-8, or a ``.gz`` file is not valid gzip.
    """
    number = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8").strip("\r\n")
    except UnicodeDecodeError as error:
        raise VecsmithError(f"{path}, line {number}, is not UTF-8 ({error.reason}); convert the file.") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise VecsmithError(f"{path} is not a complete gzip file ({error}); copy it again.") from error
    except OSError as error:
        raise VecsmithError(f"{path} cannot be read ({error.strerror}).") from error


def _choose_columns(table: Table, text_column: str | None, id_column: str | None) -> Texts:
    """Return the texts in the given columns, or in columns with a usual name."""
    if not table.names:
        raise VecsmithError(f"{table.path} is empty: there is no text in it.")
    ids, title, text = chosen_text_columns(
        table.names, text_column, id_column, str(table.path), table.has_certain_names
    )
    names = [name for name in (title, text) if name]
    taken = f"{table.path.name}: the texts are the column{'s' * (len(names) > 1)} {listed(names)}, the ids "
    taken += f"the column {ids!r}." if ids else "are row numbers from 0; use --id-column for a column instead."
    return _take(table, ids, text, title, (taken,))


def _take(table: Table, ids: str | None, text: str, title: str | None, notes: tuple[str, ...] = ()) -> Texts:
    """Return the texts in the given columns, whose values must be strings."""
    texts = [check_text(table, text, row, value, (str,)) for row, value in enumerate(table.column(text))]
    titles: list[str] | None = None
    if title is not None:
        titles = [check_text(table, title, row, value or "", (str,)) for row, value in enumerate(table.column(title))]
        texts = [f"{first} {second}".strip() for first, second in zip(titles, texts, strict=True)]
    if ids is None:
        names = [str(row) for row in range(len(texts))]
    else:
        names = [check_text(table, ids, row, value, (str, int)) for row, value in enumerate(table.column(ids))]
    return Texts(names, texts, str(table.path), notes, titles)


def check_text(table: Table, column: str, row: int, value: object, types: tuple[type, ...]) -> str:
    """Return a value of a table as text, after checking that it has one of these types.

    Raises
    ------
    VecsmithError
        If the value is missing, has another type, or is not valid text; the message has the file and the line.
    """
    if type(value) in types:
        try:
            str(value).encode()  # fails for lone surrogates such as \ud800, which JSON allows
            return str(value)
        except UnicodeEncodeError:
            fault = f"has a lone surrogate, which is not a character, in {column!r}"
    elif value is None:
        fault = f"has no {column!r}"
    else:
        expected = " or ".join("text" if each is str else "an integer" for each in types)
        fault = f"has a {column!r} of type {type(value).__name__}, which must be {expected}"
    raise VecsmithError(f"{table.path}, {table.place(row)}, {fault}; correct it.")


def _read_json_lines(path: Path) -> Table:
    numbers, records = list[int](), list[dict[str, Any]]()
    for number, line in numbered_lines(path):
        if line.strip():
            records.append(_to_object(_parse_json(path, line, f"line {number}, "), f"{path}, line {number},"))
            numbers.append(number)
    return _from_records(path, records, lambda row: f"line {numbers[row]}")


def _read_json(path: Path) -> Table:
    content = _parse_json(path, "\n".join(line for _, line in numbered_lines(path)), "")
    if not isinstance(content, list):
        raise VecsmithError(
            f'{path} must be a list of objects, such as [{{"id": "1", "text": "…"}}]; a file with one object per line '
            "must be named .jsonl."
        )
    records = [_to_object(record, f"{path}, record {row + 1},") for row, record in enumerate(content)]
    return _from_records(path, records, lambda row: f"record {row + 1}")


def _parse_json(path: Path, text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        if where and isinstance(error, json.JSONDecodeError):
            reason = f"{error.msg}, at character {error.pos + 1}"  # error.lineno is always 1
        advice = "correct the line" if where else "correct it; a file with one object per line must be named .jsonl"
        raise VecsmithError(f"{path}, {where}is not JSON ({reason}); {advice}.") from error


def _to_object(record: Any, where: str) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise VecsmithError(
            f'{where} is JSON, but of type {type(record).__name__}; it must be an object, such as {{"text": "…"}}.'
        )
    return record


def _from_records(path: Path, records: Sequence[dict[str, Any]], place: Callable[[int], str]) -> Table:
    names = list(dict.fromkeys(name for record in records for name in record))
    return Table(path, names, lambda name: [record.get(name) for record in records], place)


def _read_csv(path: Path) -> Table:
    is_tsv = ".tsv" in path.name.lower()
    parse = pa_csv.ParseOptions(
        delimiter="\t" if is_tsv else ",",
        quote_char=False if is_tsv else '"',
        newlines_in_values=not is_tsv,
    )
    # with one thread, errors contain the row
    read = pa_csv.ReadOptions(use_threads=False, block_size=CSV_BLOCK_BYTES)
    try:
        with pa_csv.open_csv(path, read, parse) as file:
            names = file.schema.names
        as_text = pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
        table = pa_csv.read_csv(path, read, parse, as_text)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    return _from_arrow(path, names, lambda name: table[name].to_pylist(), has_certain_names=False)


def _read_parquet(path: Path) -> Table:
    def column(name: str) -> list[Any]:
        try:
            with pq.ParquetFile(path) as file:
                return list(file.read(columns=[name])[name].to_pylist())
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(path, error) from error

    try:
        return _from_arrow(path, pq.read_schema(path).names, column)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def _from_arrow(
    path: Path, names: Sequence[str], column: Callable[[str], list[Any]], has_certain_names: bool = True
) -> Table:
    return Table(path, names, column, lambda row: f"row {row + 1}", has_certain_names)


def _unreadable(path: Path, error: Exception) -> VecsmithError:
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    return VecsmithError(f"{path} cannot be read as a table ({reason}); correct it or write it again.")


READERS: dict[str, Callable[[Path], Table]] = {
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".json": _read_json,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".parquet": _read_parquet,
}
