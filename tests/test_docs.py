"""Snippets in the docs run."""

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from vecsmith.index import CodeSet

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def named(vectors: NDArray[np.float32]) -> vecsmith.EmbeddingSet:
    return vecsmith.EmbeddingSet(vectors, [f"d{row}" for row in range(len(vectors))])


@pytest.mark.parametrize(("page", "made"), [("inspect", ""), ("migrate", "corpus-mpnet"), ("stores", "my-set")])
def test_the_first_snippet_of_a_page(
    page: str, made: str, vectors: NDArray[np.float32], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("corpus.npy", vectors)
    named(vectors).save("corpus-minilm")
    named(vectors[:300, ::2].copy()).save("sample-mpnet")
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
