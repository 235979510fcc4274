"""Studies and their summaries."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vecsmith.codecs import Codec
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.measurement import Measurement
from vecsmith.evaluation.results import Result
from vecsmith.report import findings_markdown, write_study
from vecsmith.report.findings import Findings, summary
from vecsmith.studies.quantization import paired_tests, specs


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    """Return made-up lines of two tasks and two seeds."""
    line = Result(
        task="one", split="test", encoder="static", codec="binary", scoring="asymmetric", fit_on="cross", n_docs=10,
        n_queries=5, dimensions=8, bytes_per_vector=1, rescore_bytes_per_vector=0, amortised_bytes_per_vector=1.0,
        codec_bytes=0, compression=32.0, ndcg_at_10=0.4, recall_at_100=0.8, retention=0.8, p_value=0.5,
        fit_seconds=0.0, encode_vectors_per_second=1.0, queries_per_second=1.0, seed=0, versions={"vecsmith": "0"},
    )  # fmt: skip
    return [
        line,
        replace(line, seed=1, retention=0.9),
        replace(line, task="two", retention=0.6),
        replace(line, codec="int8", bytes_per_vector=8, retention=0.99),
    ]


def test_summary_has_means_and_spreads_over_seeds(results: list[Result]) -> None:
    table = summary(results)
    assert table.columns == ["encoder", "codec", "scoring", "bytes", "one", "two", "mean"]
    assert table.rows == [
        ["static", "int8", "asymmetric", "8", "0.4000 (99.0%)", "", ""],
        ["static", "binary", "asymmetric", "1", "0.4000 (85.0% ±5.0)", "0.4000 (60.0%)", "0.4000 (72.5%)"],
    ]


def test_tables_are_written_with_every_result(results: list[Result], tmp_path: Path) -> None:
    findings = Findings([summary(results)], results)
    page, table, report, lines, kept = write_study(tmp_path / "study", findings)
    assert page.read_text() == findings_markdown(findings)
    assert "seeds 0, 1" in page.read_text()
    assert [path.name for path in (report, kept)] == ["report.html", "findings.json.gz"]
    assert list(csv.reader(table.open()))[1:] == findings.tables[0].rows
    assert len(lines.read_text().splitlines()) == len(results)


def test_learned_codes_are_tested_against_codes_of_their_bytes(results: list[Result]) -> None:
    kept = {"float32": (384, 0.5), "trellis48B": (48, 0.49), "binary": (48, 0.40), "int8": (96, 0.5)}
    noise = np.random.default_rng(0).normal(0, 0.01, (2, 100))
    measured = [
        Measurement(replace(results[0], codec=codec, task=task, bytes_per_vector=size), (mean + offset).tolist())
        for codec, (size, mean) in kept.items()
        for task, offset in zip(("one", "two"), np.vstack([noise[:1] * (codec == "binary"), noise[1:]]), strict=True)
    ]
    [row] = paired_tests(measured).rows
    assert row[1:6] == ["trellis48B", "48", "binary", "48", "2"]
    assert float(row[6]) == pytest.approx(18, abs=0.5)
    assert row[7] == "0.000"


@pytest.mark.parametrize("dimensions", [24, *(pytest.param(d, marks=pytest.mark.slow) for d in (256, 384))])
def test_every_codec_of_the_quantization_study_suits_the_dimensions(dimensions: int) -> None:
    names = list(specs(dimensions))
    assert len(names) == len(set(names)) > 10
    X = np.random.default_rng(0).standard_normal((max(300, dimensions), dimensions)).astype(np.float32)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    for name in names:
        codec = Codec(name).fit(X)
        assert codec.encode(X[:3]).shape == (3, codec.bytes_per_vector), name


def test_a_rotation_is_not_fitted_to_fewer_vectors_than_dimensions() -> None:
    X = np.random.default_rng(0).standard_normal((47, 48)).astype(np.float32)
    with pytest.raises(VecsmithError, match="OPQ needs as many vectors as dimensions, at least 48"):
        Codec("faiss:OPQ6,PQ6x4").fit(X)
