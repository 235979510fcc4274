"""Adapters that are trained without judgements: the candidates of the teacher, the training, and the command."""

from pathlib import Path

import numpy as np
import pytest

from test_translate_cli import run

pytest.importorskip("torch")
pytest.importorskip("bm25s")

from vecsmith.array_types import Floats, RowMask, RowNumbers  # noqa: E402
from vecsmith.embeddings import normalize  # noqa: E402
from vecsmith.errors import VecsmithError  # noqa: E402
from vecsmith.retrievers import Retriever  # noqa: E402
from vecsmith.tasks import load_task  # noqa: E402
from vecsmith.training.ranking_losses import distillation  # noqa: E402
from vecsmith.translators import load_translator  # noqa: E402
from vecsmith.tune import distill_adapter  # noqa: E402
from vecsmith.tune.distillation import TEACHER_SCALE, imitated  # noqa: E402
from vecsmith.tune.generation import GeneratedPair  # noqa: E402


class ByNumber(Retriever):
    """Ranks the documents by their row number, from the place of the query on."""

    def __init__(self, documents: int) -> None:
        self.documents = documents

    def _search(self, queries: object, k: int, allowed: RowMask | None) -> tuple[Floats, RowNumbers]:
        count = len(list(queries))  # type: ignore[call-overload]
        rows = (np.arange(count)[:, None] + np.arange(k)) % self.documents
        return np.tile(np.linspace(1, 0, k, dtype=np.float32), (count, 1)), rows


def test_candidates_are_the_first_documents_of_the_teacher_without_the_query_itself() -> None:
    texts = [f"the text of number {number} ends here" for number in range(120)]
    pairs = [GeneratedPair(f"number {number} ends", "rest", texts[number]) for number in range(120)]
    rng = np.random.default_rng(0)
    Q, D = (normalize(rng.standard_normal((120, 8)).astype(np.float32)) for _ in range(2))
    candidates = imitated(pairs, ByNumber(120), texts, Q, D)
    assert candidates.documents.shape == (120, 60)
    for query, own in enumerate(candidates.documents):
        assert own.tolist() == [(query + place) % 120 for place in range(1, 61)]
    assert candidates.teacher is not None
    assert np.allclose(candidates.teacher[0], TEACHER_SCALE * np.linspace(1, 0, 120)[1:61])
    assert np.array_equal(candidates.of(np.array([3, 5])).teacher, candidates.teacher[[3, 5]])


def test_too_few_queries_are_refused() -> None:
    texts = [f"text {number}" for number in range(40)]
    pairs = [GeneratedPair("another query", "rest", text) for text in texts]
    D = normalize(np.random.default_rng(0).standard_normal((40, 8)).astype(np.float32))
    with pytest.raises(VecsmithError, match="40 training queries with 20 documents each, which is too few"):
        imitated(pairs, ByNumber(40), texts, D, D)
