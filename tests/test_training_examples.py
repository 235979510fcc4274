"""Training examples: their kinds, folders, and import from files."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

datasets = pytest.importorskip("datasets")

from vecsmith.errors import VecsmithError  # noqa: E402
from vecsmith.tasks import Task, Texts, load_task  # noqa: E402
from vecsmith.tune.example_files import read_examples  # noqa: E402
from vecsmith.tune.examples import COLUMNS, TrainingExamples, kind_of  # noqa: E402

ROWS = {
    "pairs": [{"query": "a", "positive": "b"}, {"query": "c", "positive": 'd, "e"\nf'}],
    "triplets": [{"query": "a", "positive": "b", "negative": "c", "negative_2": "d"}],
    "margins": [{"query": "a", "positive": "b", "negative": "c", "margin": -1.5}],
    "scored pairs": [{"sentence1": "a", "sentence2": "b", "score": 0.25}],
    "sentences": [{"text": "a b"}, {"text": "c"}],
}


def examples_of(kind: str) -> TrainingExamples:
    return TrainingExamples(datasets.Dataset.from_list(ROWS[kind]), {"seed": 3}, {"repeated": 2})


def toy_task() -> Task:
    return Task(
        name="toy",
        corpus=Texts(["d1", "d2", "d3", "d4"], ["one", "two", " ", "four"], "the toy corpus"),
        queries=Texts(["q1", "q2", "q3", "q4"], ["first", "second", "third", "second"], "the toy queries"),
        qrels={
            "train": {"q1": {"d1": 1, "d2": 0, "d4": 2}, "q2": {"d2": 1}, "q3": {"d1": 1, "d3": 1, "gone": 1}},
            "test": {"q4": {"d1": 1}},
        },
    )


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_folder_returns_what_was_saved(kind: str, tmp_path: Path) -> None:
    examples = examples_of(kind)
    assert examples.kind == kind
    examples.save(tmp_path / "examples")
    loaded = TrainingExamples.load(tmp_path / "examples")
    assert list(loaded) == ROWS[kind]
    assert (loaded.kind, loaded.provenance, loaded.counts) == (kind, {"seed": 3}, {"repeated": 2})
    assert loaded.fingerprint == examples.fingerprint
    first = {path.name: path.read_bytes() for path in (tmp_path / "examples").iterdir()}
    examples_of(kind).save(tmp_path / "examples")
    assert {path.name: path.read_bytes() for path in (tmp_path / "examples").iterdir()} == first


def test_columns_are_put_in_order_and_rows_may_be_selected() -> None:
    names = ["negative_2", "positive", "negative", "query"]
    dataset = datasets.Dataset.from_dict({name: [f"{name} {row}" for row in range(3)] for name in names})
    examples = TrainingExamples(dataset.select([2, 0]))
    assert examples.dataset.column_names == ["query", "positive", "negative", "negative_2"]
    assert examples.column("query") == ["query 2", "query 0"]
    assert examples.negatives == 2
    kept = examples.where([False, True], "odd")
    assert (kept.column("query"), kept.counts) == (["query 0"], {"odd": 1})
    assert kept.summary == "Made 1 triplets; left out: 1 × odd."
    with pytest.raises(VecsmithError, match=r"no triplets to train on; these were left out: 2 × odd"):
        examples.where([False, False], "odd")


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["query"],
        ["query", "positive", "negative_2"],
        ["query", "positive", "negative", "negative_3"],
        ["query", "positive", "negative", "negative_2", "margin"],
        ["query", "positive", "extra"],
        ["sentence1", "sentence2"],
    ],
)
def test_other_columns_are_refused(names: list[str]) -> None:
    with pytest.raises(VecsmithError, match="the columns of a kind are"):
        kind_of(names)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"query": ["a", " "], "positive": ["b", "c"]}, "example 1 has a blank query"),
        ({"query": ["a"], "positive": [None]}, "has a blank positive|has null"),
        ({"query": ["a"], "positive": [1]}, "'positive' of the training examples has int64; give texts"),
        ({"query": [], "positive": []}, "There are no pairs to train on; give examples"),
        ({"sentence1": ["a"], "sentence2": ["b"], "score": [float("nan")]}, "example 0 has the score nan"),
        ({"sentence1": ["a", "b"], "sentence2": ["b", "c"], "score": [0.5, None]}, "example 1 has the score None"),
        ({"sentence1": ["a"], "sentence2": ["b"], "score": ["high"]}, "'score' .* must have numbers"),
    ],
)
def test_bad_values_are_refused(columns: dict, message: str) -> None:
    with pytest.raises(VecsmithError, match=message):
        TrainingExamples(datasets.Dataset.from_dict(columns))


def test_a_task_gives_its_pairs_without_the_queries_of_the_test_split() -> None:
    examples = TrainingExamples.from_task(toy_task())
    assert list(examples) == [
        {"query": "first", "positive": "one"},
        {"query": "first", "positive": "four"},
        {"query": "third", "positive": "one"},
    ]
    # q2 has the text of the test query q4; d3 is blank, and "gone" is not in the corpus
    assert examples.counts == {"query judged in test": 1, "no text": 2}
    assert examples.provenance == {"task": "toy", "split": "train", "test": "test"}
    with pytest.raises(VecsmithError, match="are for reported results; train on train or dev"):
        TrainingExamples.from_task(toy_task(), "train+test")
    with pytest.raises(VecsmithError, match="Unknown split of toy 'dev'"):
        TrainingExamples.from_task(toy_task(), "dev")


@pytest.mark.data
def test_scifact(beir: Callable[[str], Path]) -> None:
    examples = TrainingExamples.from_task(load_task(str(beir("scifact"))))
    assert len(set(examples.column("query"))) > 800
    assert examples.counts["query judged in test"] == 2


def test_folders_of_others_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(VecsmithError, match="already holds something else"):
        examples_of("pairs").save(tmp_path / "other")
    examples_of("pairs").save(tmp_path / "examples")
    table = tmp_path / "examples" / "examples.parquet"
    table.write_bytes(table.read_bytes()[:-1])
    with pytest.raises(VecsmithError, match=r"examples\.parquet is damaged"):
        TrainingExamples.load(tmp_path / "examples")
    with pytest.raises(VecsmithError, match="holds no training examples"):
        TrainingExamples.load(tmp_path / "other")


# ---------------------------------------------------------------- import


def write(path: Path, rows: list[dict]) -> Path:
    """Write rows in the format that a path's suffix names."""
    match path.suffix:
        case ".jsonl":
            path.write_text("\n".join(map(json.dumps, rows)))
        case ".csv":
            quoted = [",".join('"' + str(value).replace('"', '""') + '"' for value in row.values()) for row in rows]
            path.write_text("\n".join([",".join(rows[0]), *quoted]))
        case ".parquet":
            pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("kind", COLUMNS)
def test_every_kind_is_read_from_every_format(kind: str, suffix: str, tmp_path: Path) -> None:
    examples = read_examples(write(tmp_path / f"examples.{suffix}", ROWS[kind]))
    assert (examples.kind, list(examples)) == (kind, ROWS[kind])
    assert examples.provenance["file"] == f"examples.{suffix}"


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{"Question": "a", "answer": "b", "negative_1": "c", "negative_2": "d"}])
    assert list(read_examples(path)) == [{"query": "a", "positive": "b", "negative": "c", "negative_2": "d"}]
    path = write(tmp_path / "b.jsonl", [{"q": "a", "p": "b", "n": "c", "m": 2}])
    columns = {"query": "q", "positive": "p", "negative": "n", "margin": "m"}
    assert list(read_examples(path, columns=columns)) == [
        {"query": "a", "positive": "b", "negative": "c", "margin": 2.0}
    ]


def test_ids_of_a_task_are_replaced_by_their_texts(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [{"query": "q1", "positive": "d2"}, {"query": "q3", "positive": "d1"}])
    assert list(read_examples(path, toy_task())) == [
        {"query": "first", "positive": "two"},
        {"query": "third", "positive": "one"},
    ]
    assert next(iter(read_examples(path))) == {"query": "q1", "positive": "d2"}
    mixed = write(tmp_path / "b.csv", [{"query": "q1", "positive": "d2"}, {"query": "q1", "positive": "no id"}])
    with pytest.raises(VecsmithError, match=r"row 2, has the 'positive' 'no id', which is not an id of the toy corpus"):
        read_examples(mixed, toy_task())


CLICKS = [
    {"query": "a", "document": "x", "clicks": 2, "impressions": 10},
    {"query": "b", "document": "x", "clicks": 1, "impressions": 1},
    {"query": "a", "document": "x", "clicks": 3, "impressions": 10},
    {"query": "a", "document": "y", "clicks": 4, "impressions": 400},
    {"query": "c", "document": "y", "clicks": 0, "impressions": 3},
]


def test_clicks_are_added_and_filtered(tmp_path: Path) -> None:
    path = write(tmp_path / "clicks.csv", CLICKS)
    clicked = read_examples(path)
    assert [tuple(pair.values()) for pair in clicked] == [("a", "x"), ("b", "x"), ("a", "y")]
    assert clicked.counts == {"pair of fewer than 1 clicks": 1}
    often = read_examples(path, min_clicks=3)
    assert [tuple(pair.values()) for pair in often] == [("a", "x"), ("a", "y")]
    rate = read_examples(path, min_clicks=3, min_click_rate=0.25)
    assert [tuple(pair.values()) for pair in rate] == [("a", "x")]
    assert rate.counts == {"pair of fewer than 3 clicks": 2, "pair of a click rate below 0.25": 1}
    without = write(tmp_path / "b.csv", [{key: row[key] for key in ("query", "document", "clicks")} for row in CLICKS])
    assert len(read_examples(without, min_clicks=3)) == 2
    with pytest.raises(VecsmithError, match="no column 'impressions', which a minimum click rate needs"):
        read_examples(without, min_click_rate=0.1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"query": "a", "positive": "b"}\n\n{"query": "a"}', r"line 3, has no 'positive'"),
        ('{"query": "a", "positive": ["b"]}', r"line 1, has a 'positive' of type list"),
        ('{"query": "a", "positive": "b"}\n{"query": "a", "positive": "  "}', r"line 2, has a blank 'positive'"),
        ('{"query": "a", "positive": "b"}\n{"query"', r"line 2, is not JSON"),
        (
            '{"query": "a", "answers": "b"}',
            r"no column 'positive', which pairs need; rename one, or give --column",
        ),
        ('{"query": "a", "positive": "b", "score": 0.1}', r"has a score of each pair in 'score'"),
        ('{"query": "a", "positive": "b", "margin": 1}', r"has margins but no columns of negatives"),
        (
            '{"query": "a", "positive": "b", "negative": "c", "margin": "x"}',
            r"line 1, has the 'margin' 'x'; give a finite number",
        ),
        ('{"sentence1": "a", "sentence2": "b"}', r"no column 'score', which scored pairs need"),
        ('{"sentence1": "a", "sentence2": "b", "score": NaN}', r"line 1, has the 'score' nan; give a finite"),
        ('{"query": "a", "clicks": 1}', r"no column 'document', which clicks need"),
        ('{"query": "a", "document": "b", "clicks": 1.5}', r"line 1, has 1\.5 clicks; give a whole number"),
        ('{"query": "a", "document": "b", "clicks": -1}', r"line 1, has -1 clicks"),
        ('{"query": "a", "document": "b", "clicks": 5, "impressions": 4}', r"line 1, has more clicks than impress"),
        ('{"query": "a", "document": "b", "clicks": 0}', r"no pairs to train on; .*1 × pair of fewer than 1 clicks"),
        ("", r"has no columns, but no column 'query'"),
    ],
)
def test_bad_rows_are_refused_by_file_and_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "examples.jsonl"
    path.write_text(text)
    with pytest.raises(VecsmithError, match=message) as caught:
        read_examples(path)
    assert "no pairs to train on" in message or "examples.jsonl" in str(caught.value)


def test_bad_arguments_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "clicks.csv", CLICKS)
    with pytest.raises(VecsmithError, match="Unknown role of a column 'querry': did you mean 'query'"):
        read_examples(path, columns={"querry": "query"})
    with pytest.raises(VecsmithError, match=r"Unknown column of .*clicks\.csv 'term'"):
        read_examples(path, columns={"query": "term"})
    with pytest.raises(VecsmithError, match="clicks must be at least 1, not 0"):
        read_examples(path, min_clicks=0)
    with pytest.raises(VecsmithError, match="click rate must be from 0 to 1, not 2"):
        read_examples(path, min_click_rate=2)
    with pytest.raises(VecsmithError, match="There is no file"):
        read_examples(tmp_path / "gone.csv")
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(VecsmithError, match=r"the suffix '\.txt'; training examples are read from \.jsonl"):
        read_examples(tmp_path / "a.txt")
