"""Studies of fused and reduced vectors, and their plots."""

import json
from pathlib import Path

import numpy as np
import pytest

from vecsmith.advise.fusion_weights import weights_on_queries
from vecsmith.advise.prediction import ValidationTask
from vecsmith.codecs import Codec
from vecsmith.embeddings import fuse
from vecsmith.encoders import embed_task
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.compare import measure
from vecsmith.report import plots, write_study
from vecsmith.report.findings import Findings, Plot
from vecsmith.studies import STUDIES, StudyConfig, small_to_large
from vecsmith.studies.autoencoder_dimensions import widths
from vecsmith.tasks import load_task


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """Return a BEIR folder of 120 documents with vectors of three models: large, small (a part of it) and blind."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "toy"
    (folder / "qrels").mkdir(parents=True)
    write_lines(folder / "corpus.jsonl", [{"_id": f"d{row}", "text": f"document {row}"} for row in range(120)])
    write_lines(folder / "queries.jsonl", [{"_id": f"q{row}", "text": f"query {row}"} for row in range(60)])
    judged = "".join(f"q{row}\td{row}\t1\n" for row in range(60))
    for split in ("dev", "test"):
        (folder / "qrels" / f"{split}.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}")
    meaning = rng.standard_normal((120, 16)) / np.sqrt(np.arange(1, 17))
    models = {
        "large": lambda rows: meaning[rows] + 0.4 * rng.standard_normal((len(rows), 16)),
        "small": lambda rows: (meaning[rows] + 0.4 * rng.standard_normal((len(rows), 16)))[:, :8],
        "blind": lambda rows: rng.standard_normal((len(rows), 8)),
    }
    for name, embed in models.items():
        ready = folder / "vectors" / name
        ready.mkdir(parents=True)
        np.save(ready / "corpus.npy", embed(np.arange(120)).astype(np.float32))
        np.save(ready / "queries.npy", embed(np.arange(60)).astype(np.float32))
    return folder


def write_lines(path: Path, records: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def run(name: str, task: Path, *models: str) -> Findings:
    return STUDIES[name](StudyConfig([str(task)], [f"vectors:{model}" for model in models], seeds=[0]))


def column(findings: Findings, table: int, name: str) -> list[str]:
    found = findings.tables[table]
    return [row[found.columns.index(name)] for row in found.rows]


def test_fusion_is_measured_against_the_first_model(task: Path) -> None:
    findings = run("fusion", task, "large", "small")
    codecs, means = column(findings, 0, "codec"), column(findings, 0, "mean")
    assert codecs[:3] == ["float32", "float32", "float32"]
    assert means[0] == "100.0%"
    assert {"fuse(m1,m2:0.7)", "fuse(m1,m2):fit", "fuse(m1,m2),autoencoder24", "fuse(m1,m2):fit,pca6"} <= set(codecs)
    share = float(means[2].rstrip("%")) / 100
    alone, joined = (
        next(r.ndcg_at_10 for r in findings.results if r.encoder == encoder and r.codec == "float32")
        for encoder in ("vectors:large", "vectors:large+vectors:small")
    )
    assert share == pytest.approx(joined / alone, abs=1e-3)
    losses = [float(loss) for loss in column(findings, 1, "loss")]
    assert len(losses) > 4
    assert [plot.name for plot in findings.plots] == ["fusion", "checkpoints"]


def test_fusion_needs_two_encoders(task: Path) -> None:
    with pytest.raises(VecsmithError, match="two or more"):
        run("fusion", task, "large")


def test_widths_of_an_autoencoder(task: Path) -> None:
    assert widths(384) == [384, 336, 288, 192, 144, 96]
    findings = run("autoencoder-dimensions", task, "large")
    assert column(findings, 0, "width") == ["16", "14", "12", "8", "6", "4"]
    assert column(findings, 0, "cut")[0] == "100.0%"
    assert all(
        float(best) <= float(start)
        for start, best in zip(column(findings, 1, "start"), column(findings, 1, "best"), strict=True)
    )
    assert set(findings.plots[0].lines) == {f"vectors:large, {m}" for m in ("cut", "pca", "autoencoder", "trained")}


def test_cut_widths_end_at_the_dimensions(task: Path) -> None:
    wide = task / "vectors" / "wide"
    wide.mkdir()
    for side in ("corpus", "queries"):
        narrow = np.load(task / "vectors" / "large" / f"{side}.npy")
        np.save(wide / f"{side}.npy", np.hstack([narrow, narrow[:, ::-1], narrow]))
    findings = STUDIES["matryoshka-versus-autoencoder"](StudyConfig([str(task)], ["vectors:wide"], seeds=[0]))
    assert column(findings, 0, "width") == ["32"]
    assert all(cell.endswith("%") for cell in findings.tables[0].rows[0][3:])


def test_small_models_replace_a_large_one(task: Path) -> None:
    findings = run("small-to-large", task, "small", "blind", "large")
    lines = column(findings, 0, "line")
    assert lines[:3] == ["small, side by side", "large", "large, autoencoder8"]
    names = {"linear", "mlp1", "mlp2", "mlp1:retrieval"}
    assert set(lines[3:]) == names | {f"{name}, queries only" for name in names}
    closed = dict(zip(lines, column(findings, 0, "toy: gap closed"), strict=True))
    assert closed["large"] == "100%"
    assert closed["small, side by side"] == "0%"


def test_several_large_models_are_one_target_of_a_given_width(task: Path) -> None:
    names = ("small", "blind", "large", "other")
    ready = task / "vectors"
    (ready / "other").mkdir()
    for side in ("corpus", "queries"):
        np.save(ready / "other" / f"{side}.npy", np.load(ready / "large" / f"{side}.npy")[:, 6:])
    small, blind, large, other = (f"vectors:{name}" for name in names)
    findings = small_to_large(StudyConfig([str(task)], [small, blind, f"{large}+{other}"], seeds=[0]), width=10)
    lines, kept = column(findings, 0, "line"), column(findings, 0, "toy")
    assert lines[:3] == ["small, side by side", "large", "large, autoencoder10"]
    title = findings.tables[0].title
    assert f"nDCG@10 divided by that of {large}+{other} (large): {small}+{blind} (small)" in title
    assert "auto-encoded to 10 of 26 dimensions" in title
    [[alone], [fused]] = (
        measure([str(task)], [encoders], [])[0] for encoders in (f"{small}+{blind}", f"{large}+{other}")
    )
    assert kept[0] == f"{alone.result.ndcg_at_10 / fused.result.ndcg_at_10:.1%}"
    with pytest.raises(VecsmithError, match="choose from 1 to 26 dimensions"):
        small_to_large(StudyConfig([str(task)], [small, f"{large}+{other}"], seeds=[0]), width=27)


def test_weights_by_judged_queries(task: Path) -> None:
    loaded = load_task(str(task))
    encoder = "vectors:large+vectors:blind+vectors:small"
    codec = Codec("fuse(large,blind,small):fit")
    codec.stages[0].judged = weights_on_queries(ValidationTask(loaded, encoder, "dev"))
    corpus, _ = embed_task(loaded, encoder)
    weights = codec.fit(corpus.unit).stages[0].weights
    assert weights[1] == 0 < weights[2]
    assert list(corpus.blocks) == ["large", "blind", "small"]


def test_checkpoints_are_shown_while_training(task: Path) -> None:
    corpus, _ = embed_task(load_task(str(task)), "vectors:large")
    codec = Codec("autoencoder8:linear")
    seen = []
    codec.stages[0].watch = lambda stage, loss: seen.append((stage, loss))
    codec.fit(corpus.unit)
    best = min(seen, key=lambda each: each[1])[0]
    np.testing.assert_array_equal(best.skip_, codec.stages[0].skip_)
    assert fuse([corpus]) is corpus


CURVE = Plot("curve", "What it shows", "x", "y", {"a line": [(1.0, 2.0), (2.0, 3.0)]})


def test_plots_are_pages_of_their_own(tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    written = write_study(tmp_path / "drawn", Findings([], plots=[CURVE]))
    assert [path.name for path in written] == ["table.md", "results.jsonl", "curve.html"]
    assert "What it shows" in written[-1].read_text()


def test_without_plotly_tables_and_a_message_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "find_spec", lambda name: None)
    found = Findings([], plots=[CURVE])
    assert [path.name for path in write_study(tmp_path / "plain", found)] == ["table.md", "results.jsonl"]
    assert "curve.html" in (plots.left_out(found) or "")
