"""Snippets in the docs run, links lead somewhere, and tables of results name a committed script or a command."""

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from vecsmith.index import CodeSet

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted(DOCS.rglob("*.md")),
    ROOT / "benchmarks" / "README.md",
]
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.md"))


def named(vectors: NDArray[np.float32]) -> vecsmith.EmbeddingSet:
    return vecsmith.EmbeddingSet(vectors, [f"d{row}" for row in range(len(vectors))])


@pytest.mark.parametrize(
    ("page", "made"), [("inspect", ""), ("migrate", "corpus-mpnet"), ("stores", "my-set"), ("translate", "")]
)
def test_the_first_snippet_of_a_page(
    page: str, made: str, vectors: NDArray[np.float32], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("corpus.npy", vectors)
    named(vectors).save("corpus-minilm")
    named(vectors[:300, ::2].copy()).save("sample-mpnet")
    if page == "translate":
        named(vectors).save("translated")
        named(vectors[:300]).save("corpus-mpnet")
    CodeSet.encode(vecsmith.codec("binary").fit(vectors), named(vectors), "my-codes")
    snippets = re.findall(r"```python\n(.*?)```", (DOCS / f"{page}.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    exec(snippets[0], {})
    assert not made or vecsmith.EmbeddingSet.open(made).ids


def test_the_snippets_of_search(vectors: NDArray[np.float32], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("vectors-float16.npy", vectors.astype(np.float16))
    names = [f"d{row}" for row in range(len(vectors))]
    variables = {"X": vectors, "Q": vectors[:3], "names": names, "more": vectors[:2], "more_names": ["e1", "e2"]}
    page = (DOCS / "search.md").read_text(encoding="utf-8").partition("## In sentence-transformers")[0]
    snippets = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    assert len(snippets) == 4
    for snippet in snippets:
        # the vectors of the tests are too short for 48 bytes
        exec(snippet.replace("hybrid48B", "hybrid4B").replace("hybrid16B+trellis32B", "hybrid2B+trellis4B"), variables)


def test_the_table_of_stores_is_that_of_the_benchmark() -> None:
    measured = (ROOT / "benchmarks" / "results" / "store-bytes.md").read_text(encoding="utf-8")
    table = measured[measured.index("| codec |") :]
    assert table in (DOCS / "stores.md").read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_on_the_map() -> None:
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).as_posix()
        assert name == "index.md" or f"]({name})" in text, name


@pytest.mark.parametrize("result", RESULTS, ids=lambda path: path.stem)
def test_every_result_names_a_script_or_command_and_is_cited(result: Path) -> None:
    beginning = result.read_text(encoding="utf-8").partition("\n| ")[0]
    scripts = re.findall(r"`benchmarks/([\w.]+)", beginning)
    commands = re.findall(r"`vecsmith (?:study|compare) ", beginning)
    former = re.findall(r"`benchmarks/[\w.]+` at revision [0-9a-f]{7}", beginning)
    assert commands or former or (scripts and (ROOT / "benchmarks" / scripts[0]).exists())
    assert any(f"results/{result.name}" in page.read_text(encoding="utf-8") for page in PAGES[:-1])
