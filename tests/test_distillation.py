"""Adapters that are trained without judgements: the candidates of the teacher, the training, and the command."""

import json
from pathlib import Path

import numpy as np
import pytest

from test_translate_cli import run

pytest.importorskip("torch")
pytest.importorskip("bm25s")

from vecsmith.array_types import Floats, RowMask, RowNumbers
from vecsmith.embeddings import normalize
from vecsmith.errors import VecsmithError
from vecsmith.retrievers import Retriever
from vecsmith.tasks import load_task
from vecsmith.translators import load_translator
from vecsmith.tune import distill_adapter
from vecsmith.tune.distillation import imitated
from vecsmith.tune.teacher import TEACHER_SCALE


class ByNumber(Retriever):
    """Ranks the documents by their row number, from the place of the query on."""

    def __init__(self, documents: int) -> None:
        self.documents = documents

    def _search(self, queries: object, k: int, allowed: RowMask | None) -> tuple[Floats, RowNumbers]:
        count = len(list(queries))  # type: ignore[call-overload]
        rows = (np.arange(count)[:, None] + np.arange(k)) % self.documents
        return np.tile(np.linspace(1, 0, k, dtype=np.float32), (count, 1)), rows


def unit_vectors(count: int) -> Floats:
    return normalize(np.random.default_rng(0).standard_normal((count, 8)).astype(np.float32))


def test_candidates_are_the_first_documents_of_the_teacher_without_those_that_contain_the_query() -> None:
    texts = [f"the text of number {number} ends here" for number in range(120)]
    queries = [f"Number {number}  ends" for number in range(120)]
    candidates = imitated(queries, ByNumber(120), unit_vectors(120), unit_vectors(120), texts)
    assert candidates.documents.shape == (120, 60)
    every = imitated(queries, ByNumber(120), unit_vectors(120), unit_vectors(120)).documents
    assert every[7].tolist() == [(7 + place) % 120 for place in range(60)]
    for query, own in enumerate(candidates.documents):
        assert own.tolist() == [(query + place) % 120 for place in range(1, 61)]
    assert candidates.teacher is not None
    assert np.allclose(candidates.teacher, TEACHER_SCALE * np.linspace(1, 0, 120)[1:61])
    some = candidates.of(np.array([3, 5]))
    assert some.teacher is not None and len(some.teacher) == 2


def test_too_few_queries_are_refused() -> None:
    with pytest.raises(VecsmithError, match="40 training queries for which hybrid search finds 20 documents"):
        imitated(["a query"] * 40, ByNumber(40), unit_vectors(40), unit_vectors(40))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a task with ready vectors that rank documents with half of the words last; BM25 does not."""
    rng = np.random.default_rng(0)
    words = [
        f"{first}{last}" for first in ("bel", "dor", "fin", "gal", "kem", "lur") for last in ("ax", "ebo", "iri", "ond")
    ]
    documents = [rng.permutation(len(words))[:8] for _ in range(400)]
    queries = [rng.permutation(documents[row])[:3] for row in range(260)]
    weights = np.where(np.arange(len(words)) % 2, 1.0, -0.3)

    def vectors(rows: list[np.ndarray], scale: np.ndarray) -> np.ndarray:
        return np.array([np.bincount(row, minlength=len(words)) * scale for row in rows], np.float32)

    (tmp_path / "vectors" / "toy").mkdir(parents=True)
    np.save(tmp_path / "vectors/toy/corpus.npy", vectors(documents, np.ones(len(words))))
    np.save(tmp_path / "vectors/toy/queries.npy", vectors(queries, weights))
    for name, rows in (("corpus", documents), ("queries", queries)):
        parts = [[" ".join(words[word] for word in part) for part in (row[:4], row[4:])] for row in rows]
        texts = [f"{first}. {rest}." if rest else first for first, rest in parts]  # a document has two sentences
        lines = [json.dumps({"_id": f"{name[0]}{row}", "title": "", "text": text}) for row, text in enumerate(texts)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    relevant = [
        (query, row) for query in range(200, 260) for row in range(400) if set(queries[query]) <= set(documents[row])
    ]
    (tmp_path / "qrels").mkdir()
    lines = ["query-id\tcorpus-id\tscore", *(f"q{query}\tc{row}\t1" for query, row in relevant)]
    (tmp_path / "qrels" / "test.tsv").write_text("\n".join(lines))
    return tmp_path


def test_the_adapter_learns_from_queries_without_judgements(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["tune", "distill", "--task", folder, "--encoder", "vectors:toy", "--out", folder / "adapter"]
    assert run(monkeypatch, *given) == 0
    out = capsys.readouterr().out
    # one of 200 queries has the text of a test query
    assert "imitates hybrid search on 199 queries of the task, without judgements" in " ".join(out.split())
    assert out.splitlines()[-1].startswith("VERDICT: WIN")
    adapter = load_translator(folder / "adapter")
    scales = np.diag(adapter.weights_)
    assert scales[0::2].max() < 1 < scales[1::2].min()  # words that the vectors avoid count less, others more
    tuned = distill_adapter(load_task(str(folder)), "vectors:toy")
    assert np.array_equal(tuned.adapter.weights_, adapter.weights_)


def test_generated_queries_need_an_encoder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(VecsmithError, match="use an encoder"):
        distill_adapter(load_task(str(folder)), "vectors:toy", generator="extract")
    tuned = distill_adapter(load_task(str(folder)), "static", generator="extract")
    assert tuned.generator == "extract" and tuned.queries > 200
