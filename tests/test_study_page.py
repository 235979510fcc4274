"""The report of a study in a real browser: plots, tables, linked maps, kernels and searches."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from pages import DESKTOP, HOSTILE, PHONE
from test_compare import run_cli, write_task
from vecsmith.cli import app
from vecsmith.embeddings import normalize
from vecsmith.evaluation.translation import Experiment, run
from vecsmith.report import (
    Examples,
    Findings,
    Kernels,
    LinkedMaps,
    Plot,
    Run,
    Table,
    read_run,
    write_results_page,
    write_study,
)
from vecsmith.report.translators import findings as tables_of
from vecsmith.studies.translators import examples


@pytest.fixture
def task(tmp_path: Path) -> str:
    """Return a BEIR folder of 200 documents with vectors of two models, ``toy`` and ``other``, which agree in part."""
    rng = np.random.default_rng(0)
    meaning = rng.standard_normal((200, 10))
    X, Q = (normalize(meaning[:n] + 0.3 * rng.standard_normal((n, 10))) for n in (200, 30))
    folder = write_task(tmp_path / "tiny", X, Q, range(30))
    (folder / "vectors" / "other").mkdir()
    view = rng.standard_normal((10, 12))
    for side, vectors in (("corpus", X), ("queries", Q)):
        noisy = vectors @ view + 0.9 * rng.standard_normal((len(vectors), 12))
        np.save(folder / "vectors" / "other" / f"{side}.npy", noisy.astype(np.float32))
    return str(folder)


@pytest.fixture
def study(task: str, tmp_path: Path) -> tuple[Path, Findings]:
    """Return the folder of a study of translators, and its findings."""
    experiments = [
        Experiment(task, "test", f"vectors:{source}", f"vectors:{target}", method, 0)
        for method in ("linear", "linear:rank4", "procrustes")
        for source, target in (("toy", "other"), ("other", "toy"))
    ]
    maps, kernels, searches = examples(experiments[0])
    found = replace(tables_of([run(each) for each in experiments]), maps=[maps], kernels=[kernels], examples=[searches])
    write_study(tmp_path / "study", found, study="translators", command="vecsmith study translators")
    return tmp_path / "study", found


def test_a_study_is_one_page_that_can_be_made_again(study: tuple[Path, Findings], tmp_path: Path) -> None:
    folder, found = study
    names = {path.name for path in folder.iterdir()}
    assert [name for name in names if name.endswith(".html")] == ["report.html"]
    read = read_run(folder)
    assert read.findings is not None
    assert (read.study, read.findings.tables, read.findings.plots) == ("translators", found.tables, found.plots)
    for name, matrix in found.kernels[0].matrices.items():
        np.testing.assert_allclose(read.findings.kernels[0].matrices[name], matrix, atol=6e-4)
    run_cli("report", str(folder), "--out", str(tmp_path / "again.html"))
    assert (tmp_path / "again.html").read_bytes() == (folder / "report.html").read_bytes()
    (folder / "findings.json.gz").write_bytes(b"damaged")
    refused = CliRunner().invoke(app, ["report", str(folder), "--out", str(tmp_path / "page.html")])
    assert "findings.json.gz cannot be read as findings of a study" in str(refused.exception)


def test_the_page_shows_the_findings(study: tuple[Path, Findings], visit: Callable[..., Any]) -> None:
    folder, found = study
    maps, kernels = found.maps[0], found.kernels[0]
    with visit(folder / "report.html", **DESKTOP) as page:
        page.locator("html[data-ready]").wait_for(state="attached")
        assert page.locator("h1").inner_text() == "Study: translators"
        # there are no results of codecs
        assert page.locator("#frontier, #table, #queries").count() == 0
        assert "vecsmith study translators" in page.locator("#sources").inner_text()

        pairs = page.locator("#plots .finding").first
        pairs.get_by_label("Measure").select_option("linear CKA")
        plot = next(each for each in found.plots if each.name == "linear-cka-by-pair")
        pairs.locator('[data-line="procrustes"] .marker').first.hover()
        shown = page.locator("#tooltip").inner_text()
        assert "vectors:toy → vectors:other" in shown
        assert f"{plot.lines['tiny, procrustes'][0][1]:.4g}" in shown
        pairs.get_by_role("button", name="procrustes").click()
        assert pairs.locator(".marker").count() - pairs.locator(".legend .marker").count() == 4

        table = page.locator("#findings .finding", has_text="Edit distance")
        table.get_by_role("button", name="procrustes").click()
        [rows] = [each.rows for each in found.tables if each.name == "edit-distance"]
        cells = [float(row.locator("td").last.inner_text()) for row in table.locator("tbody tr").all()]
        assert cells == sorted((float(row[-1]) for row in rows), reverse=True)

        spaces = page.locator("#spaces")
        spaces.get_by_label("Find a document").fill(maps.labels[7])
        neighbors = [list(lists[7]) for lists in maps.neighbors]
        for column, numbers in zip(spaces.locator(".column").all(), neighbors, strict=True):
            assert column.locator(".text").all_inner_texts() == [maps.labels[number] for number in numbers]
        kept = len(set(neighbors[0]) & set(neighbors[1]))
        assert spaces.locator(".column").first.locator(".document.kept").count() == kept
        assert f"{kept} of 10 neighbors kept" in spaces.locator(".question").inner_text()
        # a click on a document of one list or map selects it in both
        before = spaces.locator(".question .text").inner_text()
        spaces.locator(".column").last.locator(".document").nth(2).click()
        assert spaces.locator(".question .text").inner_text() == maps.labels[neighbors[1][2]] != before

        canvas = page.locator("#kernels canvas").last
        size = canvas.bounding_box()["width"] / len(kernels.labels)
        canvas.hover(position={"x": 5.5 * size, "y": 2.5 * size})
        shown = page.locator("#tooltip").inner_text()
        for text in (
            kernels.labels[2],
            kernels.labels[5],
            *(f"{each[2, 5]:.3f}" for each in kernels.matrices.values()),
        ):
            assert text in shown

        searches = page.locator("#examples")
        searches.get_by_label("Example").select_option(index=3)
        assert searches.locator("tbody tr").count() == len(found.examples[0].tables[3].rows)


@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_hostile_texts_are_shown_as_texts(device: dict[str, Any], tmp_path: Path, visit: Callable[..., Any]) -> None:
    texts = list(HOSTILE.values())
    n, all_texts = len(texts), " ".join(texts)
    table = Table("hostile", all_texts, texts, [texts, texts[::-1]])
    lines = {f"{text}, {text}": [(1.0, 0.5), (2.0, 0.7)] for text in texts}
    places = [(row, row * row) for row in range(n)]
    others = [[other for other in range(n) if other != row][:2] for row in range(n)]
    found = Findings(
        [table],
        plots=[
            Plot("lines", all_texts, texts[0], texts[2], lines),
            Plot("points", all_texts, texts[0], texts[2], {"": [(0.0, 1.0)], texts[4]: [(1.0, 2.0)]}, False, texts),
        ],
        maps=[
            LinkedMaps(all_texts, "pca", texts[:2], texts, [places, places], [others, others], [0] * n, texts[:1], [0])
        ],
        kernels=[Kernels(all_texts, {text: np.eye(n, dtype=np.float32) for text in texts[:3]}, texts)],
        examples=[Examples(all_texts, [table, Table(texts[0], texts[0], ["a"], [])])],
    )
    path = tmp_path / "report.html"
    write_results_page(path, [Run(texts[0], [], study=texts[0], command=all_texts, findings=found)])
    with visit(path, **device) as page:
        page.locator("html[data-ready]").wait_for(state="attached")
        page.locator("#plots .marker").last.hover()
        page.locator("#spaces canvas").first.hover()
        page.locator("#kernels canvas").first.hover()
        page.get_by_label("Example").select_option(index=1)
        assert page.locator("#findings tbody tr").first.locator("th, td").first.text_content()[:60] == texts[0][:60]
        assert page.evaluate("window.broken") is None
        assert page.locator("img, iframe, object, link, a:not(nav a)").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= device["viewport"]["width"]
