"""Tables of results: tasks by methods, methods by metrics, in markdown, CSV and LaTeX, and from the command line."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from test_compare import run_cli, write_task
from vecsmith.cli import app
from vecsmith.embeddings import normalize
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.compare import compare
from vecsmith.evaluation.results import Result, read_results
from vecsmith.report import Run, Table, csv_table, metric_grids, table_latex, task_grid, task_grids, write_folder


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    """Return two BEIR folders of 60 documents with ready vectors of 16 dimensions."""
    paths = []
    for seed, name in enumerate(("one", "two")):
        rng = np.random.default_rng(seed)
        X = normalize(rng.standard_normal((60, 16)) + 0.5)
        Q = normalize(X[:20] + 0.4 * rng.standard_normal((20, 16)))
        paths.append(str(write_task(tmp_path / name, X, Q, range(20))))
    return paths


def results_of(folders: list[str]) -> list[Result]:
    return compare(folders, ["vectors:toy"], ["binary", "int8"], ["symmetric", "asymmetric"], metrics=["RR@10"])


def test_a_row_for_each_task_and_a_column_for_each_method(folders: list[str]) -> None:
    results = results_of(folders)
    table = task_grid(results, "RR@10", with_retention=True)
    methods = ["float32", "binary symmetric", "binary asymmetric", "int8 symmetric", "int8 asymmetric"]
    assert table.columns == ["task", *(heading for method in methods for heading in (method, f"{method} %"))]
    assert [row[0] for row in table.rows] == ["one", "two", "mean of 2 tasks"]
    for number, row in enumerate(table.rows[:2]):
        measured = results[5 * number : 5 * number + 5]
        assert row[1::2] == [f"{each.metrics['RR@10']:.3f}" for each in measured]
        assert row[2::2] == [f"{each.metrics['RR@10'] / measured[0].metrics['RR@10']:.1%}" for each in measured]
    mean = np.mean([results[row].metrics["RR@10"] for row in (1, 6)])
    assert table.rows[2][3] == f"{mean:.3f}"
    [ndcg] = task_grids(results[:5], [])
    assert ndcg.rows == [["one", *(f"{each.ndcg_at_10:.4f}" for each in results[:5])]]
    assert [table.name for table in task_grids(results, ["nDCG@10", "RR@10"])] == ["tasks-nDCG@10", "tasks-RR@10"]


def test_a_method_without_a_result_on_a_task_has_no_mean(folders: list[str]) -> None:
    results = results_of(folders)
    table = task_grid(results[:-1])
    assert table.rows[1][-1] == table.rows[2][-1] == ""
    assert table.rows[0][-1] != ""


def test_retention_refers_to_the_baseline_encoder(folders: list[str]) -> None:
    [first, binary, *_] = results_of(folders[:1])
    other = replace(first, encoder="vectors:other", baseline="vectors:toy", ndcg_at_10=first.ndcg_at_10 / 2)
    table = task_grid([first, binary, other], with_retention=True)
    assert table.columns[-2:] == ["vectors:other float32", "vectors:other float32 %"]
    assert table.rows[0][-1] == "50.0%"


def test_a_column_for_each_metric(folders: list[str]) -> None:
    results = results_of(folders)
    tables = metric_grids(results)
    assert len(tables) == 3
    assert tables[0].columns[3:] == ["nDCG@10", "R@100", "Kept@10", "Correlation", "RR@10"]
    assert tables[0].rows[0][3:] == [f"{results[0].ndcg_at_10:.4f}", "1.000", "1.000", "1.000", tables[0].rows[0][-1]]
    kept = [float(row[5]) for row in tables[0].rows]
    assert kept[0] == 1 > kept[3] > kept[1] > 0
    assert [results[3].value(name) for name in ("Kept@10", "RR@10", "Correlation")] == [
        results[3].neighbors_kept_at_10,
        results[3].metrics["RR@10"],
        results[3].score_correlation,
    ]
    assert np.isnan(results[3].value("AP"))


def test_metrics_are_columns_of_the_csv_and_survive_the_disk(folders: list[str], tmp_path: Path) -> None:
    results = results_of(folders[:1])
    rows = list(csv.DictReader(csv_table(results).splitlines()))
    assert [float(row["RR@10"]) for row in rows] == [result.metrics["RR@10"] for result in results]
    assert "metrics" not in rows[0]
    table = task_grid(results, "RR@10")
    written = write_folder(tmp_path / "out", Run("out", results), metrics=["RR@10"], tables=[table], latex=True)
    names = ["table.md", "table.csv", "tasks.csv", "table.tex", "report.html", "results.jsonl"]
    assert [path.name for path in written] == names
    assert read_results(tmp_path / "out" / "results.jsonl") == results
    with (tmp_path / "out" / "tasks.csv").open() as file:
        assert list(csv.reader(file)) == [table.columns, *table.rows]
    assert (tmp_path / "out" / "table.tex").read_text().count(r"\begin{tabular}") == 1


def test_latex_escapes_special_characters() -> None:
    table = Table("t", "50 % of a_b & {c} \\ ~^#$", ["k_1", "±"], [["−1", "2 × 3"]])
    expected = (
        "\\begin{table}\n"
        "\\caption{50 \\% of a\\_b \\& \\{c\\} \\textbackslash{} \\textasciitilde{}\\textasciicircum{}\\#\\$}\n"
        "\\begin{tabular}{rr}\n\\toprule\nk\\_1 & $\\pm$ \\\\\n\\midrule\n$-$1 & 2 $\\times$ 3 \\\\\n\\bottomrule\n"
        "\\end{tabular}\n\\end{table}"
    )
    assert table_latex(table) == expected


def test_tables_of_the_command_line(folders: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    tasks = ["--task", folders[0], "--task", folders[1], "--encoder", "vectors:toy", "--codec", "binary"]
    metrics = ["--metric", "Kept@10", "--metric", "Success@1"]
    printed = run_cli("compare", *tasks, *metrics, "--table", "tasks", "--retention", "--out", str(tmp_path / "out"))
    assert "| task | float32 | float32 % | binary | binary % |" in printed
    assert printed.count("| mean of 2 tasks | 1.000 | 100.0% |") == 1  # Kept@10 of float32
    assert printed.count("| mean of 2 tasks |") == 2
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {"tasks-Kept@10.csv", "tasks-Success@1.csv"}
    assert "| codec | scoring | bytes | nDCG@10 | R@100 | Kept@10 | Correlation |" in run_cli(
        "compare", *tasks, "--table", "metrics"
    )
    header = next(
        line for line in run_cli("compare", *tasks, *metrics).splitlines() if line.split()[:2] == ["codec", "scoring"]
    )
    assert header.split()[8:13] == ["R@100", "Kept@10", "Success@1", "fit", "s"]
    assert r"\toprule" in run_cli("compare", *tasks, "--table", "tasks", "--latex")
    [first, *_] = json.loads(run_cli("compare", *tasks, *metrics, "--json"))
    assert first["metrics"].keys() == {"Success@1"}
    assert first["neighbors_kept_at_10"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--table", "task"], "Unknown table 'task': did you mean 'tasks'?"),
        (["--retention"], "--retention is for --table tasks"),
        (["--metric", "MRR@10"], "Unknown metric 'MRR@10': did you mean 'RR@10'?"),
        (["--metric", "P"], "The metric P needs a cutoff"),
    ],
)
def test_bad_options_are_refused_before_any_work(
    options: list[str], message: str, folders: list[str], tmp_path: Path
) -> None:
    task = ["--task", folders[0], "--encoder", "vectors:toy"]
    done = CliRunner().invoke(app, ["compare", *task, "--out", str(tmp_path / "out"), *options])
    assert isinstance(done.exception, VecsmithError)
    assert message in str(done.exception)
    assert not (tmp_path / "out").exists()
