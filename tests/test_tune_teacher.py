"""Hybrid search as a teacher of queries, and the loss that learns its scores."""

import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sentence_transformers.sentence_transformer.losses")
pytest.importorskip("bm25s")

from test_tune_model import DIMENSIONS, folder, tiny, tune  # noqa: E402, F401
from vecsmith.embeddings import normalize  # noqa: E402
from vecsmith.encoders import load_encoder  # noqa: E402
from vecsmith.errors import VecsmithError  # noqa: E402
from vecsmith.tasks import load_task  # noqa: E402
from vecsmith.training.ranking_losses import TEMPERATURE, infonce  # noqa: E402
from vecsmith.tune import ModelTuning  # noqa: E402
from vecsmith.tune.losses.frozen_documents import FrozenDocumentsLoss  # noqa: E402
from vecsmith.tune.model_data import Source  # noqa: E402
from vecsmith.tune.teacher import TEACHER_SCALE, WEIGHT, TeacherScores, hybrid_scores  # noqa: E402


def test_the_teacher_is_the_convex_combination_of_vectors_and_bm25(folder: Path) -> None:  # noqa: F811
    task = load_task(str(folder))
    query, size = "a red cat in the river", len(task.corpus)
    rows, scores = hybrid_scores(Source("static"), task, [query])
    assert rows.shape == scores.shape == (1, size)
    assert sorted(rows[0]) == list(range(size))
    static = load_encoder("static")
    cosines = static.encode(task.corpus.texts, "passage") @ static.encode([query], "query")[0]
    scaled = (cosines - cosines.min()) / (cosines.max() - cosines.min())
    # a document with none of the words of the query has the score 0 in BM25
    without = [row for row, text in enumerate(task.corpus.texts) if not {"red", "cat", "river"} & set(text.split())]
    found = np.zeros(size)
    found[rows[0]] = scores[0]
    np.testing.assert_allclose(found[without], TEACHER_SCALE * WEIGHT * scaled[without], atol=1e-5)
    assert task.corpus.texts[rows[0, 0]] == query
    assert scores[0, 0] == pytest.approx(TEACHER_SCALE)


def test_the_loss_is_the_mean_of_the_ranking_loss_and_the_distillation(tiny: str) -> None:  # noqa: F811
    # documents without a score of the teacher have the score 0
    rng = np.random.default_rng(0)
    D = normalize(rng.standard_normal((20, DIMENSIONS)).astype(np.float32))
    relevant = [np.array([3]), np.array([5, 7]), np.array([1])]
    rows = np.array([rng.permutation(20)[:6] for _ in relevant])
    scores = rng.random((3, 6), np.float32)
    model = load_encoder(tiny).model.eval()
    features = model.preprocess(["monday violin", "friday drum"])
    labels = torch.tensor([2, 1])
    loss = FrozenDocumentsLoss(model, D, relevant, "infonce", TeacherScores(rows, scores))([features], labels)

    Q = normalize(model(dict(features))["sentence_embedding"].detach().numpy())
    cosines = Q @ D.T
    is_relevant = np.zeros_like(cosines, np.bool_)
    is_relevant[0, 1] = is_relevant[1, [5, 7]] = True
    terms = []
    for row, number in enumerate(labels.tolist()):
        taught = np.ones(20)
        taught[rows[number]] = np.exp(scores[number] / TEMPERATURE)
        logits = cosines[row] / TEMPERATURE
        terms.append(-(taught / taught.sum()) @ (logits - np.log(np.exp(logits).sum())))
    expected = (float(infonce(torch.tensor(cosines), torch.tensor(is_relevant))) + np.mean(terms)) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_queries_that_are_trained_again_are_validated_on_the_same_queries() -> None:
    first, then = (next(iter(ModelTuning(queries_only=only).chain.values()))[1] for only in (False, True))
    assert first.validation_queries == then.validation_queries


def test_distillation_needs_bm25(folder: Path, tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setitem(sys.modules, "bm25s", None)
    with pytest.raises(VecsmithError, match=r"pip install 'vecsmith\[lexical\]'"):
        tune(folder, tiny, queries_only=True, distill=True)
    assert [path.name for path in folder.parent.iterdir() if path.name != "task"] == []
