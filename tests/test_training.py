"""The training loop: it lowers the held-out loss, keeps the best, and is the same for the same seed."""

import builtins
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from vecsmith.errors import VecsmithError

torch = pytest.importorskip("torch")

from vecsmith.training import (  # noqa: E402
    JudgedPairs,
    contrastive,
    hard_sign,
    listwise,
    similarity_preservation,
    split,
    straight_through,
    train_codes,
)
from vecsmith.training.batches import judged_batch  # noqa: E402

Vectors = NDArray[np.float32]


def test_listwise_loss_is_the_divergence_without_the_own_document() -> None:
    rng = np.random.default_rng(0)
    scores, targets = (torch.tensor(rng.standard_normal((5, 5))) for _ in range(2))
    expected = []
    for row in range(5):
        others = np.arange(5) != row
        p, q = (np.exp(x[row].numpy()[others]) for x in (targets, scores))
        p, q = p / p.sum(), q / q.sum()
        expected.append((p * np.log(p / q)).sum())
    assert float(listwise(scores, targets)) == pytest.approx(np.mean(expected))
    assert float(listwise(targets, targets)) == pytest.approx(0)


def test_similarity_preservation_is_the_mean_square_without_the_own_document() -> None:
    rng = np.random.default_rng(0)
    scores, targets = (rng.standard_normal((4, 6)) for _ in range(2))
    others = ~np.eye(4, 6, dtype=bool)
    expected = ((scores - targets)[others] ** 2).mean()
    assert float(similarity_preservation(torch.tensor(scores), torch.tensor(targets))) == pytest.approx(expected)


def test_contrastive_loss_leaves_other_relevant_documents_out() -> None:
    rng = np.random.default_rng(0)
    scores, relevant = rng.standard_normal((3, 5)), np.eye(3, 5, dtype=bool)
    relevant[0, 4] = relevant[2, 1] = True
    expected = []
    for row in range(3):
        negatives = np.exp(scores[row][~relevant[row]]).sum()
        expected.append(-np.log(np.exp(scores[row, row]) / (np.exp(scores[row, row]) + negatives)))
    loss = contrastive(torch.tensor(scores), torch.tensor(relevant))
    assert float(loss) == pytest.approx(np.mean(expected))


def pairs_of(vectors: Vectors) -> JudgedPairs:
    """Return 30 queries with two relevant documents each, some of which two queries share."""
    relevant = [(query, document) for query in range(30) for document in (2 * query, 2 * query + 3)]
    return JudgedPairs(vectors[300:330], vectors[:100], np.array(relevant))


def test_a_judged_batch_begins_with_the_documents_of_its_queries(vectors: Vectors) -> None:
    pairs = pairs_of(vectors)
    known = {tuple(pair) for pair in pairs.relevant.tolist()}
    batch = judged_batch(pairs, 40, np.random.default_rng(0))
    assert batch.queries.shape == (20, 40)
    assert batch.documents.shape == (40, 40)
    query_of = {row.tobytes(): number for number, row in enumerate(pairs.queries)}
    document_of = {row.tobytes(): number for number, row in enumerate(pairs.documents)}
    queries = [query_of[row.tobytes()] for row in batch.queries.numpy()]
    documents = [document_of[row.tobytes()] for row in batch.documents.numpy()]
    assert batch.targets.tolist() == [[(q, d) in known for d in documents] for q in queries]
    assert batch.targets.diagonal().all()


def test_pairs_are_split_by_their_queries(vectors: Vectors) -> None:
    pairs = pairs_of(vectors)
    seen, unseen = pairs.split(0.1, np.random.default_rng(0))
    assert not set(seen.relevant[:, 0]) & set(unseen.relevant[:, 0])
    assert len(set(unseen.relevant[:, 0])) == 3
    assert len(seen.relevant) + len(unseen.relevant) == 60
    single = JudgedPairs(pairs.queries, pairs.documents, pairs.relevant[:2])
    assert all(len(part.relevant) == 2 for part in single.split(0.1, np.random.default_rng(0)))


def test_straight_through_is_hard_forwards_and_smooth_backwards() -> None:
    reals = torch.tensor([-2.0, -0.1, 0.0, 0.3], requires_grad=True)
    signs = straight_through(reals, 0.5)
    assert signs.tolist() == hard_sign(reals).tolist() == [-1, -1, -1, 1]
    signs.sum().backward()
    np.testing.assert_allclose(reals.grad.numpy(), 1 - np.tanh(reals.detach().numpy()) ** 2, rtol=1e-5)


def test_split_keeps_every_vector_once_and_few_whole(vectors: Vectors) -> None:
    training, held_out = split(vectors, 0)
    assert (len(training), len(held_out)) == (540, 60)
    assert len(np.unique(np.vstack([training, held_out]), axis=0)) == 600
    assert all(len(part) == 5 for part in split(vectors[:5], 0))


def test_vectors_for_validation_leave_all_others_to_training(vectors: Vectors) -> None:
    training, held_out = split(vectors[:500], 0, vectors[500:])
    assert {row.tobytes() for row in training} == {row.tobytes() for row in vectors[:500]}
    assert {row.tobytes() for row in held_out} == {row.tobytes() for row in vectors[500:]}
    assert len(split(vectors[:500], 0, np.tile(vectors, (2, 1)))[1]) == 1000


def fit_shift(vectors: Vectors, seed: int, rate: float) -> tuple[Vectors, float]:
    """Train thresholds that start in the wrong place."""
    start = {"threshold": np.full(40, 0.3, np.float32)}
    found, loss = train_codes(
        start, lambda p, x, sign: sign(5 * (x - p["threshold"])) / 40**0.5, *split(vectors, 0), seed, "a test", rate
    )
    return found["threshold"], loss


def test_training_lowers_the_held_out_loss(vectors: Vectors) -> None:
    _, untrained = fit_shift(vectors, 0, 0.0)
    found, trained = fit_shift(vectors, 0, 0.05)
    assert trained < 0.8 * untrained
    assert found.mean() < 0.1


def test_the_start_is_kept_where_training_does_harm(vectors: Vectors) -> None:
    found, loss = fit_shift(vectors, 0, 1e4)
    _, untrained = fit_shift(vectors, 0, 0.0)
    assert loss <= untrained
    assert np.isfinite(found).all()


def test_same_seed_same_result_whatever_torch_drew_before(vectors: Vectors) -> None:
    first = fit_shift(vectors, 1, 0.02)
    torch.manual_seed(99)
    before = torch.random.get_rng_state()
    second = fit_shift(vectors, 1, 0.02)
    assert np.array_equal(first[0], second[0])
    assert first[1] == second[1]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not np.array_equal(first[0], fit_shift(vectors, 2, 0.02)[0])


def test_without_torch_the_error_says_what_to_install(vectors: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = vecsmith.codec("neural2B").fit(vectors)
    real = builtins.__import__

    def without_torch(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "torch":
            raise ImportError("no torch")
        return real(name, *rest)

    monkeypatch.setattr("builtins.__import__", without_torch)
    monkeypatch.setattr("importlib.import_module", lambda name, *rest: without_torch(name))
    assert len(fitted.decode(fitted.encode(vectors))) == 600
    with pytest.raises(VecsmithError, match=r"vecsmith\[train\]"):
        vecsmith.codec("thresholds").fit(vectors)
