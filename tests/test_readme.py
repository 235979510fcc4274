"""The figures of the README are those of the results that it cites."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "guides" / "which-codec.md").read_text(encoding="utf-8")


def rows(text: str) -> list[list[str]]:
    """Return the cells of the lines of tables, without backticks."""
    lines = re.findall(r"^\|(.*)\|$", text, flags=re.MULTILINE)
    return [[cell.strip().replace("`", "") for cell in line.split("|")] for line in lines]


def row(text: str, *beginning: str) -> list[str]:
    """Return the first line of a table that has these cells next to each other."""
    for cells in rows(text):
        if any(tuple(cells[start : start + len(beginning)]) == beginning for start in range(len(cells))):
            return cells
    raise AssertionError(f"no line {beginning}")


def result(name: str) -> str:
    return (RESULTS / f"{name}.md").read_text(encoding="utf-8")


def retention(codec: str) -> float:
    """Return the mean retention over the three tasks: of the codes by Hamming distance for binary."""
    if codec == "binary":
        shares = [cells[6] for cells in rows(result("hamming")) if cells[:2] == ["binary", "symmetric"]]
        assert len(shares) == 3
        return sum(float(share.rstrip("%")) for share in shares) / 3
    if codec.startswith("fuse"):
        return float(row(result("fusion-codes"), codec.replace("static", "wordllama"))[-2].rstrip("%"))
    return float(row(result("quantizers"), codec)[-1].rstrip("%"))


def test_the_readme_is_short_and_begins_with_a_picture() -> None:
    assert README.count("\n") < 120
    assert "docs/images/frontier.svg" in README[: README.index("## ")]


def test_the_six_codecs_are_those_of_the_guide_and_of_the_results() -> None:
    section = README.partition("## Which codec?")[2].partition("\n## ")[0]
    table = "\n".join(line for line in section.splitlines() if line.startswith("|"))
    assert table in GUIDE
    codecs = rows(table)[2:]
    assert len(codecs) == 6
    for _, codec, _, share in codecs:
        assert share == f"{retention(codec):.1f} %", codec


@pytest.mark.parametrize(
    ("package", "method", "codec", "in_memory"),
    [
        ("vecsmith, hybrid48B", "vecsmith hybrid48B", "hybrid48B", "vecsmith hybrid48B"),
        ("FAISS, RaBitQ fast scan", "FAISS RaBitQfs", "faiss:RaBitQ", "FAISS RaBitQfs"),
        ("FAISS, IndexFlatIP", "FAISS IndexFlatIP", "float32", "FAISS IndexFlatIP"),
        ("USearch, graph of bits", "usearch b1, graph", "binary", None),
        (
            "sentence-transformers, bits rescored",
            "sentence-transformers semantic_search_faiss, ubinary, rescored",
            None,
            None,
        ),
    ],
)
def test_the_comparison_shows_the_results(package: str, method: str, codec: str | None, in_memory: str | None) -> None:
    _, stored, memory, share, speed, recall, _ = row(README, package)
    measured = row(result("search-graphs"), method)
    assert (speed, recall) == (f"{measured[1]}×", measured[3])
    stored_bytes = row(result("store-bytes"), "binary")[4] if package.startswith("USearch") else measured[4]
    assert stored == stored_bytes
    assert memory == (row(result("search"), in_memory)[6] if in_memory else "–")
    assert share == (f"{retention(codec):.1f} %" if codec else "–")


def test_the_figures_on_pydocs_are_those_of_the_results() -> None:
    held_out = result("held-out")
    best = row(held_out, "fuse(minilm,static):fit,trellis48B")[3]
    alone = row(held_out, "trellis48B")[3]
    assert f"{best[:-1]} % (" in README and f"keeps {alone[:-1]} %" in README
    seeds = [float(cells[1][:-1]) for cells in rows(held_out) if cells[0] in "0123"]
    assert f"({min(seeds)} to {max(seeds)} % with seeds 0 to 3" in README
