"""The study of training options: validation queries of its own, judged pairs that are never of a reported query."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result as Outcome
from typer.testing import CliRunner

from vecsmith.cli import app
from vecsmith.codecs import load_codec
from vecsmith.encoders import embed_task
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.judged_pairs import judged_pairs, training_rows
from vecsmith.studies import StudyConfig, binary_training
from vecsmith.studies.binary_training import default_methods, with_validation
from vecsmith.tasks import Task, load_task

pytest.importorskip("torch")

study = sys.modules["vecsmith.studies.binary_training"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a BEIR folder of 160 documents and 80 queries, half of them in train and half in test, with vectors."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "toy"
    for part in ("qrels", "vectors/model"):
        (folder / part).mkdir(parents=True)
    for name, letter, count in (("corpus", "d", 160), ("queries", "q", 80)):
        lines = [json.dumps({"_id": f"{letter}{row}", "text": f"{name} {row}"}) + "\n" for row in range(count)]
        (folder / f"{name}.jsonl").write_text("".join(lines))
    for split, rows in (("train", range(40)), ("test", range(40, 80))):
        judged = "".join(f"q{row}\td{row}\t1\nq{row}\td{row + 80}\t0\n" for row in rows)
        (folder / "qrels" / f"{split}.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}")
    corpus = rng.standard_normal((160, 24)) / np.sqrt(np.arange(1, 25))
    queries = corpus[:80] + 0.1 * rng.standard_normal((80, 24))
    for name, vectors in (("corpus", corpus), ("queries", queries)):
        np.save(folder / "vectors" / "model" / f"{name}.npy", vectors.astype(np.float32))
    return folder


@pytest.fixture
def task(folder: Path) -> Task:
    return load_task(str(folder))


def test_the_train_queries_are_halved_where_there_is_no_dev(task: Task) -> None:
    divided = with_validation(task, "test")
    train, dev = set(divided.qrels["train"]), set(divided.qrels["dev"])
    assert (len(train), len(dev), train & dev) == (20, 20, set())
    assert train | dev == set(task.qrels["train"])
    assert divided.qrels["test"] == task.qrels["test"]
    assert with_validation(task, "test").qrels == divided.qrels


def test_queries_of_the_reported_split_are_left_out(task: Task) -> None:
    judged = task.qrels["train"]
    overlapping = replace(task, qrels={**task.qrels, "dev": {**judged, **task.qrels["test"]}})
    divided = with_validation(overlapping, "test")
    train, dev = set(divided.qrels["train"]), set(divided.qrels["dev"])
    assert not (train | dev) & set(task.qrels["test"])
    assert train.isdisjoint(dev)
    assert train | dev == set(judged)
    with pytest.raises(VecsmithError, match="no queries in train or dev besides those of test"):
        with_validation(replace(task, qrels={"test": judged, "train": judged}), "test")


def test_judged_pairs_are_those_with_a_gain_among_the_given_documents(task: Task) -> None:
    corpus, queries = embed_task(task, "vectors:model")
    pairs = judged_pairs(task, "train", queries, corpus, np.arange(10, 160))
    found = {(queries.ids[query], corpus.ids[document + 10]) for query, document in pairs.relevant}
    assert found == {(f"q{row}", f"d{row}") for row in range(10, 40)}
    np.testing.assert_array_equal(pairs.documents, corpus.unit[10:160])
    assert set(training_rows(task, "train", corpus, 0)) == set(range(160))
    for split in ("test", "train+test"):
        with pytest.raises(VecsmithError, match="test are for reported results"):
            judged_pairs(task, split, queries, corpus, np.arange(160))


def test_most_other_documents_of_a_large_corpus_are_left_out(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["vecsmith.evaluation.judged_pairs"], "MAX_DOCUMENTS", 90)
    rows = training_rows(task, "train", embed_task(task, "vectors:model")[0], 0)
    assert len(rows) == len(set(rows)) == 90
    assert {*range(40), *range(80, 120)} <= set(rows)


def test_the_study_chooses_on_dev_and_reports_on_test(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "GRID", {"starts": (1, 2), "relaxation": ("tanh",), "loss": ("listwise", "contrastive")})
    config = StudyConfig([str(folder)], ["vectors:model"], seeds=[0, 1])
    findings = binary_training(config, ["grouped2B(steps=20,rule=sum)"])
    chosen, options, search = findings.tables
    assert [row[2] for row in search.rows] == [
        f"grouped2B(steps=20,starts={starts},relaxation=tanh,loss={loss},rule=sum)"
        for starts in (1, 2)
        for loss in ("listwise", "contrastive")
    ]
    on_dev = {row[2]: float(row[3].rstrip("%")) for row in search.rows}
    default, best = chosen.rows
    assert default[2] == "grouped2B(steps=20,rule=sum)"
    assert on_dev[best[2]] == max(on_dev.values()) == float(best[4].rstrip("%"))
    assert [row[3:5] for row in options.rows][:2] == [["starts", "1"], ["starts", "2"]]
    contrastive = [value for spec, value in on_dev.items() if "contrastive" in spec]
    assert float(options.rows[-1][5].rstrip("%")) == pytest.approx(np.mean(contrastive), abs=0.1)
    assert {result.split for result in findings.results} == {"test"}
    assert [result.seed for result in findings.results] == [0, 1] * 3


def test_pairs_of_a_document_never_train_the_codec_that_encodes_it(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    folds = sys.modules["vecsmith.evaluation.folds"]
    seen = []
    original = folds.Codec.fit

    def fit(self: object, X: object, **options: object) -> object:
        if "pairs" in options:  # float32, by which similarity preservation is measured, is fitted without
            seen.append((X, options["pairs"]))
        return original(self, X, **options)

    monkeypatch.setattr(folds.Codec, "fit", fit)
    search = study.Search(StudyConfig([], ["vectors:model"]), with_validation(task, "test"), "vectors:model", "")
    search._measure("thresholds(steps=2,starts=1,loss=contrastive)", "dev", 0)
    assert len(seen) == 2
    for X, pairs in seen:
        np.testing.assert_allclose(pairs.documents, X, atol=1e-6)
    assert sum(len(pairs.relevant) for _, pairs in seen) == 20


def test_every_default_codec_takes_the_searched_options() -> None:
    for d in (24, 384):
        for method in default_methods(d):
            specs = list(study.Search(StudyConfig([], []), None, "", method).specs)
            assert len(set(specs)) == 24
    with pytest.raises(VecsmithError, match="binary takes no training options"):
        list(study.Search(StudyConfig([], []), None, "", "binary").specs)
    [first, *_] = study.Search(StudyConfig([], []), None, "", "autoencoder8:mlp1(steps=5),thresholds").specs
    expected = "thresholds(starts=1,relaxation=straight-through,loss=listwise)"
    assert first == f"autoencoder8:mlp1(steps=5),{expected}"


@pytest.fixture
def fit(folder: Path, tmp_path: Path) -> Callable[..., Outcome]:
    def run(spec: str, *options: str) -> Outcome:
        arguments = ["fit", spec, "--task", str(folder), "--encoder", "vectors:model", *options]
        return CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "codec"), "--force"])

    return run


def test_command_trains_on_the_pairs_of_a_split(fit: Callable[..., Outcome], folder: Path, tmp_path: Path) -> None:
    corpus = np.load(folder / "vectors" / "model" / "corpus.npy")
    codes = []
    for spec in ("grouped2B(steps=40,loss=contrastive)", "grouped2B(steps=40,loss=listwise)"):
        assert fit(spec, "--split", "train").exit_code == 0
        codes.append(load_codec(tmp_path / "codec").encode(corpus))
    assert not np.array_equal(*codes)
    np.save(tmp_path / "plain.npy", corpus)
    plain = ["fit", "grouped2B(steps=40,loss=contrastive)", "--vectors", str(tmp_path / "plain.npy")]
    assert CliRunner().invoke(app, [*plain, "--out", str(tmp_path / "other")]).exit_code == 0
    assert not np.array_equal(load_codec(tmp_path / "other").encode(corpus), codes[0])


def test_command_refuses_pairs_of_test_and_of_no_split(fit: Callable[..., Outcome]) -> None:
    spec = "thresholds(steps=5,loss=contrastive)"
    assert "test are for reported results" in str(fit(spec, "--split", "test").exception)
    assert "Unknown split of toy 'dev'" in str(fit(spec).exception)
    # other losses need no judgements
    assert fit("thresholds(steps=5,loss=similarity)").exit_code == 0
