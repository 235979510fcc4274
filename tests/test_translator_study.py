"""The study of translators: cross-fitted, resumed, and told in tables."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from vecsmith.errors import VecsmithError
from vecsmith.studies import translators as study_of_translators
from vecsmith.studies.translators import MODES, Experiment, cross_translate, run
from vecsmith.translators import translator

Vectors = NDArray[np.float32]


def test_no_text_is_translated_by_what_has_seen_it(vectors: Vectors) -> None:
    translated, folds, fitted = cross_translate("linear", vectors, vectors[:, ::-1], seed=2, pairs=100)
    assert sorted(np.concatenate(folds).tolist()) == list(range(600))
    assert fitted.pairs_ == 100
    np.testing.assert_allclose(translated[folds[0]], fitted.transform(vectors[folds[0]]), atol=1e-6)
    others = np.concatenate(folds[1:])
    expected = translator("linear", 2).fit(vectors[others[:100]], vectors[others[:100], ::-1])
    np.testing.assert_allclose(translated[folds[0]], expected.transform(vectors[folds[0]]), atol=1e-6)


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


@pytest.mark.slow
def test_study_in_processes_and_its_tables(task: str) -> None:
    findings = study_of_translators([task], ["vectors:a", "vectors:b"], methods=("linear", "canonical"), workers=2)
    names = [table.name for table in findings.tables]
    assert names == ["methods", *MODES[:3], "mse", "neighbours", "kernels"]
    assert [row[0] for row in findings.tables[0].rows] == ["linear", "canonical"]
    assert [row[1:3] for row in findings.tables[1].rows] == [["vectors:a", "vectors:b"], ["vectors:b", "vectors:a"]]
    assert all(row[3].endswith("%") for row in findings.tables[1].rows)


def test_bad_use_is_one_sentence(task: str) -> None:
    with pytest.raises(VecsmithError, match="two or more"):
        study_of_translators([task], ["vectors:a"])
    with pytest.raises(VecsmithError, match="cross-fitted"):
        study_of_translators([task], ["vectors:a", "vectors:b"], fit_on="corpus")
    with pytest.raises(VecsmithError, match="did you mean"):
        study_of_translators([task], ["vectors:a", "vectors:b"], methods=("liner",))
