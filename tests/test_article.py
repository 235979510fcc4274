"""Articles of studies: their parts, placeholders, diagrams, escaping, and the command that writes them."""

import html
import json
import re
import sys
from dataclasses import replace
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from test_compare import write_task
from test_report_page import DESKTOP, HOSTILE, PHONE
from vecsmith.cli import app
from vecsmith.embeddings import normalize
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.compare import compare_with_baseline
from vecsmith.report.architectures import autoencoder_diagram, codec_diagram, protocol_diagram, translator_diagram
from vecsmith.report.article import Article, Placeholder, Section, article_markdown, draw, escaped, picture_files
from vecsmith.report.article_page import article_page
from vecsmith.report.conclusions import conclusions_of_results, percent_of
from vecsmith.report.diagrams import Diagram
from vecsmith.report.findings import Findings, Plot, Table
from vecsmith.report.markdown_tables import cell, read_tables, select
from vecsmith.report.render import findings_markdown
from vecsmith.studies import OUTLINES, STUDIES, Outline, StudyConfig, study_article

SVG = "{http://www.w3.org/2000/svg}"
PLOT = Plot(
    "curve", "What it shows", "bytes", "nDCG@10", {"one": [(12, 0.5), (48, 0.6), (96, 0.61)], "two": [(12, 0.4)]}
)
TABLE = Table("table", "Figures", ["codec", "bytes"], [["binary", "48"]])


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """Return a BEIR folder of 80 documents with ready vectors of 16 dimensions; each query is near one of them."""
    rng = np.random.default_rng(0)
    X = normalize(rng.standard_normal((80, 16)) + 0.5)
    Q = normalize(X[:30] + 0.4 * rng.standard_normal((30, 16)))
    return write_task(tmp_path / "tiny", X, Q, range(30))


@pytest.fixture
def drafts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Register a quick study of two steps, and return a list that keeps the article as it is after each of them."""
    kept: list[str] = []

    def quick(config: StudyConfig) -> Findings:
        """Measure the first dimensions."""
        results, rows = [], []
        [(task, encoder)] = config.cases
        config.embed(task, encoder)
        for done, width in enumerate((4, 8), 1):
            baseline, measured = next(config.measure(task, encoder, [f"truncate{width}"]))
            results.append(compare_with_baseline(measured, baseline))
            rows.append([task.name, str(width), f"{results[-1].ndcg_at_10:.4f}"])
            first = Table("first", "Widths", ["task", "width", "nDCG@10"], list(rows))
            config.publish(Findings([first], list(results)), done, 2)
        plot = Plot("first", "By width", "width", "nDCG@10", {"all": [(4, 0.1), (8, 0.2)]})
        return Findings([first, Table("second", "Best width", ["width"], [["8"]])], results, [plot])

    outline = Outline("A quick study", "Which width?", expected={"first": "All widths", "second": "The best"})
    monkeypatch.setitem(STUDIES, "quick", quick)
    monkeypatch.setitem(OUTLINES, "quick", outline)
    module = sys.modules["vecsmith.studies.draft"]
    monkeypatch.setattr(module, "SECONDS_BETWEEN", 0)
    write = module.write_draft

    def keep(folder: Path, *rest: Any) -> None:
        write(folder, *rest)
        kept.append((folder / "article.md").read_text(encoding="utf-8"))

    monkeypatch.setattr(module, "write_draft", keep)
    return kept


def study(task: Path, out: Path, *options: str) -> Any:
    words = ["--task", str(task), "--encoder", "vectors:toy", "--seed", "0", "--out", str(out), *options]
    return CliRunner().invoke(app, ["study", "quick", *words, "--article"])


def test_an_article_is_there_before_the_results(task: Path, tmp_path: Path, drafts: list[str]) -> None:
    out = tmp_path / "out"
    done = study(task, out)
    assert done.exit_code == 0, done.output
    start, half, whole = drafts
    headings = re.findall(r"^## (.*)$", start, flags=re.MULTILINE)
    assert headings == [
        "Question", "Methods", "Data", "Results", "Examples of searches", "What follows", "Limits", "How to repeat it",
    ]  # fmt: skip
    assert start.count("> **Still missing:**") == 5
    assert "known after its first step" in start
    assert "| vectors:toy | not embedded yet |" in start
    assert "| tiny | 80 | test | 30 |" in start
    # the first table replaces its placeholder, and the time that is left is estimated
    assert "1 of 2 steps are done" in half
    assert re.search(r"the others need about \d+ s", half)
    assert "the table first" not in half
    assert "the table second" in half
    assert "| vectors:toy | 16 |" in half
    assert [text.count("| tiny | 4 | 0.") for text in (start, half, whole)] == [0, 1, 1]
    assert [text.count("| tiny | 8 | 0.") for text in (start, half, whole)] == [0, 0, 1]
    final = (out / "article.md").read_text(encoding="utf-8")
    assert "Still missing" not in final
    assert "### The best" in final
    assert "Of the codecs of vectors:toy, `truncate8` (asymmetric), with 32 bytes" in final
    assert f"    vecsmith study quick --task {task}" in final
    # three searches: float32 and the reducer, side by side; document i answers query i
    searches = final.partition("## Examples of searches")[2].partition("## What")[0]
    assert searches.count("| rank | float32, nDCG@10 ") == 3
    assert searches.count("| 5 | ") == 3
    for query, table in re.findall(
        r"\*tiny: query (\d+) \(✓: relevant\)\.\*\n\n(.*?)(?=\n\n|$)", searches, flags=re.DOTALL
    ):
        assert set(re.findall(r"✓ (d\d+): document", table)) <= {f"d{query}"}
    assert "✓ d" in searches
    # every picture is a file, and the page holds all of them
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", final)
    assert pictures == ["first.svg"]
    assert all((out / name).exists() for name in pictures)
    assert (out / "article.html").read_text(encoding="utf-8").count("<svg") == len(pictures)
    manifest = json.loads((out / "manifest.json").read_text())
    assert {"article.md", "article.html", "first.svg", "results.jsonl"} <= set(manifest["files"])
    # the folder may be written again, and the report reads it
    assert study(task, out).exit_code == 0
    assert CliRunner().invoke(app, ["report", str(out), "--out", str(tmp_path / "report.html")]).exit_code == 0


def test_earlier_results_stay_until_the_study_has_finished(
    task: Path, tmp_path: Path, drafts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert study(task, out).exit_code == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def fail(config: StudyConfig) -> Findings:
        config.publish(Findings([]), 0, 0)
        raise VecsmithError("The study fails; start it again.")

    monkeypatch.setitem(STUDIES, "quick", fail)
    assert study(task, out).exit_code != 0
    after = {path.name: path.read_bytes() for path in out.iterdir()}
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"article.md", "article.html", "manifest.json"}
    assert "Still missing" in after["article.md"].decode()
    monkeypatch.undo()


def test_bad_use_of_the_article_writes_nothing(task: Path, tmp_path: Path, drafts: list[str]) -> None:
    words = ["study", "quick", "--task", str(task), "--encoder", "vectors:toy"]
    refused = CliRunner().invoke(app, [*words, "--article"])
    assert "give --out DIR too" in str(refused.exception)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("kept")
    refused = CliRunner().invoke(app, [*words, "--article", "--out", str(tmp_path / "mine")])
    assert refused.exit_code != 0
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    wrong = CliRunner().invoke(
        app, ["study", "quick", "--task", "nowhere", "--article", "--out", str(tmp_path / "new")]
    )
    assert wrong.exit_code != 0
    assert not (tmp_path / "new").exists()
    assert drafts == []


def test_a_study_without_an_outline_has_an_article(task: Path, drafts: list[str]) -> None:
    del OUTLINES["quick"]
    config = StudyConfig([str(task)], ["vectors:toy"], seeds=[0])
    article = study_article("quick", config, STUDIES["quick"](config), "vecsmith study quick")
    assert article.title == "The study quick"
    assert article.sections[0].blocks == ["Measure the first dimensions."]
    assert not article.placeholders


@pytest.mark.parametrize("name", sorted(OUTLINES))
def test_every_study_declares_its_article(name: str, task: Path) -> None:
    config = StudyConfig([str(task)], ["vectors:a", "vectors:b"], seeds=[0])
    article = study_article(name, config, Findings([]), f"vecsmith study {name}", "The run has started.")
    outline = OUTLINES[name]
    missing = [each.missing for each in article.placeholders]
    assert outline.expected
    assert all(f"the table {table}" in missing for table in outline.expected)
    # with known dimensions, the diagrams say them
    known = [each for each in outline.methods({"vectors:a": 384, "vectors:b": 768}) if isinstance(each, Diagram)]
    unknown = [each for each in outline.methods({"vectors:a": 0, "vectors:b": 0}) if isinstance(each, Diagram)]
    assert len(known) == len(unknown)
    for diagram in (*known, *unknown):
        ElementTree.fromstring(draw(diagram))
    assert not known or "384" in draw(known[0])


def names_of(diagram: Diagram) -> list[str]:
    return [box.name for column in diagram.columns for box in column if box]


def detail(diagram: Diagram, name: str) -> str:
    return next(box.detail for column in diagram.columns for box in column if box and box.name == name)


def test_a_codec_is_drawn_from_its_spec() -> None:
    diagram = codec_diagram("fuse(a,b:0.7),pca192,trellis48B", {"minilm": 384, "wordllama": 256})
    stages = ["fuse(a,b:0.7)", "pca192", "trellis48B"]
    assert [name for name in names_of(diagram) if name in stages] == stages
    assert detail(diagram, "fuse(a,b:0.7)") == "side by side, fixed weights, 640 dimensions"
    assert detail(diagram, "pca192") == "640 → 192 dimensions"
    assert detail(diagram, "trellis48B") == "code of 48 bytes"
    assert {("minilm", stages[0]), ("wordllama", stages[0]), *pairwise(stages)} <= set(diagram.arrows)
    assert detail(codec_diagram("binary", {"minilm": 384}), "binary") == "code of 48 bytes"
    assert detail(codec_diagram("pca96,int8", {"minilm": 384}), "int8") == "code of 96 bytes"
    assert detail(codec_diagram("binary", {"minilm": 0}), "binary") == "code of few bytes"


def test_autoencoders_and_translators_are_drawn_from_their_specs() -> None:
    linear, network = autoencoder_diagram("autoencoder96", 384), autoencoder_diagram("autoencoder96:mlp2", 384)
    assert detail(linear, "linear map") == "384 → 96, in closed form"
    assert "loss" not in names_of(linear)
    assert [detail(network, f"hidden layer {number}") for number in (1, 2)] == ["192 units, GELU"] * 2
    assert "error" in detail(autoencoder_diagram("autoencoder96:mse", 384), "loss")
    models = ("minilm", 384), ("mpnet", 768)
    assert detail(translator_diagram("canonical", *models), "canonical") == "384 → 768"
    deep = translator_diagram("mlp2x8", *models)
    assert detail(deep, "hidden layer 2") == "3,072 units, GELU"
    assert ("hidden layer 1", "hidden layer 2") in deep.arrows
    assert "8 local maps" in names_of(translator_diagram("local8", *models))
    assert {"80% of them", "the other 20%"} <= set(names_of(protocol_diagram(5, "translator")))
    with pytest.raises(VecsmithError, match="did you mean"):
        translator_diagram("liner", *models)


def test_every_box_lies_in_the_picture_and_apart_from_the_others() -> None:
    for diagram in (
        codec_diagram("fuse(a,b),pca8,int8", {"one": 12, "two": 12}),
        translator_diagram("mlp2", ("a", 4), ("b", 8)),
    ):
        root = ElementTree.fromstring(draw(diagram))
        width, height = (float(root.get(side, 0)) for side in ("width", "height"))
        rects = [rect for rect in root.iter(f"{SVG}rect") if "box" in (rect.get("class") or "")]
        boxes = [[float(rect.get(side, 0)) for side in ("x", "y", "width", "height")] for rect in rects]
        assert all(x >= 0 and y >= 0 and x + w <= width and y + h <= height for x, y, w, h in boxes)
        for number, (x, y, w, h) in enumerate(boxes):
            for left, top, v, g in boxes[number + 1 :]:
                assert x + w <= left or left + v <= x or y + h <= top or top + g <= y


def test_a_plot_has_every_point_in_its_frame() -> None:
    for plot in (
        PLOT,
        replace(PLOT, lines={"flat": [(1, 5), (2, 5)]}, joined=False),
        replace(PLOT, lines={"": [(0, 0)]}),
    ):
        root = ElementTree.fromstring(draw(plot))
        points = [each for each in root.iter(f"{SVG}circle") if each.find(f"{SVG}title") is not None]
        assert len(points) == sum(map(len, plot.lines.values()))
        assert all(58 <= float(each.get("cx", 0)) <= 842 and 16 <= float(each.get("cy", 0)) <= 336 for each in points)
        assert len(list(root.iter(f"{SVG}polyline"))) == len(plot.lines) * plot.joined
    titles = [title.text for title in ElementTree.fromstring(draw(PLOT)).iter(f"{SVG}title")]
    assert titles[0] == "one: bytes 12, nDCG@10 0.5"


def test_pictures_of_a_page_have_no_style_of_their_own() -> None:
    article = Article("x", [Section("Results", [PLOT, codec_diagram("binary", {"m": 8})])])
    files, page = picture_files(article), article_page(article)
    assert set(files) == {"curve.svg", "codec.svg"}
    assert all("prefers-color-scheme: dark" in picture for picture in files.values())
    assert page.count("<style>") == 1
    assert page.count('class="picture"') == 2
    assert "style=" not in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_texts_of_users_are_text_everywhere(text: str) -> None:
    plot = replace(PLOT, title=text, x_label=text, lines={text: [(1, 2)]})
    diagram = translator_diagram("procrustes", (text, 1), ("b", 2))
    table = Table("t", text, [text, "b"], [[f"| {text}", "`<b>` _x_ *y* [z](javascript:1) $1$"]])
    article = Article(text, [Section(text, [table, plot, diagram, Placeholder(text, text)])])
    markdown, page = article_markdown(article), article_page(article)
    # what a browser reads as tags is known to us
    tags = set(re.findall(r"<\s*(\w+)", page))
    assert tags <= {
        "html", "head", "meta", "title", "style", "body", "div", "nav", "a", "button", "header", "p", "h1", "main",
        "section", "h2", "em", "table", "thead", "tbody", "tr", "th", "td", "svg", "g", "line", "text", "polyline",
        "circle", "rect", "path", "polygon", "blockquote", "strong", "script",
    }  # fmt: skip
    assert "<b>" not in page
    assert "onerror=" not in re.sub(r"&lt;img[^<]*", "", page)
    assert "javascript:" not in "".join(re.findall(r'href="([^"]*)"', page))
    assert "<" not in escaped(text)
    assert markdown.encode()
    for picture in picture_files(article).values():
        ElementTree.fromstring(picture)
    # the table keeps its two columns
    assert len([line for line in markdown.splitlines() if line.startswith("|") and line.count("|") == 3]) == 3


def test_tables_are_read_as_they_were_written(tmp_path: Path) -> None:
    second = Table("page-2", "Others (seeds 0, 1)", ["a", "b c"], [["x", ""], ["y", "1"]])
    first = replace(TABLE, name="page-1")
    (tmp_path / "page.md").write_text(findings_markdown(Findings([first, second])))
    assert read_tables(tmp_path / "page.md") == [first, second]
    assert cell(second, "b c", {"a": "y"}) == "1"
    assert select(second, {"a": ["y", "z"]}, ["b c"]).rows == [["1"]]
    with pytest.raises(VecsmithError, match=r"0 rows with \{'a': 'z'\}"):
        cell(second, "b c", {"a": "z"})
    # columns of the same name stay apart, and cannot be named
    twice = Table("twice", "Twice", ["a", "b", "b"], [["x", "1", "2"]])
    assert select(twice, {"a": "x"}).rows == twice.rows
    with pytest.raises(VecsmithError, match="2 columns 'b'"):
        cell(twice, "b", {"a": "x"})
    (tmp_path / "none.md").write_text("# No table\n")
    with pytest.raises(VecsmithError, match="has no table"):
        read_tables(tmp_path / "none.md")
    (tmp_path / "bad.md").write_text("| a | b |\n|---|---|\n| 1 |\n")
    with pytest.raises(VecsmithError, match="1 cells below 2 headings"):
        read_tables(tmp_path / "bad.md")


def test_nothing_in_a_text_is_markup() -> None:
    texts = [
        "a.__init__: *x* _y_ __z__",
        "# no heading",
        "1 < 2 & &amp; > 0",
        "`code` [link](x) ![image](y)",
        "a | b ~~c~~ \\d $e$",
    ]
    table = Table("t", "t", ["a"], [[text] for text in texts])
    page = article_page(Article("x", [Section("y", [table])]))
    cells = re.findall(r"<td>(.*?)</td>", page)
    assert [html.unescape(each) for each in cells] == texts
    assert escaped("linear_cka of a_b") == "linear_cka of a_b"


def test_a_page_links_to_no_markdown() -> None:
    text = "[results](../results.md), [all](all.html) and [more](other.md)"
    article = Article("x", [Section("y", [text])])
    assert text in article_markdown(article)
    assert '<p>results, <a href="all.html">all</a> and more</p>' in article_page(article)


def test_percentages_of_cells() -> None:
    cells = {"0.6451 (98.2% ±0.3)": 98.2, "100%": 100, "95.5 %": 95.5, "-1.5%": -1.5, "0.500 / 81.9%": 81.9}
    assert {text: percent_of(text) for text in cells} == cells
    assert np.isnan(percent_of("no gap"))
    assert conclusions_of_results(Findings([])) == ["The tables above have all results."]


@pytest.fixture(scope="module")
def committed() -> dict[Path, str]:
    """Return the articles of the four experiments, made from the committed results."""
    docs = Path(__file__).parents[1] / "docs"
    sys.path.insert(0, str(docs))
    try:
        texts: dict[Path, str] = import_module("articles").files()
    finally:
        sys.path.remove(str(docs))
    return texts


def test_committed_articles_show_the_committed_results(committed: dict[Path, str]) -> None:
    pages = [path for path in committed if path.suffix == ".md"]
    assert len(pages) == 4
    for path, text in committed.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is not up to date; run make docs"
    for page in pages:
        text = committed[page]
        assert len(re.findall(r"^!\[", text, flags=re.MULTILINE)) >= 3
        assert len(re.findall(r"^\|---", text, flags=re.MULTILINE)) >= 5
        assert re.search(r"\| 0\.\d{3,4} \(\d+\.\d%\) \|| 0\.\d{4} \|", text), "no absolute figures"
        assert "nan" not in re.sub(r"\w*nan\w+|\w+nan\w*", "", text)
        for picture in re.findall(r"!\[.*?\]\((.*?)\)", text):
            ElementTree.fromstring(committed[page.parent / picture])


def test_an_article_in_a_browser(browser: Any, committed: dict[Path, str]) -> None:
    pages = [path for path in committed if path.suffix == ".html"]
    for path in pages:
        for device in (DESKTOP, PHONE):
            context = browser.new_context(**device)
            page = context.new_page()
            problems: list[str] = []
            page.on("console", lambda message, problems=problems: problems.append(message.text))
            page.on("pageerror", lambda error, problems=problems: problems.append(str(error)))
            page.on("request", lambda request, problems=problems: problems.append(request.url))
            page.goto(path.as_uri())
            assert problems == [path.as_uri()]
            width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert width <= 0, f"{path.name} is wider than the window"
            theme = page.evaluate("document.documentElement.dataset.theme")
            page.locator("#theme").click()
            assert page.evaluate("document.documentElement.dataset.theme") != theme
            context.close()
