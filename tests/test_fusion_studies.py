"""Studies of fused and reduced vectors, and their plots."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from vecsmith.advise.fusion_weights import weights_on_queries
from vecsmith.advise.prediction import ValidationTask
from vecsmith.codecs import Codec
from vecsmith.embeddings import fuse
from vecsmith.encoders import embed_task
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.compare import measure
from vecsmith.report.article import draw
from vecsmith.report.findings import Findings, Plot
from vecsmith.studies import STUDIES, StudyConfig, autoencoder_dimensions, fusion, matryoshka, small_to_large
from vecsmith.studies.autoencoder_dimensions import default_widths
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


def figures(cell: str) -> tuple[float, float]:
    """Return nDCG@10 and the retention of a cell such as ``0.6451 (98.2% ±0.3)``."""
    parsed = re.fullmatch(r"(0\.\d{4}|1\.0000) \((\d+\.\d)%(?: ±\d+\.\d)?\)", cell)
    assert parsed, cell
    return float(parsed[1]), float(parsed[2]) / 100


def test_fusion_is_measured_against_the_first_model(task: Path) -> None:
    findings = run("fusion", task, "large", "small")
    codecs, means = column(findings, 0, "codec"), column(findings, 0, "mean")
    assert codecs[:3] == ["float32", "float32", "float32"]
    assert means[0].endswith("(100.0%)")
    assert {"fuse(m1,m2:0.7)", "fuse(m1,m2):fit", "fuse(m1,m2),autoencoder24", "fuse(m1,m2):fit,pca6"} <= set(codecs)
    ndcg, share = figures(means[2])
    alone, joined = (
        next(r.ndcg_at_10 for r in findings.results if r.encoder == encoder and r.codec == "float32")
        for encoder in ("vectors:large", "vectors:large+vectors:small")
    )
    assert share == pytest.approx(joined / alone, abs=1e-3)
    assert ndcg == pytest.approx(joined, abs=1e-4)
    losses = [float(loss) for loss in column(findings, 1, "loss")]
    assert len(losses) > 4
    assert [plot.name for plot in findings.plots] == ["fusion", "checkpoints"]


def test_fusion_needs_two_encoders(task: Path) -> None:
    with pytest.raises(VecsmithError, match="two or more"):
        run("fusion", task, "large")


def test_widths_of_an_autoencoder(task: Path) -> None:
    assert default_widths(384) == [384, 336, 288, 192, 144, 96]
    findings = autoencoder_dimensions(StudyConfig([str(task)], ["vectors:large"], seeds=[0]), widths=[6, 16])
    assert column(findings, 0, "width") == ["16", "6"]
    assert figures(column(findings, 0, "cut")[0])[1] == 1
    losses = findings.tables[1]
    assert losses.columns[-3:] == ["nDCG@10", "retention", "loss"]
    assert len(losses.rows) == 2 * 2 * 4
    reference = next(result.ndcg_at_10 for result in findings.results if result.codec == "float32")
    for start in range(0, len(losses.rows), 4):
        training = losses.rows[start : start + 4]
        assert [row[4] for row in training] == ["start", "lowest loss", "peak", "last"]
        ndcgs, values = ([float(row[place]) for row in training] for place in (6, 8))
        assert ndcgs[2] == max(ndcgs)
        assert values[1] == min(values)
        numbers = [int(row[5]) for row in training]
        assert numbers[0] == 0
        assert numbers[3] == max(numbers) > 0
        for row in training:
            assert float(row[7].rstrip("%")) / 100 == pytest.approx(float(row[6]) / reference, abs=2e-3)
    assert set(findings.plots[0].lines) == {f"vectors:large, {m}" for m in ("cut", "pca", "autoencoder", "trained")}


def test_cut_widths_end_at_the_dimensions(task: Path) -> None:
    wide = task / "vectors" / "wide"
    wide.mkdir()
    for side in ("corpus", "queries"):
        narrow = np.load(task / "vectors" / "large" / f"{side}.npy")
        np.save(wide / f"{side}.npy", np.hstack([narrow, narrow[:, ::-1], narrow]))
    findings = STUDIES["matryoshka-versus-autoencoder"](StudyConfig([str(task)], ["vectors:wide"], seeds=[0]))
    assert column(findings, 0, "width") == ["32"]
    assert all(figures(cell) for cell in findings.tables[0].rows[0][3:])


def test_widths_are_chosen(task: Path) -> None:
    config = StudyConfig([str(task)], ["vectors:large", "vectors:small"], seeds=[0])
    findings = fusion(config, widths=[5, 12])
    reduced = [spec for spec in column(findings, 0, "codec") if spec.startswith("fuse(m1,m2),")]
    assert reduced == ["fuse(m1,m2),autoencoder12", "fuse(m1,m2),autoencoder5"]
    one = StudyConfig([str(task)], ["vectors:large"], seeds=[0])
    assert column(matryoshka(one, widths=[3, 7]), 0, "width") == ["7", "3"]
    for study, configured in ((fusion, config), (matryoshka, one), (autoencoder_dimensions, one)):
        with pytest.raises(VecsmithError, match="dimensions have no width 25"):
            study(configured, widths=[4, 25])


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
    assert f"nDCG@10, and divided by that of {large}+{other} (large): {small}+{blind} (small)" in title
    assert "auto-encoded to 10 of 26 dimensions" in title
    [[alone], [fused]] = (
        measure([str(task)], [encoders], [])[0] for encoders in (f"{small}+{blind}", f"{large}+{other}")
    )
    share = alone.result.ndcg_at_10 / fused.result.ndcg_at_10
    assert kept[0] == f"{alone.result.ndcg_at_10:.4f} ({share:.1%})"
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


def test_plots_are_pictures() -> None:
    plot = Plot("curve", "What it shows", "x", "y", {"a line": [(1.0, 2.0), (2.0, 3.0)]})
    named = Plot("named", "By name", "line", "y", {"": [(0.0, 2.0), (1.0, 3.0)]}, False, ["one", "two"])
    for drawn, expected in (
        (plot, ["a line: x 1, y 2", "a line: x 2, y 3"]),
        (named, ["one: line 0, y 2", "two: line 1, y 3"]),
    ):
        picture = ElementTree.fromstring(draw(drawn))
        assert [title.text for title in picture.iter("{http://www.w3.org/2000/svg}title")] == expected
