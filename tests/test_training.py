"""The training loop: it lowers the held-out loss, keeps the best, and is the same for the same seed."""

import builtins
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from vecsmith.errors import VecsmithError

torch = pytest.importorskip("torch")

from vecsmith.training import hard_sign, listwise, split, straight_through, train_codes  # noqa: E402

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
