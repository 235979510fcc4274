"""The study of translators: cross-fitted, resumed, and told in tables."""

import importlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from vecsmith.cli import app
from vecsmith.errors import VecsmithError
from vecsmith.evaluation import geometry
from vecsmith.evaluation.folds import folds
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.evaluation.ranked_lists import MEASURES
from vecsmith.evaluation.translation import FOLDS, MODES, NEIGHBORS, Experiment, cross_translate, float_index, run
from vecsmith.stores.embedding_store import EmbeddingStore
from vecsmith.studies import STUDIES, StudyConfig, migration
from vecsmith.studies import translators as study_of_translators
from vecsmith.studies.translators import EXAMPLE_QUERIES, TEXT_LENGTH, examples
from vecsmith.studies.translators import findings as tables_of
from vecsmith.tasks import load_task
from vecsmith.translators import translator

Vectors = NDArray[np.float32]


def test_no_text_is_translated_by_a_translator_fitted_on_it(vectors: Vectors) -> None:
    five = folds(600, FOLDS, 2, train_rows=100)
    translated, fitted = cross_translate("linear", vectors, vectors[:, ::-1], 2, five)
    assert sorted(np.concatenate([fold.rows for fold in five]).tolist()) == list(range(600))
    for (train, rows), each in zip(five, fitted, strict=True):
        assert each.pairs_ == len(train) == 100
        assert not np.isin(train, rows).any()
        np.testing.assert_allclose(translated[rows], each.transform(vectors[rows]), atol=1e-6)
    train, rows = folds(600, FOLDS, 2)[0]
    expected = translator("linear", 2).fit(vectors[train[:100]], vectors[train[:100], ::-1])
    np.testing.assert_allclose(translated[rows], expected.transform(vectors[rows]), atol=1e-6)
    # by default, all rows outside the fold are the training set
    assert cross_translate("linear", vectors, vectors, 2)[1][0].pairs_ == 480


def test_untranslated_rows_are_nan(vectors: Vectors) -> None:
    two = folds(600, FOLDS, 2)[:2]
    translated, _ = cross_translate("linear", vectors, vectors, 2, two)
    missing = np.isnan(translated).all(axis=1)
    assert missing.sum() == 360
    assert not missing[np.concatenate([fold.rows for fold in two])].any()


@pytest.fixture
def task(tmp_path: Path) -> str:
    """Return a BEIR folder of 300 documents and a query each, with vectors of two models, ``a`` and ``b``."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "task"
    (folder / "qrels").mkdir(parents=True)
    for name, prefix in (("corpus", "d"), ("queries", "q")):
        lines = [json.dumps({"_id": f"{prefix}{row}", "title": "", "text": f"text {row}"}) for row in range(300)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    judgements = [f"q{row}\td{row}\t1" for row in range(300)]
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "\n".join(judgements) + "\n")
    traits = rng.standard_normal((300, 12))
    for model in "ab":
        (folder / "vectors" / model).mkdir(parents=True)
        view = rng.standard_normal((12, 24))
        for name in ("corpus", "queries"):
            vectors = traits @ view + 0.8 * rng.standard_normal((300, 24))
            np.save(folder / "vectors" / model / f"{name}.npy", vectors.astype(np.float32))
    return str(folder)


def test_an_experiment_is_run_once(task: str, cache: Path) -> None:
    experiment = Experiment(task, "test", "vectors:a", "vectors:b", "linear", 0)
    found = run(experiment)
    assert 0.5 < found.figures["queries"] <= 1.2
    assert 0.5 < found.figures["documents"] <= 1.2
    assert found.figures["neither"] < 0.2
    assert 0 < found.figures["jaccard"] < 1
    [path] = (cache / "results").glob("*.json")
    path.write_text('{"figures": {"mse": 42.0}}')
    assert run(experiment).figures == {"mse": 42.0}
    path.write_text("damaged")
    assert run(experiment) == found


def test_a_single_fold_measures_no_translated_documents(task: str) -> None:
    whole = Experiment(task, "test", "vectors:a", "vectors:b", "linear", 0)
    outcome, part = run(whole), run(replace(whole, folds=1))
    assert set(outcome.figures) - set(part.figures) == {"documents", "both", "ndcg_documents", "ndcg_both"}
    assert all(outcome.figures[name] == value for name, value in part.figures.items())
    told = tables_of([part])
    assert [table.rows[0][3] == "" for table in told.tables[1:4]] == [False, True, True]
    assert all(table.title.endswith("Not all documents are translated by linear") for table in told.tables[:4])
    assert "Not all" not in tables_of([outcome]).tables[0].title


def test_absolute_figures_and_neighborhoods_of_queries(task: str) -> None:
    experiment = Experiment(task, "test", "vectors:a", "vectors:b", "linear", 0)
    figures = run(experiment).figures
    (_, source), (documents, target) = experiment.embed()
    judged = JudgedQueries(load_task(task), "test", target.ids)
    own = judged.search(float_index(documents.unit[:], documents.ids), target.unit[judged.rows]).mean_ndcg_at_10
    for mode in MODES:
        assert figures[f"ndcg_{mode}"] == pytest.approx(figures[mode] * own)
    train, _ = folds(300, FOLDS, 0)[0]
    fitted = translator("linear", 0).fit(experiment.embed()[0][0].unit[train], documents.unit[train])
    agreement = geometry.neighborhoods(fitted.transform(source.unit[:]), target.unit[:], (NEIGHBORS,), 0)
    for name in MEASURES:
        assert figures[f"{name}_of_queries"] == pytest.approx(agreement[name, NEIGHBORS].mean)
    assert figures["full_rank"] == 24


def test_errors_are_plotted_by_rank(task: str) -> None:
    specs = ("linear:rank2", "linear:rank8", "linear", "procrustes")
    results = [run(Experiment(task, "test", "vectors:a", "vectors:b", spec, 0)) for spec in specs]
    plotted = {plot.name: plot for plot in tables_of(results).plots}
    assert plotted.keys() >= {"mse-by-rank", "edit-distance-by-rank", "queries-by-rank", "mse-by-pair"}
    assert plotted["mse-by-pair"].x_names == ["vectors:a → vectors:b"]
    assert plotted["mse-by-pair"].lines["task, procrustes"] == [(0, results[3].figures["mse"])]
    [line] = plotted["mse-by-rank"].lines.values()
    assert line == [(2, results[0].figures["mse"]), (8, results[1].figures["mse"]), (24, results[2].figures["mse"])]
    errors = [error for _, error in line]
    assert errors == sorted(errors, reverse=True)
    [table] = [table for table in tables_of(results).tables if table.name == "edit-distance"]
    assert table.rows[0][3:] == [f"{result.figures['edit_distance']:.3f}" for result in results]
    assert not [plot for plot in tables_of(results[2:]).plots if plot.name.endswith("by-rank")]


def test_by_default_ranks_are_below_the_dimensions(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Experiment] = []

    def stop(experiments: list[Experiment], workers: int | None, store: str | None) -> None:
        asked.extend(experiments)
        raise KeyboardInterrupt

    module = sys.modules["vecsmith.studies.translators"]
    monkeypatch.setattr(module, "run_all", stop)
    monkeypatch.setattr(module, "examples", lambda experiment, method: (None, None, None))
    with pytest.raises(KeyboardInterrupt):
        study_of_translators(StudyConfig([task], ["vectors:a", "vectors:b"], seeds=[0]))
    methods = {each.method: each.folds for each in asked}
    assert "linear:rank16" in methods
    assert "linear:rank32" not in methods
    assert (methods["mlp1x32"], methods["mlp1x8"], methods["mlp1"]) == (1, 1, FOLDS)


@pytest.mark.slow
def test_study_in_processes_and_its_tables(task: str) -> None:
    findings = study_of_translators(
        StudyConfig([task], ["vectors:a", "vectors:b"], seeds=[0]), ("linear", "canonical"), workers=2
    )
    names = [table.name for table in findings.tables]
    neighborhoods = ["document-neighbors", "query-neighbors", "neighbors", "edit-distance"]
    assert names == [
        "methods",
        *(f"{mode}-translated" for mode in MODES[:3]),
        "squared-error",
        *neighborhoods,
        "kernels",
    ]
    assert findings.tables[5].columns == ["translator", *MEASURES]
    assert all(0 < float(row[1]) < 1 for row in findings.tables[6].rows)
    assert [row[0] for row in findings.tables[0].rows] == ["linear", "canonical"]
    assert [row[1:3] for row in findings.tables[1].rows] == [["vectors:a", "vectors:b"], ["vectors:b", "vectors:a"]]
    assert all(row[3].endswith("%)") for row in findings.tables[1].rows)
    assert "seeds (0)" in findings.tables[0].title
    assert [len(part) for part in (findings.maps, findings.kernels, findings.examples)] == [1, 1, 1]


def test_workers_end_with_a_study_that_is_killed() -> None:
    script = """
import os, time
from vecsmith.evaluation import processes
processes.track = lambda done, *_: [next(iter(done)), os.kill(os.getpid(), 9)]
list(processes.run_in_processes(time.sleep, [0, 600], "Sleeping", workers=2))
"""
    # the workers have its output open, so that this ends with the last of them
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60)
    assert killed.returncode == -9


def test_examples_are_search_results(task: str) -> None:
    maps, kernels, searches = examples(Experiment(task, "test", "vectors:a", "vectors:b", "canonical", 0))
    assert len(searches.tables) == EXAMPLE_QUERIES
    for table in searches.tables:
        where, true, translated, relevant, ids, texts = zip(*table.rows, strict=True)
        for ranks, names in ((true, ("both", "true")), (translated, ("both", "translated"))):
            assert sorted(int(rank) for rank in ranks if rank) == list(range(1, NEIGHBORS + 1))
            assert all((name in names) == bool(rank) for name, rank in zip(where, ranks, strict=True))
        assert list(where) == sorted(where, key=["both", "true", "translated"].index)
        assert [id_ for id_, yes in zip(ids, relevant, strict=True) if yes] in ([], [table.name.replace("q", "d")])
        assert all(len(text) <= TEXT_LENGTH + 1 for text in texts)
    # the models share most of what they see, so that most queries find their document either way
    found = [row[0] for table in searches.tables for row in table.rows if row[3]]
    assert found.count("both") > EXAMPLE_QUERIES / 2
    assert len(maps.labels) == len(kernels.labels) == 300 // 5
    assert sorted(maps.labels) == sorted(kernels.labels)
    order = [maps.labels.index(label) for label in kernels.labels]
    for (name, matrix), neighbors in zip(kernels.matrices.items(), maps.neighbors, strict=True):
        # the nearest documents on the maps are those of the kernels
        apart = matrix - 2 * np.eye(len(matrix), dtype=np.float32)
        assert [order[row] for row in apart.argmax(axis=1)] == [neighbors[row][0] for row in order], name
    # ordered by clusters, documents resemble those next to them
    true = kernels.matrices["true"]
    apart = ~np.eye(len(true), dtype=bool)
    assert np.diagonal(true, 1).mean() > true[apart].mean() + 0.1


def test_plans_are_compared_with_the_measured_retention(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("vecsmith.studies.migration"), "PAIRS", (240,))
    counts, plans = migration(StudyConfig([task], ["vectors:a", "vectors:b"], seeds=[0])).tables
    assert [row[1:4] for row in plans.rows] == 6 * [["vectors:a", "vectors:b", "240"]] + 6 * [
        ["vectors:b", "vectors:a", "240"]
    ]
    assert [row[1] for row in counts.rows] == ["2"] * 6 + ["12"]
    for row in plans.rows:
        low, high = (float(share.rstrip("%")) for share in row[6].split(" – "))
        assert (row[8] == "yes") == (low <= float(row[7].rstrip("%")) <= high)
    # what is embedded when it is asked for is the new model's own
    assert all(
        float(row[7].rstrip("%")) > 95 for row in plans.rows if row[4].startswith("documents translated, the top")
    )


def test_command_names_the_studies_and_takes_translators(task: str) -> None:
    shown = CliRunner().invoke(app, ["study", "--help"], terminal_width=100).output
    assert all(f"\n  {name} " in shown for name in STUDIES)
    for option, value, owner in (
        ("--method", "canonical", "the studies translators, binary-training"),
        ("--workers", "2", "the study translators"),
        ("--map", "pca", "the study translators"),
    ):
        refused = CliRunner().invoke(app, ["study", "quantization", option, value])
        assert f"{option} is for {owner}, not for quantization" in str(refused.exception)
    refused = CliRunner().invoke(app, ["study", "quantization", "--width", "8"])
    assert "autoencoder-dimensions, small-to-large, not for quantization; leave it out" in str(refused.exception)
    refused = CliRunner().invoke(app, ["study", "small-to-large", "--width", "8", "--width", "4"])
    assert "give --width once" in str(refused.exception)
    encoders = ["--encoder", "vectors:a", "--encoder", "vectors:b"]
    wrong = CliRunner().invoke(app, ["study", "translators", "--task", task, *encoders, "--method", "liner"])
    assert "did you mean 'linear" in str(wrong.exception)


def test_command_passes_on_the_number_of_workers(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    passed = []
    monkeypatch.setattr(
        sys.modules["vecsmith.studies.translators"],
        "run_all",
        lambda experiments, workers, store: passed.append(workers) or [(run(each), []) for each in experiments],
    )
    options = ["--task", task, "--encoder", "vectors:a", "--encoder", "vectors:b", "--seed", "0"]
    done = CliRunner().invoke(app, ["study", "translators", *options, "--method", "procrustes", "--workers", "3"])
    assert (done.exit_code, passed) == (0, [3])


def test_translated_sets_are_kept_and_listed(task: str, tmp_path: Path) -> None:
    pytest.importorskip("chromadb")
    out, store = tmp_path / "out", tmp_path / "store"
    options = ["--task", task, "--encoder", "vectors:a", "--encoder", "vectors:b", "--seed", "0", "--workers", "1"]
    command = ["study", "translators", *options, "--method", "procrustes", "--store", str(store), "--out", str(out)]
    for _ in range(2):  # the second run finds the figures in the cache, and stores the same sets
        done = CliRunner().invoke(app, [*command, "--article"])
        assert done.exit_code == 0, done.output
    stored = EmbeddingStore(store).sets()
    kinds = {(each.split, each.provenance.translated_from, each.provenance.encoder) for each in stored}
    a, b = sorted({each.provenance.encoder for each in stored})
    assert kinds == {(part, *pair) for part in ("documents", "queries") for pair in ((a, b), (b, a))}
    assert {each.provenance.translator.split(" ")[0] for each in stored} == {"procrustes"}
    assert all(each.name.startswith("task-") and each.provenance.dataset == "task" for each in stored)
    article = (out / "article.md").read_text(encoding="utf-8")
    assert f"Translated sets in ChromaDB, in {store}" in article
    assert all(article.count(each.name) == 1 for each in stored)
    # the stored vectors are those that were measured
    experiment = Experiment(task, "test", "vectors:a", "vectors:b", "procrustes", 0)
    (source, queries), (target, _) = experiment.embed()
    expected, fitted = cross_translate("procrustes", source.unit[:], target.unit[:], 0)
    sets = {(each.split, each.provenance.encoder): EmbeddingStore(store).get(each.name) for each in stored}
    np.testing.assert_allclose(sets["documents", target.provenance.space].unit[:], expected, atol=1e-5)
    translated = fitted[0].transform(queries.unit[:])
    np.testing.assert_allclose(sets["queries", target.provenance.space].unit[:], translated, atol=1e-5)
    refused = CliRunner().invoke(app, ["study", "fusion", "--store", str(store)])
    assert "--store is for the study translators" in str(refused.exception)


def test_bad_use_is_one_sentence(task: str) -> None:
    with pytest.raises(VecsmithError, match="two or more"):
        study_of_translators(StudyConfig([task], ["vectors:a"]))
    with pytest.raises(VecsmithError, match=r"two encoders or more, on 1,250 documents"):
        migration(StudyConfig([task], ["vectors:a", "vectors:b"]))
    with pytest.raises(VecsmithError, match="cross-fitted"):
        study_of_translators(StudyConfig([task], ["vectors:a", "vectors:b"], fit_on="corpus"))
    with pytest.raises(VecsmithError, match="did you mean"):
        study_of_translators(StudyConfig([task], ["vectors:a", "vectors:b"]), methods=("liner",))
