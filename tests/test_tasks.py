"""Tests of the tasks: built in, from folders, and from mteb."""

import gzip
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vecsmith.errors import VecsmithError
from vecsmith.tasks import TASKS, Task, Texts, load_beir, load_mteb, load_pydocs, load_task, mteb_names
from vecsmith.tasks import pydocs as pydocs_module

CORPUS = [{"_id": "d1", "title": "One", "text": "first"}, {"_id": "d2", "text": "second"}]
QUERIES = [{"_id": "q1", "text": "which is first?"}, {"_id": "q2", "text": "which is second?"}]
QRELS = "query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t2\n"


def lines(records: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "task" / "qrels").mkdir(parents=True)
    (tmp_path / "task" / "corpus.jsonl").write_bytes(lines(CORPUS))
    (tmp_path / "task" / "queries.jsonl").write_bytes(lines(QUERIES))
    (tmp_path / "task" / "qrels" / "test.tsv").write_text(QRELS)
    return tmp_path / "task"


# ---------------------------------------------------------------- texts and tasks


def test_texts_need_ids_that_are_there_and_unique() -> None:
    with pytest.raises(VecsmithError, match=r"here is empty"):
        Texts([], [], "here")
    with pytest.raises(VecsmithError, match=r"here has no id in row 2"):
        Texts(["a", ""], ["x", "y"], "here")
    with pytest.raises(VecsmithError, match=r"here repeats the id 'a' in row 3"):
        Texts(["a", "b", "a"], ["x", "y", "z"], "here")


def test_splits_are_joined_by_a_plus(folder: Path) -> None:
    (folder / "qrels" / "train.tsv").write_text("q1\td2\t1\n")
    task = load_beir(folder)
    assert task.judgements("train") == {"q1": {"d2": 1}}
    assert task.judgements("train+test") == {"q1": {"d1": 1, "d2": 1}, "q2": {"d2": 2}}
    with pytest.raises(VecsmithError, match=r"Unknown split of task 'tests': did you mean 'test'\?"):
        task.judgements("tests")


def test_fingerprint_changes_with_texts_and_judgements(folder: Path) -> None:
    before = load_beir(folder).fingerprint
    assert load_beir(folder).fingerprint == before
    (folder / "qrels" / "test.tsv").write_text(QRELS.replace("2\n", "1\n"))
    judged_differently = load_beir(folder).fingerprint
    (folder / "corpus.jsonl").write_bytes(lines(CORPUS).replace(b"second", b"2nd"))
    assert len({before, judged_differently, load_beir(folder).fingerprint}) == 3


# ---------------------------------------------------------------- BEIR folders


def test_a_document_is_title_space_text(folder: Path) -> None:
    task = load_beir(folder)
    assert (task.name, task.folder, task.notes, task.ignore_identical_ids) == ("task", folder, (), False)
    assert list(task.corpus.rows()) == [("d1", "One first"), ("d2", "second")]
    assert task.queries.texts == ["which is first?", "which is second?"]
    assert task.qrels == {"test": {"q1": {"d1": 1}, "q2": {"d2": 2}}}


def test_gzipped_files_byte_order_marks_and_blank_lines_read_the_same(folder: Path) -> None:
    plain = load_beir(folder)
    (folder / "corpus.jsonl").unlink()
    marked = b"\xef\xbb\xbf" + lines(CORPUS).replace(b"\n", b"\r\n") + b"\n\n"
    (folder / "corpus.jsonl.gz").write_bytes(gzip.compress(marked))
    (folder / "qrels" / "test.tsv").unlink()
    (folder / "qrels" / "test.tsv.gz").write_bytes(gzip.compress(QRELS.encode()))
    assert load_beir(folder).fingerprint == plain.fingerprint


def test_numeric_ids_are_text(folder: Path) -> None:
    (folder / "corpus.jsonl").write_text('{"_id": 7, "title": null, "text": "seven"}\n')
    (folder / "qrels" / "test.tsv").write_text("q1\t7\t1\n")
    task = load_beir(folder)
    assert (task.corpus.ids, task.corpus.texts, task.notes) == (["7"], ["seven"], ())


def test_a_query_that_is_a_document_is_no_answer_to_itself(folder: Path) -> None:
    (folder / "queries.jsonl").write_bytes(lines([{"_id": "d1", "text": "first"}, QUERIES[1]]))
    (folder / "qrels" / "test.tsv").write_text("d1\td2\t1\n")
    assert load_beir(folder).ignore_identical_ids


def test_strangers_in_the_judgements_are_counted_and_said(folder: Path) -> None:
    (folder / "qrels" / "test.tsv").write_text(QRELS + "q2\tnowhere\t1\nnobody\td1\t1\nnobody\telsewhere\t1\n")
    notes = load_beir(folder).notes
    assert len(notes) == 2
    assert notes[0].startswith("2 judgements of test name documents that are not in the corpus")
    assert notes[1].startswith("1 judged queries of test have no text")


BAD_FILES = {
    "missing corpus": ("corpus.jsonl", None, r"no .*corpus\.jsonl \(nor corpus\.jsonl\.gz\)"),
    "missing queries": ("queries.jsonl", None, r"no .*queries\.jsonl \(nor"),
    "missing judgements": ("qrels/test.tsv", None, r"has no judgements; put them in qrels/test\.tsv"),
    "empty corpus": ("corpus.jsonl", b"", r"corpus\.jsonl is empty"),
    "blank corpus": ("corpus.jsonl", b"\n \n", r"corpus\.jsonl is empty"),
    "empty judgements": ("qrels/test.tsv", b"query-id\tcorpus-id\tscore\n", r"test\.tsv is empty"),
    "duplicate id": ("corpus.jsonl", lines([*CORPUS, CORPUS[0]]), r"corpus\.jsonl repeats the id 'd1' in row 3"),
    "duplicate query": ("queries.jsonl", lines([*QUERIES, QUERIES[1]]), r"queries\.jsonl repeats the id 'q2'"),
    "no id": ("corpus.jsonl", lines([CORPUS[0], {"text": "x"}]), r"corpus\.jsonl, line 2, "),
    "null id": ("corpus.jsonl", lines([CORPUS[0], {"_id": None, "text": "x"}]), r"corpus\.jsonl, line 2, "),
    "empty id": ("corpus.jsonl", lines([CORPUS[0], {"_id": "", "text": "x"}]), r"corpus\.jsonl has no id in row 2"),
    "no text": ("queries.jsonl", lines([{"_id": "q1"}]), r"queries\.jsonl, line 1, "),
    "null text": ("queries.jsonl", lines([{"_id": "q1", "text": None}]), r"queries\.jsonl, line 1, "),
    "a list": ("corpus.jsonl", lines(CORPUS) + b"[1, 2]\n", r"corpus\.jsonl, line 3, "),
    "half a line": ("corpus.jsonl", lines(CORPUS) + b'\n{"_id": "d3", "te', r"corpus\.jsonl, line 4, "),
    "deep nesting": ("corpus.jsonl", lines(CORPUS) + b"[" * 100_000, r"corpus\.jsonl, line 3, "),
    "half a character": (
        "corpus.jsonl",
        lines(CORPUS) + b'{"_id": "d3", "text": "\\ud800"}',
        r"corpus\.jsonl, line 3, ",
    ),
    "latin-1": (
        "corpus.jsonl",
        lines(CORPUS * 500) + b'{"_id": "d3", "text": "\xe9"}\n',
        r"jsonl, line 1001, is not UTF-8",
    ),
    "two columns": ("qrels/test.tsv", QRELS.encode() + b"q1\td1\n", r"test\.tsv, line 4, is not query-id, corpus-id"),
    "trec columns": ("qrels/test.tsv", b"q1\t0\td1\t1\n", r"test\.tsv, line 1, is not query-id, corpus-id"),
    "no score": ("qrels/test.tsv", b"q1\td1\thigh\n", r"test\.tsv, line 1, is not query-id, corpus-id"),
    "other queries": ("qrels/test.tsv", b"x\td1\t1\n", r"None of the queries that test judges is in .*queries\.jsonl"),
}


@pytest.mark.parametrize(("name", "content", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_one_sentence_with_its_place(
    folder: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(VecsmithError, match=message) as caught:
        load_beir(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["truncated", "altered", "not gzip"])
def test_a_damaged_gzip_file_is_refused(folder: Path, damage: str) -> None:
    packed = bytearray(gzip.compress(lines([{"_id": str(i), "text": f"text {i * i}"} for i in range(500)])))
    if damage == "altered":
        packed[len(packed) // 2 : len(packed) // 2 + 40] = bytes(40)
    whole = {"truncated": bytes(packed[:-50]), "altered": bytes(packed), "not gzip": lines(CORPUS)}
    (folder / "corpus.jsonl").unlink()
    (folder / "corpus.jsonl.gz").write_bytes(whole[damage])
    with pytest.raises(VecsmithError, match=r"corpus\.jsonl\.gz"):
        load_beir(folder)


SIZES = {
    "scifact": (5183, {"train": 809, "test": 300}),
    "cranfield": (1400, {"test": 225}),
    "hotpotqa-2k": (19274, {"train": 1600, "test": 400}),
}


@pytest.mark.data
@pytest.mark.parametrize("name", SIZES)
def test_the_shared_collections_have_their_sizes(beir: Callable[[str], Path], name: str) -> None:
    task = load_task(str(beir(name)))
    documents, splits = SIZES[name]
    assert len(task.corpus) == documents
    assert {split: len(judged) for split, judged in task.qrels.items()} == splits
    assert task.name == name
    assert task.notes == ()


# ---------------------------------------------------------------- specs


def test_a_spec_or_a_plain_path_names_a_task(folder: Path) -> None:
    assert load_task(f"beir:{folder}").fingerprint == load_task(str(folder)).fingerprint


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("pydoc", r"Unknown task 'pydoc': did you mean 'pydocs'\?"),
        ("mteb2:SciFact", r"Unknown task 'mteb2:SciFact': did you mean 'mteb:NAME'\?"),
        ("no/such/folder", r"Unknown task 'no/such/folder': known are beir:DIR, mteb:NAME, pydocs\."),
        ("beir:no/such/folder", r"There is no folder no/such/folder"),
        ("mteb:A:B:C:D", r"'mteb:A:B:C:D' has too many parts; write mteb:NAME:SUBSET:SPLIT"),
    ],
)
def test_an_unknown_task_is_refused(spec: str, message: str) -> None:
    with pytest.raises(VecsmithError, match=message):
        load_task(spec)


def test_the_listing_names_every_kind_of_task() -> None:
    assert set(TASKS) == {"pydocs", "beir", "mteb"}
    assert all("\n" not in loader.summary for loader in TASKS.values())


# ---------------------------------------------------------------- pydocs


@pytest.fixture(scope="module")
def pydocs(tmp_path_factory: pytest.TempPathFactory) -> Task:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VECSMITH_CACHE", str(tmp_path_factory.mktemp("cache")))
        return load_pydocs()


def test_pydocs_is_large_enough_and_split_60_20_20(pydocs: Task) -> None:
    assert len(pydocs.corpus) >= 6000
    shares = {split: len(judged) / len(pydocs.queries) for split, judged in pydocs.qrels.items()}
    assert shares == pytest.approx({"train": 0.6, "dev": 0.2, "test": 0.2}, abs=0.03)
    assert set(pydocs.provenance) == {"python", "numpy", "scipy"}
    assert pydocs.notes == ()


def test_every_summary_is_judged_once_and_its_body_is_the_answer(pydocs: Task) -> None:
    judged = {query: gains for split in pydocs.qrels.values() for query, gains in split.items()}
    assert sum(map(len, pydocs.qrels.values())) == len(judged) == len(pydocs.queries)
    assert all(gains == {query.removesuffix(":summary"): 1} for query, gains in judged.items())
    assert not set(pydocs.corpus.ids) & set(pydocs.queries.ids)


def test_texts_of_pydocs_are_clean(pydocs: Task) -> None:
    queries, bodies = pydocs.queries.texts, pydocs.corpus.texts
    assert len({query.lower() for query in queries}) == len(queries)
    assert len({body.lower() for body in bodies}) == len(bodies)
    assert not [query for query, body in zip(queries, bodies, strict=True) if query.lower() in body.lower()]
    assert not [text for text in queries + bodies if re.search(r">>>|:param|\.\. version|^-+$", text)]
    assert not [text for text in queries if re.match(r"Copyright|\W{2}|[\w.]+\(.*\)$|\w+ : ", text)]
    assert all(2 <= len(query.split()) <= 40 for query in queries)


def test_well_known_functions_are_found_by_name(pydocs: Task) -> None:
    texts = {id_: (query, body) for (id_, body), query in zip(pydocs.corpus.rows(), pydocs.queries.texts, strict=True)}
    assert texts["numpy.linalg._linalg.svd"][0] == "Singular Value Decomposition."
    assert texts["shutil.rmtree"][0] == "Recursively delete a directory tree."
    assert texts["numpy._core.multiarray.arange"][0] == "Return evenly spaced values within a given interval."
    assert not [id_ for id_ in texts if {"tests", "idlelib", "site-packages", "conftest"} & set(id_.split("."))]


def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    """Install a package of one module, and let it be all that pydocs reads."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text(text, encoding="utf-8")
    (tmp_path / "nothing").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(pydocs_module, "PACKAGES", ())
    monkeypatch.setattr(pydocs_module, "packages_distributions", lambda: {name: ["vecsmith"]})
    monkeypatch.setattr(pydocs_module.sysconfig, "get_path", lambda _: str(tmp_path / "nothing"))


BODY = "It takes the left one first and then the other one."
DOCSTRINGS = {
    "plain": (f"Join two things.\n\n{BODY}", ("Join two things.", BODY)),
    "no blank line": (f"Join two things.\n{BODY}", ("Join two things.", BODY)),
    "two sentences in a line": (f"Join two things. {BODY}", ("Join two things.", BODY)),
    "wrapped summary": (f"Join two\nthings, i.e. these.\n\n{BODY}", ("Join two things, i.e. these.", BODY)),
    "signature": (f"f(a, b=(1, 2)) -> c\n\nJoin two things.\n\n{BODY}", None),
    "simple signature": (f"f(a, b[, c]) -> c\n\nJoin two things.\n\n{BODY}", ("Join two things.", BODY)),
    "module name": (f"mine.join\n\nJoin two things.\n\n{BODY}", ("Join two things.", BODY)),
    "title": (f"============\nJoin two things.\n============\n\n{BODY}", ("Join two things.", BODY)),
    "markup": (f"Join :class:`~a.Thing` and ``two`` `things`.\n\n{BODY}", ("Join a.Thing and two things.", BODY)),
    "doctest": (
        f"Join two things.\n\n{BODY}\n\n>>> join(a, b)\n7\n\nIt ends.",
        ("Join two things.", BODY + " It ends."),
    ),
    "version": (f"Join two things.\n\n.. versionadded:: 3.2\n   The last\n\n{BODY}", ("Join two things.", BODY)),
    "headings": (f"Join two things.\n\nNotes\n-----\n{BODY}", ("Join two things.", f"Notes {BODY}")),
    "fields": (f"Join two things.\n\n:param x: {BODY}", ("Join two things.", f"x: {BODY}")),
    "only fields": (":param x: the left one of the two\n:param y: the right one of the two things there are", None),
    "only doctest": ("Join two things.\n\n>>> join('a b c d e f', 'g h i j k l m n o p q r s t')\n7", None),
    "only parameters": (f"Parameters\n----------\nx : int\n    The left one.\n\n{BODY}", None),
    "no body": ("Join two things.", None),
    "short body": ("Join two things.\n\nAs said above.", None),
    "short summary": (f"Join.\n\n{BODY}", None),
    "repeated": (f"Join two things.\n\nJoin two things, the left one first and then the other one. {BODY}", None),
}


@pytest.mark.parametrize(("docstring", "expected"), DOCSTRINGS.values(), ids=DOCSTRINGS)
def test_a_docstring_becomes_a_query_and_its_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, docstring: str, expected: tuple[str, str] | None
) -> None:
    always = '"""Stand in for the corpus.\n\nA corpus needs one document, which is this one, at the least."""\n'
    source(tmp_path, monkeypatch, "mine", f"{always}def join():\n    {docstring!r}\n")
    task = load_pydocs(["mine"])
    found = dict(zip(task.corpus.ids, zip(task.queries.texts, task.corpus.texts, strict=True), strict=True))
    assert found.pop("mine")[0] == "Stand in for the corpus."
    assert found == ({} if expected is None else {"mine.join": expected})


def test_nested_added_and_repeated_docstrings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f'''
try:
    class Left:
        def join(self):
            """Join two things.\n\n            {BODY}"""
        def join_again(self):
            """Join two things.\n\n            Unlike the other one, it takes the right one of the two first."""
        def unite(self):
            """Unite two things.\n\n            {BODY}"""
except ValueError:
    pass
add_newdoc("Left", ("part", """Part two things.\n\n    Here the things are two, and after that they are as well."""))
add_newdoc(name, "nothing", """Not read.""")
'''
    source(tmp_path, monkeypatch, "mine", text)
    assert load_pydocs(["mine"]).corpus.ids == ["mine.Left.join", "mine.Left.part"]


def test_a_package_is_read_and_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source(tmp_path, monkeypatch, "mine", f'"""Join two things.\n\n{BODY}"""\nraise SystemExit')
    assert load_pydocs(["mine"]).corpus.texts == [BODY]
    assert "mine" not in sys.modules


def test_the_cache_is_used_until_a_file_changes(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source(tmp_path, monkeypatch, "mine", f'"""Join two things.\n\n{BODY}"""')
    first = load_pydocs(["mine"]).fingerprint
    (stored,) = (cache / "pydocs").iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(pydocs_module, "_docstrings", None)  # nothing can be parsed
        assert load_pydocs(["mine"]).fingerprint == first
    stored.write_bytes(stored.read_bytes()[:-9])
    assert load_pydocs(["mine"]).fingerprint == first
    (tmp_path / "mine" / "__init__.py").write_text(f'"""Unite two things.\n\n{BODY}"""')
    assert load_pydocs(["mine"]).queries.texts == ["Unite two things."]


def test_a_cache_that_cannot_be_written_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source(tmp_path, monkeypatch, "mine", f'"""Join two things.\n\n{BODY}"""')
    (tmp_path / "file").touch()
    monkeypatch.setenv("VECSMITH_CACHE", str(tmp_path / "file"))
    assert load_pydocs(["mine"]).queries.texts == ["Join two things."]


def test_packages_are_named_as_imported_or_as_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source(tmp_path, monkeypatch, "mine", f'"""Join two things.\n\n{BODY}"""')
    by_import, by_distribution = load_task("pydocs:mine"), load_task("pydocs:vecsmith")
    assert by_import.fingerprint == by_distribution.fingerprint
    assert (by_import.name, list(by_import.provenance)) == ("pydocs:mine", ["python", "mine"])
    with pytest.raises(VecsmithError, match=r"cannot find Python source of the package 'others'; install it"):
        load_task("pydocs:mine,others")


# ---------------------------------------------------------------- mteb

METADATA = {
    "name": "Local",
    "description": "A local task.",
    "dataset": {"path": "local/data", "revision": "abc"},
    "type": "Retrieval",
    "category": "t2t",
    "modalities": ["text"],
    "eval_splits": ["test"],
    "eval_langs": ["eng-Latn"],
    "main_score": "ndcg_at_10",
    "reference": None,
}


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that gives mteb a task named Local, whose attributes are set when it is loaded."""
    mteb = pytest.importorskip("mteb")

    def add(attributes: dict[str, Any], metadata: dict[str, Any] | None = None, **members: Any) -> None:
        def load_data(self: Any, *args: Any, **kwargs: Any) -> None:
            vars(self).update(attributes)
            self.data_loaded = True

        members = {"metadata": mteb.TaskMetadata(**{**METADATA, **(metadata or {})}), "load_data": load_data, **members}
        local = type("Local", (mteb.abstasks.AbsTaskRetrieval,), members)
        monkeypatch.setitem(sys.modules["mteb.get_tasks"]._TASKS_REGISTRY, "Local", local)

    return add


def v1(corpus: dict[str, Any], queries: dict[str, str], qrels: dict[str, dict[str, int]]) -> dict[str, Any]:
    return {"corpus": {"test": corpus}, "queries": {"test": queries}, "relevant_docs": {"test": qrels}}


def v2(
    corpus: list[dict[str, Any]], queries: list[dict[str, Any]], qrels: dict[str, Any], **more: Any
) -> dict[str, Any]:
    datasets = pytest.importorskip("datasets")
    renamed = [[{"id": row["_id"], **row} for row in rows] for rows in (corpus, queries)]
    return {
        "corpus": datasets.Dataset.from_list([{"title": "", **row} for row in renamed[0]]),
        "queries": datasets.Dataset.from_list(renamed[1]),
        "relevant_docs": qrels,
        "top_ranked": None,
        **more,
    }


JUDGED = {"q1": {"d1": 1, "d2": 0}, "q2": {"d2": 2}}


def test_mteb_v1_data(register: Callable[..., None]) -> None:
    corpus = {"d1": {"title": "One", "text": "first"}, "d2": {"text": " second "}, "d3": "third"}
    queries = {"q1": "which is first?", "q2": "which is second?", "q3": "who asks?"}
    register(v1(corpus, queries, {**JUDGED, "q3": {}}), ignore_identical_ids=True)
    task = load_task("mteb:Local")
    assert list(task.corpus.rows()) == [("d1", "One first"), ("d2", "second"), ("d3", "third")]
    assert task.queries.ids == ["q1", "q2"]  # a query without judgements is left out, as in mteb
    assert task.qrels == {"test": JUDGED}
    assert (task.name, task.ignore_identical_ids, task.notes, task.folder) == ("Local", True, (), None)
    assert task.provenance.items() >= {"dataset": "local/data", "revision": "abc"}.items()


def test_mteb_v2_data_is_the_same_task_as_its_folder(register: Callable[..., None], folder: Path) -> None:
    qrels = {"q1": {"d1": 1}, "q2": {"d2": 2}}
    register({"dataset": {"default": {"test": v2(CORPUS, QUERIES, qrels)}}})
    assert load_mteb("Local").fingerprint == load_beir(folder).fingerprint


def test_mteb_instructions_follow_the_query(register: Callable[..., None]) -> None:
    queries = [{**query, "instruction": "Answer briefly."} for query in QUERIES]
    register({"dataset": {"default": {"test": v2(CORPUS, queries, JUDGED)}}}, {"type": "InstructionRetrieval"})
    assert load_mteb("Local").queries.texts[0] == "which is first? Answer briefly."


def test_mteb_texts_are_those_that_mteb_gives_a_model(register: Callable[..., None]) -> None:
    """The texts, in order, that mteb.evaluate hands to a model."""
    mteb = pytest.importorskip("mteb")
    register({"dataset": {"default": {"test": v2(CORPUS, QUERIES, JUDGED)}}})
    seen: dict[str, list[str]] = {}

    class Model:
        mteb_model_meta = mteb.get_model_meta("mteb/baseline-random-encoder")

        def index(self, corpus: Any, *, task_metadata: Any, **kwargs: Any) -> None:
            self.encode(corpus, task_metadata, "document")

        def search(self, queries: Any, *, task_metadata: Any, **kwargs: Any) -> dict[str, dict[str, float]]:
            self.encode(queries, task_metadata, "query")
            return {id_: {"d1": 1.0} for id_ in queries["id"]}

        def encode(self, rows: Any, task_metadata: Any, side: str) -> None:
            from mteb._create_dataloaders import create_dataloader

            batches = create_dataloader(rows, task_metadata=task_metadata, prompt_type=mteb.types.PromptType(side))
            seen[side] = [text for batch in batches for text in batch["text"]]

    mteb.evaluate(Model(), mteb.get_task("Local"), cache=None)
    task = load_mteb("Local")
    assert seen == {"document": task.corpus.texts, "query": task.queries.texts}


def test_mteb_subsets_must_be_named(register: Callable[..., None]) -> None:
    german = [{"_id": "d1", "text": "erstes"}, {"_id": "d2", "text": "zweites"}]
    data = {"en": {"test": v2(CORPUS, QUERIES, JUDGED)}, "de": {"test": v2(german, QUERIES, JUDGED)}}
    register({"dataset": data}, {"eval_langs": {"en": ["eng-Latn"], "de": ["deu-Latn"]}})
    task = load_task("mteb:Local:de")
    assert (task.name, task.corpus.texts) == ("Local:de", ["erstes", "zweites"])
    with pytest.raises(VecsmithError, match=r"several subsets; write mteb:Local:SUBSET with one of en, de"):
        load_task("mteb:Local")
    with pytest.raises(VecsmithError, match=r"Unknown subset of Local 'deu': did you mean 'de'\?"):
        load_task("mteb:Local:deu")


def test_mteb_splits_share_a_corpus_or_must_be_named(register: Callable[..., None]) -> None:
    dev = v2(CORPUS, [{"_id": "q7", "text": "what else?"}], {"q7": {"d1": 1}})
    test = v2(CORPUS, QUERIES, JUDGED)
    register({"dataset": {"default": {"dev": dev, "test": test}}}, {"eval_splits": ["dev", "test"]})
    task = load_mteb("Local")
    assert task.qrels == {"dev": {"q7": {"d1": 1}}, "test": JUDGED}
    assert task.queries.ids == ["q7", "q1", "q2"]
    longer = v2([*CORPUS, {"_id": "d3", "text": "third"}], QUERIES, JUDGED)
    register({"dataset": {"default": {"dev": dev, "test": longer}}}, {"eval_splits": ["dev", "test"]})
    with pytest.raises(VecsmithError, match=r"differ .* write mteb:Local:default:SPLIT with one of dev, test"):
        load_mteb("Local")
    task = load_task("mteb:Local:default:test")
    assert (task.name, len(task.corpus), list(task.qrels)) == ("Local:default:test", 3, ["test"])
    with pytest.raises(VecsmithError, match=r"Unknown split of Local 'tset': did you mean 'test'\?"):
        load_task("mteb:Local:default:tset")


def test_mteb_queries_of_one_id_must_agree(register: Callable[..., None]) -> None:
    other = v2(CORPUS, [{"_id": "q1", "text": "another question?"}], {"q1": {"d1": 1}})
    data = {"dev": other, "test": v2(CORPUS, QUERIES, JUDGED)}
    register({"dataset": {"default": data}}, {"eval_splits": ["dev", "test"]})
    with pytest.raises(VecsmithError, match=r"The splits of Local differ in their corpora, queries or candidates"):
        load_mteb("Local")


def test_mteb_shortlists_are_candidates(register: Callable[..., None]) -> None:
    data = v2(CORPUS, QUERIES, JUDGED, top_ranked={"q1": ["d1", "d2"], "q2": ["d2"]})
    register({"dataset": {"default": {"test": data}}}, {"type": "Reranking"})
    assert load_mteb("Local").candidates == {"q1": ["d1", "d2"], "q2": ["d2"]}


def test_mteb_strangers_are_counted_and_said(register: Callable[..., None]) -> None:
    register({"dataset": {"default": {"test": v2(CORPUS, QUERIES, {**JUDGED, "q9": {"d9": 1}})}}})
    assert [note.split()[:3] for note in load_mteb("Local").notes] == [
        ["1", "judgements", "of"],
        ["1", "judged", "queries"],
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("SciFcat", r"Unknown retrieval task of mteb 'SciFcat': did you mean 'SciFact'\?"),
        ("STS12", r"STS12 is a task of type STS \(text\), not text retrieval such as '\w+"),
        ("VidoreArxivQARetrieval", r"DocumentUnderstanding \(text, image\), not text retrieval"),
        ("CQADupstackRetrieval", r"the mean of several tasks; .* mteb:CQADupstackAndroidRetrieval, "),
    ],
)
def test_other_tasks_of_mteb_are_refused(name: str, message: str) -> None:
    pytest.importorskip("mteb")
    with pytest.raises(VecsmithError, match=message):
        load_mteb(name)


def test_without_network_the_error_names_the_folder_as_the_way_out() -> None:
    pytest.importorskip("mteb")
    with pytest.raises(
        VecsmithError, match=r"mteb cannot load SciFact \(.*OfflineModeIsEnabled.*beir:DIR\.$"
    ) as caught:
        load_task("mteb:SciFact")
    assert "\n" not in str(caught.value)


def test_without_mteb_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mteb", None)
    with pytest.raises(VecsmithError, match=r"pip install 'vecsmith\[mteb\]'"):
        load_task("mteb:SciFact")
    with pytest.raises(VecsmithError, match=r"pip install 'vecsmith\[mteb\]'"):
        mteb_names()


def test_the_tasks_of_mteb_are_listed_by_language() -> None:
    pytest.importorskip("mteb")
    names = {name: (languages, description) for name, languages, description in mteb_names()}
    assert names["SciFact"][0] == ["eng"]
    assert names["SciFact"][1].startswith("SciFact verifies")
    assert names.keys() >= {"AskUbuntuDupQuestions", "Core17InstructionRetrieval"}
    assert not {"STS12", "CQADupstackRetrieval"} & set(names)
    german = [name for name, *_ in mteb_names("deu")]
    assert "GermanQuAD-Retrieval" in german
    assert "SciFact" not in german
    assert [name for name, *_ in mteb_names("deu-Latn")] == german == sorted(german)


@pytest.mark.parametrize("language", ["de", "german", "tlh", ""])
def test_an_unknown_language_is_refused(language: str) -> None:
    pytest.importorskip("mteb")
    with pytest.raises(VecsmithError, match=rf"no retrieval task in the language '{language}'; give an ISO 639-3 code"):
        mteb_names(language)
