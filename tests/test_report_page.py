"""The report page in a real browser: what it shows and does, also with hostile texts and large runs."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import t
from typer.testing import CliRunner

from pages import DESKTOP, HOSTILE, PHONE
from test_compare import run_cli, write_task
from vecsmith.cli import app
from vecsmith.embeddings import normalize
from vecsmith.evaluation.compare import measure
from vecsmith.evaluation.query_rankings import Ranking, TaskQueries, line_of
from vecsmith.evaluation.results import Result, read_results
from vecsmith.report import Run, read_run, results_page, write_results_page
from vecsmith.report.document_map import MAX_DOCUMENTS, DocumentMap
from vecsmith.report.page_data import page_data

SECONDS = 2
"""Seconds in which a large page must be ready: CPU time of its main thread, which other processes do not change."""


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """Return a BEIR folder of 80 documents with ready vectors of 16 dimensions; each query is near one of them."""
    rng = np.random.default_rng(0)
    X = normalize(rng.standard_normal((80, 16)) + 0.5)
    Q = normalize(X[:30] + 0.4 * rng.standard_normal((30, 16)))
    return write_task(tmp_path / "tiny", X, Q, range(30))


@pytest.fixture
def results(task: Path, tmp_path: Path) -> Path:
    """Return the folder of a comparison by the command line."""
    out = tmp_path / "results"
    codecs = [word for spec in ("int8", "int4", "binary") for word in ("--codec", spec)]
    scorings = ["--scoring", "asymmetric", "--scoring", "rescored"]
    run_cli("compare", "--task", str(task), "--encoder", "vectors:toy", *codecs, *scorings, "--out", str(out))
    return out


def result(**fields: Any) -> Result:
    """Return a result; the figures are made up."""
    names = {"task": "tiny", "split": "test", "encoder": "static", "codec": "float32", "scoring": "exact"}
    sizes = {"n_docs": 1000, "n_queries": 20, "dimensions": 64, "bytes_per_vector": 256, "codec_bytes": 100}
    sizes |= {"rescore_bytes_per_vector": 0, "amortised_bytes_per_vector": 260, "compression": 1}
    sizes |= {"memory_bytes_per_vector": 256}
    quality = {"ndcg_at_10": 0.5, "recall_at_100": 0.9, "retention": 1.0, "p_value": 1.0}
    speed = {"fit_seconds": 0.1, "encode_vectors_per_second": 1e5, "queries_per_second": 1e3}
    about = {"fit_on": "nothing", "seed": 0, "versions": {"vecsmith": "0"}, "baseline": fields.get("encoder", "static")}
    return Result(**{**names, **sizes, **quality, **speed, **about, **fields})


def many_lines(tasks: int, codecs: int, queries: int) -> Run:
    """Return a run of many tasks, with rankings."""
    rng = np.random.default_rng(0)
    results, rankings = [], []
    for number in range(tasks):
        task = f"task-{number}"
        lines = [result(task=task)]
        for codec in range(1, codecs):
            size, ndcg = 2 ** (2 + codec % 8), float(rng.uniform(0.3, 0.5))
            spec = f"family{codec}{size}B" if codec % 2 else f"trellis{size}B"
            figures = {"bytes_per_vector": size, "ndcg_at_10": ndcg, "retention": 2 * ndcg}
            lines.append(result(task=task, codec=spec, scoring="asymmetric", fit_on="cross", **figures))
        results += lines
        ids = [f"q{query}" for query in range(queries)]
        rankings.append(
            TaskQueries(
                task,
                "test",
                ids,
                texts=[f"text of the query {id_}" for id_ in ids],
                judgements=[[(1, 1), (2, 0)]] * queries,
                relevant=[3] * queries,
                documents=[(f"d{document}", f"text of the document {document} " * 12) for document in range(100)],
                rankings=[random_ranking(line, queries, rng) for line in lines],
            )
        )
    return Run("large", results, rankings, maps=[large_map("task-0", queries, rng)])


def large_map(task: str, queries: int, rng: np.random.Generator) -> DocumentMap:
    """Return a map of as many documents as maps have at most."""
    n = MAX_DOCUMENTS
    places = [(int(x), int(y)) for x, y in rng.integers(0, 9999, (n, 2))]
    titles = [f"text of the document {row}" for row in range(n)]
    ids, clusters, labels = [f"d{row}" for row in range(n)], [row % 10 for row in range(n)], [("a, b, c", 50, 50)]
    query_ids = [f"q{query}" for query in range(queries)]
    return DocumentMap(
        task, "test", "static", "pca", n, ids, titles, places, clusters, labels, query_ids, places[:queries]
    )


def random_ranking(line: Result, queries: int, rng: np.random.Generator) -> Ranking:
    documents = [rng.permutation(100)[:10].tolist() for _ in range(queries)]
    return Ranking(line_of(line), rng.random(queries).round(4).tolist(), documents, [[0.5] * 10] * queries)


def tooltip(page: Any) -> str:
    return str(page.locator("#tooltip").inner_text())


def point(page: Any, name: str) -> Any:
    """Return the point of a codec in the chart of sizes."""
    return page.locator(f'#frontier .marker[aria-label^="{name},"]')


def test_compare_writes_a_page_that_shows_every_line(results: Path, visit: Callable[..., Any]) -> None:
    lines = read_results(results / "results.jsonl")
    with visit(results / "report.html") as page:
        assert page.locator("h1").inner_text() == "Compressed vectors on tiny"
        assert page.locator("#frontier .marker[role=button]").count() == len(lines) == 7
        assert page.locator("#table tbody tr").count() == 7
        assert page.locator("#table tbody tr").first.inner_text().split()[:4] == ["float32", "exact", "64", "B"]
        sources = page.locator("#sources").inner_text()
        assert f"numpy {lines[0].versions['numpy']}" in sources
        assert lines[0].machine in sources
        assert "vecsmith compare --task" in sources
        # one task has no small multiples
        assert page.locator("#tasks").count() == 0


def test_hover_shows_the_whole_line_and_a_click_copies_its_command(
    results: Path, visit: Callable[..., Any], tmp_path: Path
) -> None:
    binary = next(line for line in read_results(results / "results.jsonl") if line.codec == "binary")
    with visit(results / "report.html") as page:
        point(page, "binary").hover()
        shown = tooltip(page)
        for text in (f"{binary.ndcg_at_10:.4f}", f"{100 * binary.retention:.1f}%", "2 B", "asymmetric", "vectors:toy"):
            assert text in shown
        point(page, "binary").click()
        command = page.evaluate("navigator.clipboard.readText()")
        assert "Copied" in page.locator("#toast").inner_text()
        page.mouse.move(2, 2)
        assert page.locator("#tooltip").is_hidden()
        # by the keyboard too
        page.evaluate("navigator.clipboard.writeText('')")
        point(page, "binary").focus()
        assert "binary" in tooltip(page)
        page.keyboard.press("Enter")
        page.locator("#toast.shown").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == command
    assert command == binary.command
    program, *words = command.split()
    assert (program, "--out" in words) == ("vecsmith", False)
    [_, again] = json.loads(run_cli(*words, "--json"))
    assert (again["codec"], again["scoring"], again["ndcg_at_10"]) == ("binary", "asymmetric", binary.ndcg_at_10)


def test_the_switch_of_bytes_moves_the_points(results: Path, visit: Callable[..., Any]) -> None:
    with visit(results / "report.html") as page:
        place = "node => node.getBoundingClientRect().x"
        rescored = page.locator('#frontier .marker[aria-label^="binary rescored,"]')
        assert "66 B" in rescored.get_attribute("aria-label")
        stored = rescored.evaluate(place)
        page.get_by_role("button", name="in memory").click()
        assert "Bytes in memory" in page.locator("#frontier .plot").get_attribute("aria-label")
        assert "66 B" not in rescored.get_attribute("aria-label")
        assert rescored.evaluate(place) < stored
        # a family can be hidden, and every chart follows
        page.get_by_role("button", name="binary", exact=True).click()
        assert rescored.count() == 0
        assert page.locator("#speed .marker[role=button]").count() == 5


def test_the_table_sorts_and_filters(results: Path, visit: Callable[..., Any]) -> None:
    lines = read_results(results / "results.jsonl")

    def column(page: Any, name: str) -> list[str]:
        headings = [cell.strip() for cell in page.locator("#table thead th").all_inner_texts()]
        return [
            str(row.locator("th, td").nth(headings.index(name)).inner_text())
            for row in page.locator("#table tbody tr").all()
        ]

    with visit(results / "report.html") as page:
        table = page.locator("#table")
        table.get_by_role("button", name="nDCG@10", exact=True).click()
        falling = sorted((f"{line.ndcg_at_10:.4f}" for line in lines), reverse=True)
        assert column(page, "nDCG@10") == falling
        table.get_by_role("button", name="nDCG@10", exact=True).click()
        assert column(page, "nDCG@10") == falling[::-1]
        assert table.locator("th[aria-sort=ascending]").inner_text().strip() == "nDCG@10"
        table.get_by_role("button", name="codec", exact=True).click()
        assert column(page, "codec") == sorted(line.codec for line in lines)
        table.get_by_role("searchbox").fill("INT rescored")
        assert column(page, "codec") == ["int4", "int8"]
        assert "2 lines of 7" in table.inner_text()


def test_queries_and_first_documents_are_those_that_were_measured(
    task: Path, results: Path, visit: Callable[..., Any]
) -> None:
    [float32, *_, binary, _] = measure(
        [str(task)], ["vectors:toy"], ["int8", "int4", "binary"], ("asymmetric", "rescored")
    )[0]
    loses = sum(b < a for a, b in zip(float32.ndcg_at_10, binary.ndcg_at_10, strict=True))
    wins = sum(b > a for a, b in zip(float32.ndcg_at_10, binary.ndcg_at_10, strict=True))
    X, Q = (np.load(task / "vectors" / "toy" / f"{side}.npy") for side in ("corpus", "queries"))
    scores = Q @ X.T
    # a query whose relevant document is among the first ten, and not the first
    query = next(row for row in range(30) if 0 < (scores[row] > scores[row, row]).sum() < 10)
    best = np.argsort(-scores[query])[:10]
    with visit(results / "report.html") as page:
        queries = page.locator("#queries")
        verdict = queries.locator(".verdict").inner_text()
        assert verdict.startswith(f"binary has a lower nDCG@10 than float32 on {loses}, a higher one on {wins} and")
        queries.get_by_placeholder("Search the queries").fill("9 QUERY")
        assert queries.locator(".query").count() == 3
        queries.get_by_placeholder("Search the queries").fill("")
        queries.get_by_text(f"query {query}", exact=True).first.click()
        assert queries.locator(".question .text").inner_text() == f"query {query}"
        first, second = queries.locator(".column").all()
        assert first.locator(".document .text").all_inner_texts() == [f"document {row}" for row in best]
        assert f"{scores[query, best[0]]:.3f}" in first.locator(".document").first.inner_text()
        assert first.locator(".document.relevant .text").all_inner_texts() == [f"document {query}"]
        others = second.locator(".document .text").all_inner_texts()
        only = [f"document {row}" for row in best if f"document {row}" not in others]
        assert first.locator(".document.only .text").all_inner_texts() == only
        # a third line beside them
        queries.get_by_label("Beside").select_option("int8")
        assert queries.locator(".column").count() == 3
        queries.get_by_role("button", name="Remove this line").click()
        assert queries.locator(".column").count() == 2


def test_the_map_shows_texts_and_opens_queries(results: Path, visit: Callable[..., Any]) -> None:
    [drawn] = read_run(results).maps
    with visit(results / "report.html") as page:
        canvas = page.locator("#map canvas")
        canvas.scroll_into_view_if_needed()
        page.wait_for_function("map.points !== null")
        assert "80 documents of 80" in page.locator("#map .note").inner_text()

        def move_to(number: int) -> None:
            left, top = page.evaluate("number => map.points.screen(number)", number)
            canvas.hover(position={"x": left, "y": top})

        shown = set()
        for row in range(5):
            move_to(row)
            shown.add(tooltip(page).split("\n")[0])
        # points may lie over each other
        assert len(shown) > 2
        assert shown <= {*drawn.titles, "query"}
        for query in range(len(drawn.query_ids)):
            move_to(80 + query)
            if "query" in tooltip(page).split("\n") and f"query {drawn.query_ids[query][1:]}" in tooltip(page):
                page.mouse.down()
                page.mouse.up()
                opened = page.locator("#queries .question .text").inner_text()
                assert opened == f"query {drawn.query_ids[query][1:]}"
                break
        else:
            raise AssertionError("no query can be reached")
        before = page.evaluate("map.points.view.zoom")
        page.get_by_role("button", name="Zoom in").click()
        assert page.evaluate("map.points.view.zoom") > before


def test_the_theme_follows_the_system_and_can_be_changed(results: Path, visit: Callable[..., Any]) -> None:
    color = "getComputedStyle(document.body).backgroundColor"
    with visit(results / "report.html", **DESKTOP, color_scheme="dark") as page:
        dark = page.evaluate(color)
        page.locator("#theme").click()
        light = page.evaluate(color)
    with visit(results / "report.html", **DESKTOP, color_scheme="light") as page:
        assert page.evaluate(color) == light != dark
        page.emulate_media(media="print")
        assert page.locator("#toolbar").is_hidden()


def test_a_phone_needs_no_sideways_scrolling_and_taps(results: Path, visit: Callable[..., Any]) -> None:
    with visit(results / "report.html", **PHONE) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        point(page, "binary").tap()
        assert "binary" in tooltip(page)
        # the first tap shows the line, and the second one copies the command
        assert not page.locator("#toast.shown").count()
        page.wait_for_timeout(500)
        point(page, "binary").tap()
        page.locator("#toast.shown").wait_for()
        page.locator("#queries .query").nth(1).tap()
        assert page.locator("#queries .query").nth(1).get_attribute("aria-pressed") == "true"


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_hostile_texts_are_shown_as_texts(
    name: str, device: dict[str, Any], tmp_path: Path, visit: Callable[..., Any]
) -> None:
    text = HOSTILE[name]
    about = {"versions": {text: text}, "machine": text, "command": text, "metrics": {text: 0.5}}
    methods = [("float32", "exact", {}), (text, "asymmetric", {}), (text, f"asymmetric+{text}", {"reranker": text})]
    lines = [
        result(task=task, encoder=encoder, codec=codec, scoring=scoring, second_stage=stage, split=text, fit_on=text)
        for task in (text, "other")
        for encoder in (text, "static")
        for codec, scoring, stage in methods
    ]
    lines = [replace(line, **about) for line in lines]
    rankings = [Ranking(line_of(line), [0.5, 0.25], [[0, 1], [1]], [[0.5, 0.4], [float("inf")]]) for line in lines[:6]]
    queries = TaskQueries(
        text, text, [text, "q2"], [text, text], [[(0, 2)], [(1, 0)]], [12, 0], [(text, text), ("d", "")], rankings
    )
    places = [(0, 0), (9999, 9999)]
    mapped = DocumentMap(
        text, text, text, "pca", 2, [text, "d"], [text, ""], places, [0, 1], [(text, 5, 5)], [text, "q2"], places
    )
    page_path = tmp_path / "report.html"
    run = Run(text, lines, [queries], [text], text, [mapped])
    write_results_page(page_path, [run, Run("other", lines)], text)
    with visit(page_path, **device) as page:
        page.locator("#queries .column").first.wait_for()
        page.locator("#frontier .marker[role=button]").last.dispatch_event("focus")
        page.locator("#frontier .tile, .tile").first.click()
        for encoder in ("all", "static"):
            page.get_by_label("Encoder").select_option(encoder)
        page.get_by_label("Metric").select_option(index=2)
        page.locator("#speed").get_by_role("button", name="encoding").click()
        page.locator("#tasks figcaption button").first.click()
        page.locator("#map canvas").scroll_into_view_if_needed()
        left, top = page.evaluate("map.points.screen(0)")
        page.locator("#map canvas").hover(position={"x": left, "y": top})
        assert page.locator("#tooltip").is_visible()
        page.locator("#table").get_by_role("searchbox").fill("other")
        assert page.evaluate("window.broken") is None
        # nothing but the page's own elements
        assert page.locator("img, iframe, object, link, a:not(nav a)").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= device["viewport"]["width"]
        if name in ("markup", "prototype"):
            for place in (
                "h1",
                "#queries .question .text",
                "#queries .document .text",
                "#sources code",
                "#table tbody tr:nth-child(2) th",
            ):
                assert page.locator(place).first.text_content()[:60] == text[:60]


def test_a_large_run_is_ready_within_two_seconds(tmp_path: Path, browser: Any) -> None:
    path = tmp_path / "report.html"
    write_results_page(path, [many_lines(tasks=50, codecs=4, queries=60)])
    assert path.stat().st_size < 3_000_000
    context = browser.new_context(**DESKTOP)
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def seconds() -> float:
        return float(
            {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}["TaskDuration"]
        )

    page.goto(path.as_uri())
    page.locator("#queries .column").first.wait_for()
    assert page.locator("#tasks figure").count() == 50
    assert page.locator("#table tbody tr").count() == 200
    started = seconds()
    assert started < SECONDS
    page.get_by_label("Metric").select_option("Retention of nDCG@10")
    page.locator("#table").get_by_role("button", name="retention", exact=True).click()
    page.locator("#table").get_by_role("searchbox").fill("task-7 trellis")
    assert page.locator("#table tbody tr").count() == 1
    assert seconds() - started < SECONDS
    context.close()


def test_folders_are_joined_by_query(task: Path, results: Path, tmp_path: Path, visit: Callable[..., Any]) -> None:
    other, out = tmp_path / "other", tmp_path / "page.html"
    run_cli(
        "compare",
        "--task",
        str(task),
        "--encoder",
        "vectors:toy",
        "--codec",
        "median",
        "--seed",
        "1",
        "--out",
        str(other),
    )
    told = json.loads(
        run_cli("report", str(results), str(other), "--out", str(out), "--title", "Both <b>runs</b>", "--json")
    )
    assert told == {"page": str(out), "bytes": out.stat().st_size, "runs": 2, "lines": 9}
    with visit(out) as page:
        assert page.locator("h1").inner_text() == page.title() == "Both <b>runs</b>"
        queries = page.locator("#queries")
        # both folders measured the same queries, so that their lines are compared with each other
        queries.get_by_label("Codec").select_option("median · other · seed 1")
        assert "median has a lower nDCG@10 than float32" in queries.locator(".verdict").inner_text()
        page.locator("#table").get_by_role("searchbox").fill("other")
        assert page.locator("#table tbody tr").count() == 2


def test_intervals_are_of_students_t(task: Path, results: Path) -> None:
    [float32, binary] = measure([str(task)], ["vectors:toy"], ["binary"])[0]
    lines = page_data([read_run(results)], "title")["lines"]
    line = next(line for line in lines if (line["codec"], line["scoring"]) == ("binary", "asymmetric"))
    for field, values in (
        ("ndcg_error", np.array(binary.ndcg_at_10)),
        ("difference_error", np.array(binary.ndcg_at_10) - float32.ndcg_at_10),
    ):
        low, high = t.interval(0.95, 29, values.mean(), values.std(ddof=1) / np.sqrt(30))
        # the folder has four digits of each query
        assert line[field] == pytest.approx((high - low) / 2, abs=1e-4)
    assert line["retention_error"] == pytest.approx(line["difference_error"] / np.mean(float32.ndcg_at_10), abs=1e-4)


def test_a_folder_without_rankings_has_a_page(results: Path, tmp_path: Path, visit: Callable[..., Any]) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    shutil.copy(results / "results.jsonl", plain)
    run_cli("report", str(plain), "--out", str(tmp_path / "plain.html"))
    with visit(tmp_path / "plain.html") as page:
        assert "no rankings of queries" in page.locator("#queries").inner_text()
        assert page.locator("#frontier .error").count() == 0


def test_the_page_is_the_same_bytes_again_and_is_replaced_only_if_it_is_ours(results: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    run_cli("report", str(results), "--out", str(page))
    before = page.read_bytes()
    run_cli("report", str(results), "--out", str(page))
    assert page.read_bytes() == before == (results / "report.html").read_bytes()
    page.write_text("mine")
    refused = CliRunner().invoke(app, ["report", str(results), "--out", str(page)])
    assert "is not a file that vecsmith wrote" in str(refused.exception)
    assert page.read_text() == "mine"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "results.jsonl").unlink(), "has no results.jsonl"),
        (lambda folder: (folder / "results.jsonl").write_text(""), "is empty"),
        (lambda folder: (folder / "queries.jsonl.gz").write_bytes(b"damaged"), "cannot be read as rankings of queries"),
        (lambda folder: shutil.rmtree(folder), "is no folder"),
    ],
)
def test_bad_folders_are_refused_in_a_sentence(
    change: Callable[[Path], object], message: str, results: Path, tmp_path: Path
) -> None:
    change(results)
    refused = CliRunner().invoke(app, ["report", str(results), "--out", str(tmp_path / "page.html")])
    assert message in str(refused.exception)
    assert not (tmp_path / "page.html").exists()
    refused = CliRunner().invoke(app, ["report", str(results), "--out", str(tmp_path / "page.pdf")])
    assert "must end in .html" in str(refused.exception)


def test_a_page_leaves_texts_out_rather_than_growing(monkeypatch: pytest.MonkeyPatch) -> None:
    run = many_lines(tasks=2, codecs=3, queries=100)
    monkeypatch.setattr("vecsmith.report.page_data.RANKING_BYTES", 6_000)
    monkeypatch.setattr("vecsmith.report.page_data.MAP_BYTES", 6_000)
    page = results_page([run])
    assert len(page) < 12_000 + len(results_page([replace(run, queries=(), maps=())])) + 1000
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert [each["queries"] for each in data["tasks"]] == [100, 100]
    assert all(0 < each["with_texts"] < 100 for each in data["tasks"])
