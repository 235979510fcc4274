"""Studies and their summaries."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from vecsmith.codecs import Codec
from vecsmith.report import write_study
from vecsmith.report.summary import summarise, summary_markdown
from vecsmith.results import Result
from vecsmith.studies.quantization import specs


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
    columns, rows = summarise(results)
    assert columns == ["encoder", "codec", "scoring", "bytes", "one", "two", "mean"]
    assert rows == [
        ["static", "int8", "asymmetric", "8", "99.0%", "", ""],
        ["static", "binary", "asymmetric", "1", "85.0% ±5.0", "60.0%", "72.5%"],
    ]


def test_summary_is_written_with_every_result(results: list[Result], tmp_path: Path) -> None:
    page, table, lines = write_study(tmp_path / "study", results)
    assert page.read_text() == summary_markdown(results)
    assert "seeds 0, 1" in page.read_text()
    assert list(csv.reader(table.open()))[1:] == summarise(results)[1]
    assert len(lines.read_text().splitlines()) == len(results)


@pytest.mark.parametrize("dimensions", [24, 256, 384, 768])
def test_every_codec_of_the_quantization_study_suits_the_dimensions(dimensions: int) -> None:
    names = list(specs(dimensions))
    assert len(names) == len(set(names)) > 10
    for name in names:
        Codec(name)
