"""Python in the docs runs as it stands."""

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from vecsmith.index import CodeSet

DOCS = Path(__file__).parents[1] / "docs"


def named(vectors: NDArray[np.float32]) -> vecsmith.EmbeddingSet:
    return vecsmith.EmbeddingSet(vectors, [f"d{row}" for row in range(len(vectors))])


@pytest.mark.parametrize(("page", "made"), [("inspect", ""), ("migrate", "corpus-mpnet"), ("search", "my-set")])
def test_the_first_snippet_of_a_page(
    page: str, made: str, vectors: NDArray[np.float32], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("corpus.npy", vectors)
    named(vectors).save("corpus-minilm")
    named(vectors[:300, ::2].copy()).save("sample-mpnet")
    CodeSet.encode(vecsmith.codec("binary").fit(vectors), named(vectors), "my-codes")
    snippets = re.findall(r"```python\n(.*?)```", (DOCS / f"{page}.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    exec(next(each for each in snippets if "open(" in each or "codes_of" in each), {})
    assert not made or vecsmith.EmbeddingSet.open(made).ids


def test_the_table_of_stores_is_that_of_the_benchmark() -> None:
    root = Path(__file__).parents[1]
    measured = (root / "benchmarks" / "results" / "store-bytes.md").read_text(encoding="utf-8")
    table = measured[measured.index("| codec |") :]
    assert table in (root / "docs" / "search.md").read_text(encoding="utf-8")
