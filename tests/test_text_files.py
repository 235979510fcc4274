"""Reading texts from tables and from plain text."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vecsmith.embeddings import EmbeddingSet
from vecsmith.errors import VecsmithError
from vecsmith.tasks import read_texts

ROWS = [("007", "One, first"), ("b", 'She said "two"\non two lines'), ("c", "")]


def write(path: Path, names: tuple[str, str] = ("id", "text"), rows: list[tuple[str, str]] = ROWS) -> Path:
    """Write ids and texts in the format that a path's suffix names."""
    records = [dict(zip(names, row, strict=True)) for row in rows]
    match path.name.partition(".")[2]:
        case "jsonl":
            path.write_text("".join(json.dumps(record) + "\n" for record in records))
        case "json":
            path.write_text(json.dumps(records, indent=1))
        case "csv":
            quoted = [",".join(f'"{cell}"' for cell in (id_, text.replace('"', '""'))) for id_, text in rows]
            path.write_text("\n".join([",".join(names), *quoted]) + "\n")
        case "parquet":
            pq.write_table(pa.Table.from_pylist(records), path)
        case packed:
            plain = write(path.with_suffix(""), names, rows)
            path.write_bytes(gzip.compress(plain.read_bytes()))
            assert packed.endswith("gz")
    return path


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv", "parquet", "jsonl.gz", "json.gz", "csv.gz"])
def test_every_table_gives_the_same_texts(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"mine.{suffix}")
    read = read_texts(path)
    assert list(read.rows()) == ROWS
    assert read.notes == (f"mine.{suffix}: the texts are the column 'text', the ids the column 'id'.",)


def test_a_tsv_file_has_no_quotes(tmp_path: Path) -> None:
    (tmp_path / "mine.tsv").write_text('id\ttext\n1\t"Half a quotation\n2\tand, the next\n')
    assert list(read_texts(tmp_path / "mine.tsv").rows()) == [("1", '"Half a quotation'), ("2", "and, the next")]


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv", "parquet"])
def test_columns_are_taken_by_name(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"mine.{suffix}", ("sku", "blurb"))
    read = read_texts(path, text_column="blurb", id_column="sku")
    assert list(read.rows()) == ROWS
    assert read.notes == (f"mine.{suffix}: the texts are the column 'blurb', the ids the column 'sku'.",)
    with pytest.raises(VecsmithError, match=r"has the columns 'sku' and 'blurb', none .* --text-column"):
        read_texts(path)
    with pytest.raises(VecsmithError, match=r"Unknown column of .*mine.* 'blurp': did you mean 'blurb'"):
        read_texts(path, text_column="blurp")
    assert read_texts(path, text_column="blurb").ids == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        (("_ID", "Text"), "the texts are the column 'Text', the ids the column '_ID'."),
        (("uuid", "blurb"), "the texts are the column 'blurb', the ids the column 'uuid'."),
        (("number", "body"), "the texts are the column 'body', the ids are row numbers from 0; use --id-column"),
        (("title", "text"), "the texts are the columns 'title' and 'text', the ids are row numbers"),
    ],
)
def test_usual_names_are_guessed_and_said(tmp_path: Path, names: tuple[str, str], taken: str) -> None:
    read = read_texts(write(tmp_path / "mine.csv", names))
    assert read.notes[0].startswith(f"mine.csv: {taken}")


def test_a_title_goes_before_the_text_unless_a_column_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.json", ("title", "text"))
    assert read_texts(path).texts[0] == "007 One, first"
    assert read_texts(path, text_column="text").texts[0] == "One, first"


def test_a_file_of_one_column_without_a_known_name_may_have_no_header(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("first text\nsecond text\n")
    with pytest.raises(VecsmithError, match=r"has the columns 'first text', none of which is called 'text'"):
        read_texts(tmp_path / "mine.csv")
    pq.write_table(pa.table({"blurb": ["x", "y"]}), tmp_path / "mine.parquet")
    assert read_texts(tmp_path / "mine.parquet").texts == ["x", "y"]


def test_whole_numbers_are_ids(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [5, 7], "text": ["x", "y"]}), tmp_path / "mine.parquet")
    assert read_texts(tmp_path / "mine.parquet").ids == ["5", "7"]


def test_a_long_field_is_read_whole(tmp_path: Path) -> None:
    text = "word " * 500_000
    assert read_texts(write(tmp_path / "mine.csv", rows=[("a", text), ("b", "x")])).texts == [text, "x"]


def test_a_blank_line_of_plain_text_is_a_document(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_bytes(b"\xef\xbb\xbfone\r\n\r\n three \nfour")
    assert list(read_texts(tmp_path / "mine.txt").rows()) == [("0", "one"), ("1", ""), ("2", "three"), ("3", "four")]


BAD_FILES = {
    "not JSON": (
        "a.jsonl",
        b'{"text": "x"}\n\n{"text": "y"\n',
        r"line 3, is not JSON \(Expecting .*, at character 13\); correct the line",
    ),
    "a list": ("a.jsonl", b'{"text": "x"}\n[1]\n', r"line 2, is JSON, but of type list; it must be an object"),
    "without the column": (
        "a.jsonl",
        b'{"id": 1, "text": "x"}\n{"id": 2}\n',
        r"a\.jsonl, line 2, has no 'text'; correct it",
    ),
    "a number": ("a.jsonl", b'{"text": 5}\n', r"line 1, has a 'text' of type int, which must be text"),
    "a float id": ("a.jsonl", b'{"id": 1.5, "text": "x"}\n', r"has a 'id' of type float.* text or an integer"),
    "half a character": ("a.jsonl", b'{"text": "\\ud800"}\n', r"line 1, has a lone surrogate"),
    "deep nesting": ("a.jsonl", b"[" * 100_000, r"line 1, is not JSON \(it is nested too deeply\)"),
    "lines in .json": ("a.json", b'{"text": "x"}\n{"text": "y"}\n', r"is not JSON .* named \.jsonl"),
    "an object": ("a.json", b'{"text": "x"}', r"must be a list of objects"),
    "a list of texts": ("a.json", b'["x"]', r"record 1, is JSON, but of type str"),
    "empty list": ("a.json", b"[]", r"a\.json is empty"),
    "empty csv": ("a.csv", b"", r"a\.csv cannot be read as a table \(.*[Ee]mpty"),
    "only a header": ("a.csv", b"id,text\n", r"a\.csv is empty"),
    "ragged": ("a.csv", b"id,text\n1,x\n2,y,z\n", r"cannot be read as a table \(.*Row #3: Expected 2 columns, got 3"),
    "latin-1": ("a.csv", b"id,text\n1,\xe9\n", r"cannot be read as a table \(.*UTF8"),
    "twice": ("a.csv", b"text,text\nx,y\n", r"has two columns 'text'; rename one"),
    "repeated id": ("a.csv", b"id,text\n1,x\n1,y\n", r"repeats the id '1' in row 2"),
    "missing id": ("a.csv", b"id,text\n1,x\n,y\n", r"has no id in row 2"),
    "no parquet": ("a.parquet", b"PAR1 and nothing else", r"a\.parquet cannot be read as a table"),
    "no gzip": ("a.csv.gz", b"id,text\n1,x\n", r"a\.csv\.gz cannot be read as a table"),
    "no gzip, JSON": ("a.json.gz", b"[]", r"a\.json\.gz is not a complete gzip file"),
}


@pytest.mark.parametrize(("name", "content", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_one_sentence_with_its_place(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(VecsmithError, match=message) as caught:
        read_texts(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_missing_text_in_parquet_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["a", "b"], "text": ["x", None]}), tmp_path / "mine.parquet")
    with pytest.raises(VecsmithError, match=r"mine\.parquet, row 2, has no 'text'"):
        read_texts(tmp_path / "mine.parquet")


def test_columns_of_plain_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("one\n")
    with pytest.raises(VecsmithError, match=r"one text per line and no columns; .* \.csv"):
        read_texts(tmp_path / "mine.txt", id_column="id")


def test_embed_says_which_columns_it_took(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.csv", ("sku", "text"))
    command = [sys.executable, "-m", "vecsmith", "embed", "--texts", path, "--out", tmp_path / "mine"]
    result = subprocess.run([*command, "--id-column", "sku"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "mine.csv: the texts are the column 'text', the ids the column 'sku'.\n" in result.stderr
    assert list(EmbeddingSet.open(tmp_path / "mine").rows) == ROWS
