"""Iterative quantization: its loss, and its bits under Hamming distance."""

import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from vecsmith.codecs.quantizers import itq
from vecsmith.codecs.quantizers.itq import iterative_quantization, sign
from vecsmith.errors import VecsmithError

Vectors = NDArray[np.float32]


def loss(X: Vectors, projection: Vectors) -> float:
    Z = X @ projection
    return float(((sign(Z) - Z) ** 2).sum())


def test_the_projection_is_rotated_principal_components(vectors: Vectors) -> None:
    X = vectors - vectors.mean(axis=0)
    projection = iterative_quantization(X, 12, np.random.default_rng(0))
    np.testing.assert_allclose(projection.T @ projection, np.eye(12), atol=1e-5)
    kept = np.linalg.eigvalsh(X.T @ X)[::-1][:12].sum()
    assert ((X @ projection) ** 2).sum() == pytest.approx(kept, rel=1e-4)


def test_every_round_lowers_the_loss(vectors: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    X = vectors - vectors.mean(axis=0)
    losses = []
    for rounds in (0, 1, 3, 10, 30):
        monkeypatch.setattr(itq, "ITERATIONS", rounds)
        losses.append(loss(X, iterative_quantization(X, 16, np.random.default_rng(0))))
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] - 1


def test_many_vectors_are_sampled(vectors: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    X = vectors - vectors.mean(axis=0)
    everything = loss(X, iterative_quantization(X, 16, np.random.default_rng(0)))
    monkeypatch.setattr(itq, "TRAINING_VECTORS", 300)
    assert loss(X, iterative_quantization(X, 16, np.random.default_rng(0))) == pytest.approx(everything, rel=0.02)


def test_hamming_distance_finds_more_neighbors_than_that_of_signs(vectors: Vectors) -> None:
    documents, queries = vectors[:500], vectors[500:]
    true = np.argsort(-queries @ documents.T, axis=1)[:, :10]

    def recall(spec: str) -> float:
        codec = vecsmith.codec(spec).fit(documents)
        _, rows = vecsmith.Index(codec, codec.encode(documents), "symmetric").search(queries, 10)
        return float(np.mean([len(set(ours) & set(best)) for ours, best in zip(rows, true, strict=True)]))

    assert recall("itq5B") > recall("binary") + 0.3


@pytest.mark.parametrize("size", [0, 6])
def test_sizes_that_do_not_suit(size: int, vectors: Vectors) -> None:
    with pytest.raises(VecsmithError, match="choose from 1 to 5 bytes"):
        vecsmith.codec(f"itq{size}B").fit(vectors)


def test_equal_vectors_can_still_be_coded() -> None:
    X = np.ones((5, 16), np.float32)
    codec = vecsmith.codec("itq2B").fit(X)
    np.testing.assert_allclose(codec.decode(codec.encode(X)), X / 4, atol=1e-4)
