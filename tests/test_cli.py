"""The command line as a user types it."""

import errno
import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import vecsmith
from vecsmith import cli, files
from vecsmith.codecs import STAGES
from vecsmith.index.coded_vectors import CodedVectors
from vecsmith.outputs import reserved

SENTENCE = re.compile(r"vecsmith: [^\n]+\n\Z")


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """Return a BEIR folder with a corpus of four documents and ready vectors."""
    folder = tmp_path / "tiny"
    (folder / "qrels").mkdir(parents=True)
    texts = ["the cat sat on the mat", "stock markets fell", "a recipe for lentil soup", "the train was late"]
    corpus = [{"_id": id_, "title": "", "text": text} for id_, text in zip("abcd", texts, strict=True)]
    write_lines(folder / "corpus.jsonl", corpus)
    write_lines(folder / "queries.jsonl", [{"_id": "q1", "text": "cats on mats"}, {"_id": "q2", "text": "soup"}])
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\ta\t1\nq2\tc\t1\n")
    ready = folder / "vectors" / "toy"
    ready.mkdir(parents=True)
    np.save(ready / "corpus.npy", np.eye(4, 8, dtype=np.float32))
    np.save(ready / "queries.npy", np.eye(4, 8, dtype=np.float32)[[0, 2]])
    return folder


def write_lines(path: Path, records: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, as a user does."""
    command = [sys.executable, "-m", "vecsmith", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)


def refused(*arguments: object, **environment: str) -> str:
    """Run a command that must end with one sentence on standard error and code 2, and return the sentence."""
    result = run(*arguments, **environment)
    assert result.returncode == 2, result
    assert SENTENCE.fullmatch(result.stderr), result.stderr
    assert result.stdout == ""
    return result.stderr


def test_compare_prints_the_table_at_100_columns_and_names_its_files(task: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["--encoder", "static", "--codec", "binary", "--scoring", "symmetric", "--scoring", "rescored"]
    result = run("compare", "--task", task, *options, "--out", out, COLUMNS="100")
    assert result.returncode == 0, result.stderr
    assert max(map(len, result.stdout.splitlines())) <= 100
    assert re.search(r"binary +symmetric +32 ", result.stdout)
    assert "rescored" in result.stdout
    for name in ("table.md", "table.csv", "results.jsonl"):
        assert str(out / name) in result.stderr
        assert (out / name).is_file()


def test_json_is_for_machines(task: Path) -> None:
    result = run("compare", "--task", task, "--codec", "int8", "--json")
    lines = json.loads(result.stdout)
    assert [line["codec"] for line in lines] == ["float32", "int8"]
    assert lines[0]["versions"]["vecsmith"] == version("vecsmith")


def test_own_vectors_by_file(task: Path) -> None:
    ready = task / "vectors" / "toy"
    encoder = f"vectors:{ready / 'corpus.npy'},{ready / 'queries.npy'}"
    result = run("compare", "--task", task, "--encoder", encoder, "--codec", "float16", "--json")
    assert [line["ndcg_at_10"] for line in json.loads(result.stdout)] == [1, 1]


def test_embed_a_task_and_compare_on_it(task: Path, tmp_path: Path) -> None:
    out = tmp_path / "embedded"
    assert run("embed", "--task", task, "--out", out).returncode == 0
    facts = json.loads(run("info", out / "corpus", "--json").stdout)
    assert (facts["rows"], facts["dimensions"], facts["encoder"]) == (4, 256, "static")
    embedded = run("compare", "--task", task, "--encoder", f"vectors:{out}", "--codec", "binary", "--json")
    texts = run("compare", "--task", task, "--encoder", "static", "--codec", "binary", "--json")
    figures = [[line["ndcg_at_10"] for line in json.loads(result.stdout)] for result in (embedded, texts)]
    assert figures[0] == figures[1]


def test_embed_a_file_of_texts(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("one text\nanother text\n")
    result = run("embed", "--texts", tmp_path / "texts.txt", "--out", tmp_path / "set")
    assert result.returncode == 0, result.stderr
    assert "2 × 256" in result.stderr
    assert "Give either" in refused("embed", "--out", tmp_path / "other")


def test_fit_a_codec_to_a_file_or_a_set(task: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "vectors.npy", rng.standard_normal((200, 16)).astype(np.float32))
    result = run("fit", "pca8,int8", "--vectors", tmp_path / "vectors.npy", "--out", tmp_path / "codec")
    assert result.returncode == 0, result.stderr
    assert "8 bytes per vector" in result.stderr
    facts = json.loads(run("info", tmp_path / "codec", "--json").stdout)
    assert (facts["codec"], facts["dimensions"], facts["bytes_per_vector"]) == ("pca8,int8", 16, 8)
    run("embed", "--task", task, "--out", tmp_path / "set")
    assert run("fit", "binary", "--vectors", tmp_path / "set" / "corpus", "--out", tmp_path / "two").returncode == 0
    (tmp_path / "vectors.npy").write_bytes(b"no vectors")
    assert "vectors.npy" in refused("fit", "int8", "--vectors", tmp_path / "vectors.npy", "--out", tmp_path / "three")
    assert not (tmp_path / "three").exists()


def test_columns_of_a_parquet_file_are_taken_by_name_and_said(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).standard_normal((30, 8)).astype(np.float32)
    skus, texts = [f"p{row}" for row in range(30)], [f"product {row}" for row in range(30)]
    table = pa.table({"short": list(vectors[:, :4]), "long": list(vectors), "sku": skus, "body": texts})
    pq.write_table(table, tmp_path / "products.parquet")
    fitting = ["fit", "int8", "--vectors", tmp_path / "products.parquet", "--out", tmp_path / "codec"]
    assert "has several (short, long); call one 'vectors', or name it with --column" in refused(*fitting)
    fitted = run(*fitting, "--column", "long")
    assert fitted.returncode == 0, fitted.stderr
    assert "products.parquet: the vectors are 'long', the texts are 'body'.\n" in fitted.stderr
    encoding = ["encode", tmp_path / "codec", "--vectors", tmp_path / "products.parquet", "--column", "long"]
    encoded = run(*encoding, "--id-column", "sku", "--out", tmp_path / "codes")
    assert encoded.returncode == 0, encoded.stderr
    np.save(tmp_path / "queries.npy", vectors[[7]])
    found = json.loads(run("search", tmp_path / "codes", "--queries", tmp_path / "queries.npy", "--json").stdout)
    assert (found[0]["results"][0]["id"], found[0]["results"][0]["text"]) == ("p7", "product 7")


def test_encode_and_search(tmp_path: Path) -> None:
    texts, codes = tmp_path / "texts.txt", tmp_path / "codes"
    # a text that is wider than any terminal takes nothing from the other columns
    soup = "a recipe for [b]lentil soup" + " with salt" * 30
    texts.write_text(f"the cat sat on the mat\nstock markets fell\n{soup}\nthe train was late\n")
    run("embed", "--texts", texts, "--out", tmp_path / "set")
    run("fit", "int8", "--vectors", tmp_path / "set", "--out", tmp_path / "codec")
    result = run("encode", tmp_path / "codec", "--vectors", tmp_path / "set", "--out", codes)
    assert result.returncode == 0, result.stderr
    assert "4 codes of 256 bytes" in result.stderr
    facts = json.loads(run("info", codes, "--json").stdout)
    assert (facts["codes"], facts["rows"], facts["bytes_per_vector"], facts["encoder"]) == ("int8", 4, 256, "static")
    table = run("search", codes, "--query", "soup recipes", "-k", 2).stdout.splitlines()
    assert re.search(r"0\.\d+ +2 +a recipe for \[b\]lentil soup", table[2])
    found = json.loads(run("search", codes, "--queries", texts, "-k", 1, "--json").stdout)
    assert [query["results"][0]["text"] for query in found] == texts.read_text().splitlines()
    assert found[3]["results"][0]["score"] == pytest.approx(1, abs=0.01)
    assert "Give either --query or --queries" in refused("search", codes)


def test_info_of_codes_with_originals_and_lists(tmp_path: Path) -> None:
    X = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)
    codec, finer = vecsmith.codec("binary").fit(X), vecsmith.codec("int8").fit(X)
    for originals, size in ((X.astype(np.float16), 16), (CodedVectors(finer, finer.encode(X)), 8)):
        index = vecsmith.Index(codec, codec.encode(X), "rescored", originals)
        index.build_lists(5)
        index.save(tmp_path / "codes")
        facts = json.loads(run("info", tmp_path / "codes", "--json").stdout)
        assert (facts["scoring"], facts["rescore_bytes_per_vector"], facts["inverted_lists"]) == ("rescored", size, 5)
        assert "lexical" not in facts


def test_search_codes_of_ready_vectors(task: Path, tmp_path: Path) -> None:
    ready, codes = task / "vectors" / "toy", tmp_path / "codes"
    run("fit", "float16", "--vectors", ready / "corpus.npy", "--out", tmp_path / "codec")
    run("encode", tmp_path / "codec", "--vectors", ready / "corpus.npy", "--out", codes)
    found = json.loads(run("search", codes, "--queries", ready / "queries.npy", "-k", 1, "--json").stdout)
    assert [query["results"] for query in found] == [[{"score": 1, "id": id_, "text": None}] for id_ in ("0", "2")]
    assert "give --encoder" in refused("search", codes, "--query", "cats")
    assert "of 8 dimensions" in refused("search", codes, "--query", "cats", "--encoder", "static")
    spoilt = np.eye(2, 8, dtype=np.float32)
    spoilt[1, 3] = np.nan
    np.save(tmp_path / "spoilt.npy", spoilt)
    assert "NaN or infinite value in row 1" in refused("search", codes, "--queries", tmp_path / "spoilt.npy")
    run("embed", "--task", task, "--encoder", "vectors:toy", "--out", tmp_path / "sets")
    found = json.loads(run("search", codes, "--queries", tmp_path / "sets" / "queries", "-k", 1, "--json").stdout)
    assert [(query["query"], query["results"][0]["id"]) for query in found] == [("q1", "0"), ("q2", "2")]
    # FAISS's own lists find fewer than there are
    run("fit", "faiss:IVF2,Flat", "--vectors", ready / "corpus.npy", "--out", tmp_path / "lists")
    run("encode", tmp_path / "lists", "--vectors", ready / "corpus.npy", "--out", codes)
    found = json.loads(run("search", codes, "--queries", ready / "queries.npy", "-k", 4, "--json").stdout)
    assert all(1 <= len(query["results"]) < 4 for query in found)


def test_search_codes_of_a_model_that_is_no_encoder(task: Path, tmp_path: Path) -> None:
    (task / "vectors" / "toy" / "about.json").write_text('{"model": "someone/mini"}')
    run("embed", "--task", task, "--encoder", "vectors:toy", "--out", tmp_path / "sets")
    run("fit", "int8", "--vectors", tmp_path / "sets" / "corpus", "--out", tmp_path / "codec")
    run("encode", tmp_path / "codec", "--vectors", tmp_path / "sets" / "corpus", "--out", tmp_path / "codes")
    assert "--encoder, such as st:someone/mini." in refused("search", tmp_path / "codes", "--query", "cats")


@pytest.mark.parametrize(("former", "now"), [("--keep=0.9", "--min-retention"), ("--val=others.npy", "--validation")])
def test_former_names_of_options_still_work(former: str, now: str, tmp_path: Path) -> None:
    spec = "int8" if "keep" in former else "auto"
    size = [] if spec == "int8" else ["--bytes", "8"]
    assert now in refused("fit", spec, *size, former, "--vectors", "x.npy", "--out", tmp_path / "codec")
    assert former.partition("=")[0] not in run("fit", "--help").stdout.split()


def test_listings() -> None:
    codecs = json.loads(run("codecs", "--json").stdout)
    assert set(codecs) == set(STAGES)
    assert {"static", "vectors:NAME"} <= set(json.loads(run("encoders", "--json").stdout))
    assert "pydocs" in run("tasks").stdout
    assert "mlp1|mlp2[xW][:cosine|:retrieval]" in run("translate", "methods").stdout


def test_help_and_version() -> None:
    result = run("--help")
    assert result.returncode == 0
    for command in ("compare", "embed", "info", "tasks"):
        assert command in result.stdout
    assert run("--version").stdout.strip() == f"vecsmith {version('vecsmith')}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--codec", "int9"], "did you mean 'int8'"),
        (["--encoder", "statik"], "did you mean 'static'"),
        (["--encoder", "vectors:nobody"], "'nobody'"),
        (["--scoring", "symetric"], "did you mean 'symmetric'"),
        (["--split", "dev"], "Unknown split"),
        (["--fit-on", "nowhere"], "nowhere"),
        (["--task", "pydoc"], "did you mean 'pydocs'"),
        (["--task", "mteb:NFCorpu"], "NFCorpus"),
        (["--codec", "pca9"], "choose from 1 to"),
        (["--codec", "faiss:PQ7"], "FAISS"),
    ],
)
def test_wrong_names_end_with_one_sentence(arguments: list[str], message: str, task: Path) -> None:
    base = ["compare", "--task", str(task), "--fit-on", "corpus"]
    if "--encoder" not in arguments:
        base += ["--encoder", "vectors:toy"]
    assert message in refused(*base, *arguments)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("corpus.jsonl", b'{"_id": "a", "text": "x"}\n{"_id": "b"\n', "line 2"),
        ("corpus.jsonl", b'{"_id": "a", "text": "\xff"}\n', "UTF-8"),
        ("corpus.jsonl", b"", "is empty"),
        ("queries.jsonl", b'{"_id": "q1", "text": "x"}\n{"_id": "q1", "text": "y"}\n', "'q1'"),
        ("queries.jsonl", b'{"text": "x"}\n', "line 1"),
        ("qrels/test.tsv", b"query-id\tcorpus-id\tscore\nq1\ta\tmany\n", "line 2"),
        ("vectors/toy/corpus.npy", b"\x93NUMPY\x01\x00v\x00", "corpus.npy"),
    ],
)
def test_broken_files_end_with_one_sentence(
    file: str, content: bytes, message: str, task: Path, tmp_path: Path
) -> None:
    (task / file).write_bytes(content)
    sentence = refused("compare", "--task", task, "--encoder", "vectors:toy", "--out", tmp_path / "out")
    assert message in sentence
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((4, 8), np.nan), "NaN or infinite value in row 0"),
        (np.zeros((4, 8)), "only all-zero vectors"),
        (np.eye(4, 9), "dimensions"),
        (np.eye(2, 8), "2 vectors but"),
    ],
)
def test_unusable_vectors_end_with_one_sentence(values: np.ndarray, message: str, task: Path) -> None:
    np.save(task / "vectors" / "toy" / "corpus.npy", values.astype(np.float32))
    assert message in refused("compare", "--task", task, "--encoder", "vectors:toy")


def test_unknown_judgements_are_counted_and_said(task: Path) -> None:
    with (task / "qrels" / "test.tsv").open("a") as file:
        file.write("q1\tz\t1\n")
    result = run("compare", "--task", task, "--codec", "int8")
    assert result.returncode == 0
    assert re.search(r"tiny: 1 judgement", result.stderr)


def test_a_damaged_set_ends_with_one_sentence(task: Path, tmp_path: Path) -> None:
    out = tmp_path / "embedded"
    run("embed", "--task", task, "--out", out)
    shard = out / "corpus" / "vectors-00000.npy"
    shard.write_bytes(shard.read_bytes()[:-4] + b"oops")
    assert "hash" in refused("compare", "--task", task, "--encoder", f"vectors:{out}")
    assert "rows" in run("info", out / "corpus").stdout
    assert "hash" in refused("info", out / "corpus", "--verify")
    assert "are intact" in run("info", out / "queries", "--verify").stderr


def test_an_output_folder_that_holds_something_else(task: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("irreplaceable")
    for command in ("compare", "embed"):
        assert "something else" in refused(command, "--task", task, "--out", tmp_path / "thesis")
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter1.txt"]


def test_a_missing_extra_names_the_pip_line(task: Path, tmp_path: Path) -> None:
    (tmp_path / "hidden" / "sentence_transformers").mkdir(parents=True)
    (tmp_path / "hidden" / "sentence_transformers" / "__init__.py").write_text("raise ImportError('not there')")
    model = tmp_path / "model"
    model.mkdir()
    (model / "modules.json").write_text("[]")
    path = f"{tmp_path / 'hidden'}"
    sentence = refused("compare", "--task", task, "--encoder", f"st:{model}", PYTHONPATH=path)
    assert "pip install 'vecsmith[models]'" in sentence


def test_a_full_disk_is_one_sentence_and_leaves_the_old_table(
    task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run("compare", "--task", task, "--codec", "int8", "--out", out).returncode == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    monkeypatch.setattr(sys, "argv", ["vecsmith", "compare", "--task", str(task), "--codec", "int4", "--out", str(out)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "The disk is full" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_fault_of_ours_is_one_sentence_and_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli.listings, "print_listing", lambda *_: 1 / 0)
    monkeypatch.setattr(sys, "argv", ["vecsmith", "codecs"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    sentence = capsys.readouterr().err
    assert SENTENCE.fullmatch(sentence)
    assert "--debug" in sentence


def test_few_vectors_and_empty_queries_are_warned_of(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("one\ntwo\nthree\n")
    assert run("embed", "--texts", tmp_path / "texts.txt", "--out", tmp_path / "set").returncode == 0
    fitted = run("fit", "median", "--vectors", tmp_path / "set", "--out", tmp_path / "codec")
    assert fitted.returncode == 0
    assert "vecsmith: median is fitted on only 3 vectors and may suit other vectors badly" in fitted.stderr
    out = tmp_path / "codes"
    assert run("encode", tmp_path / "codec", "--vectors", tmp_path / "set", "--out", out).returncode == 0
    searched = run("search", out, "--query", " ")
    assert (searched.returncode, "vecsmith: The query is empty" in searched.stderr) == (0, True)
    assert run("search", out, "--query", "one").stderr == ""


@pytest.mark.parametrize("by", ["option", "variable"])
def test_debug_shows_the_traceback_and_keeps_the_code(
    by: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VECSMITH_DEBUG", "1" if by == "variable" else "0")
    monkeypatch.setattr(cli.listings, "print_listing", lambda *_: 1 / 0)
    monkeypatch.setattr(sys, "argv", ["vecsmith", *(["--debug"] if by == "option" else []), "codecs"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    shown = capsys.readouterr().err
    assert shown.startswith("Traceback")
    assert "ZeroDivisionError" in shown.splitlines()[-1]


@pytest.mark.parametrize("name", ["missing", "file"])
def test_a_folder_that_is_not_there_is_said_to_be_missing(name: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.eye(4, dtype=np.float32))
    (tmp_path / "file").write_text("")
    said = refused("encode", tmp_path / name, "--vectors", tmp_path / "x.npy", "--out", tmp_path / "codes")
    assert ("does not exist" if name == "missing" else "is a file") in said


def test_an_output_that_another_process_prepares_is_refused_at_once(task: Path, tmp_path: Path) -> None:
    vectors = task / "vectors" / "toy" / "corpus.npy"
    with reserved(tmp_path / "codec"):
        sentence = refused("fit", "int8", "--vectors", vectors, "--out", tmp_path / "codec")
    assert "Another process writes to" in sentence
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]
