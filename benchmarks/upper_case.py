"""Upper-case queries and the static encoder: nDCG@10 with and without lower-casing them.

    python benchmarks/upper_case.py --task DIR … [--beside vectors:NAME …]   writes benchmarks/results/upper-case.md

Exact search with float vectors on the test judgements; nothing is fitted. With ``--beside``, the same queries for the
static encoder fused with another model (equal weights). The other model's query vectors are ready ones of the queries
as they are written, which suits models that lower-case their input, such as MiniLM.
"""

import argparse
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import vecsmith
from vecsmith.encoders import EncoderOptions
from vecsmith.encoders.static import StaticEncoder
from vecsmith.evaluation import DEPTH, evaluate

Matrix = NDArray[np.float32]
Embed = Callable[[list[str]], Matrix]

STATIC = StaticEncoder(EncoderOptions())
RAW: Embed = STATIC._encode_batch


def now(texts: list[str]) -> Matrix:
    """Embed texts as the static encoder does: those without a lower-case letter are lower-cased."""
    return STATIC.encode(texts, "query")


def as_written(texts: list[str]) -> Matrix:
    """Embed upper-case texts without lower-casing them."""
    return RAW([text.upper() for text in texts])


def folded(texts: list[str]) -> Matrix:
    """Embed upper-case texts as the static encoder does."""
    return now([text.upper() for text in texts])


def lowered(texts: list[str]) -> Matrix:
    """Embed all texts in lower case."""
    return RAW([text.lower() for text in texts])


COLUMNS: dict[str, tuple[Embed, Embed]] = {
    "normal case": (now, now),
    "upper-case queries, not lower-cased": (as_written, now),
    "upper-case queries": (folded, now),
    "all texts lower-cased": (lowered, lowered),
}
"""Columns of the table: how queries and documents are embedded."""


def ndcg(task: vecsmith.Task, queries: Matrix, documents: Matrix) -> float:
    """Return the mean nDCG@10 of exact search."""
    judged = [row for row, id_ in enumerate(task.queries.ids) if id_ in task.judgements("test")]
    names = [task.queries.ids[row] for row in judged]
    codec = vecsmith.codec("float32").fit(documents)
    scores, rows = vecsmith.Index(codec, codec.encode(documents), ids=task.corpus.ids).search(queries[judged], DEPTH)
    found = evaluate(scores, rows, names, task.corpus.ids, task.judgements("test"), task.ignore_identical_ids)
    return float(found.ndcg_at_10.mean())


def fused(left: Matrix, right: Matrix) -> Matrix:
    """Return unit vectors side by side, as unit vectors; a row may be zero on one side."""
    both = np.hstack([left, right])
    return np.asarray(both / np.maximum(np.linalg.norm(both, axis=1, keepdims=True), 1e-12))


def measure(task: vecsmith.Task, beside: str) -> str:
    """Return a line of the table."""
    extra = [each.unit[:] for each in vecsmith.embed_task(task, beside)] if beside else None
    cells = []
    for embed_queries, embed_documents in COLUMNS.values():
        X, Q = embed_documents(task.corpus.texts), embed_queries(task.queries.texts)
        if extra:
            X, Q = fused(extra[0], X), fused(extra[1], Q)
        cells.append(f"{ndcg(task, Q, X):.4f}")
    return f"| {task.name} (test) | {f'{beside}+static' if beside else 'static'} | {' | '.join(cells)} |"


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", action="append", required=True)
    parser.add_argument("--beside", action="append", default=[])
    arguments = parser.parse_args()
    lines = [
        "# Upper-case queries and the static encoder",
        "",
        "Made by `benchmarks/upper_case.py`: nDCG@10 of exact search with float vectors; nothing is fitted or random.",
        "In `vectors:NAME+static` the ready query vectors are those of the queries in normal case.",
        f"vecsmith {version('vecsmith')}, wordllama {version('wordllama')}, NumPy {version('numpy')}.",
        "",
        "| task | encoder | " + " | ".join(COLUMNS) + " |",
        "|---|---|" + "---:|" * len(COLUMNS),
    ]
    for spec in arguments.task:
        task = vecsmith.load_task(spec)
        for beside in ("", *arguments.beside):
            lines.append(measure(task, beside))
            print(lines[-1], flush=True)
    (Path(__file__).parent / "results" / "upper-case.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
