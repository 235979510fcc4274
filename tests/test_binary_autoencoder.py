"""The binary auto-encoder: its descent, its search, and its place among the codes of its bytes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from oracles import asymmetric_scores
from vecsmith.codecs.quantizers import binary_autoencoder
from vecsmith.errors import VecsmithError

Vectors = NDArray[np.float32]


def cosine(spec: str, train: Vectors, test: Vectors) -> float:
    codec = vecsmith.codec(spec).fit(train)
    decoded = codec.decode(codec.encode(test))
    return float(((decoded * test).sum(axis=1) / np.linalg.norm(decoded, axis=1)).mean())


def test_descent_is_that_of_one_bit_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    A = rng.standard_normal((19, 11)).astype(np.float32)
    X = rng.standard_normal((37, 11)).astype(np.float32)
    start = np.where(rng.random((37, 19)) > 0.5, 1, -1).astype(np.float32)
    expected = start.copy()
    G, H = A @ A.T, X @ A.T
    for _ in range(3):
        for j in range(19):
            others = expected @ G[:, j] - G[j, j] * expected[:, j]
            expected[:, j] = np.where(H[:, j] - others > 0, 1, -1)
    for bits, vectors in ((16, 1024), (4, 10), (19, 7)):
        monkeypatch.setattr(binary_autoencoder, "BLOCK_BITS", bits)
        monkeypatch.setattr(binary_autoencoder, "CACHE_BLOCK_ROWS", vectors)
        assert np.array_equal(binary_autoencoder.descend(X, A, start, 3), expected)


def test_descent_never_goes_up(vectors: Vectors) -> None:
    stage = vecsmith.codec("binary-autoencoder5B").fit(vectors).quantizer
    centered = vectors - stage.mean_
    bits = np.where(centered @ stage.start_ > 0, 1, -1).astype(np.float32)
    errors = []
    for sweeps in range(6):
        found = binary_autoencoder.descend(centered, stage.directions_, bits, sweeps)
        errors.append(((centered - found @ stage.directions_) ** 2).sum(axis=1))
    assert (np.diff(np.array(errors), axis=0) < 1e-5).all()
    assert errors[-1].mean() < 0.9 * errors[0].mean()


def test_fitting_reports_a_falling_loss_and_ends_when_it_falls_no_more(
    vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []

    @contextmanager
    def recorded(description: str, total: int) -> Iterator[Callable[[float], None]]:
        yield seen.append

    monkeypatch.setattr(binary_autoencoder, "losses", recorded)
    stage = vecsmith.codec("binary-autoencoder5B").fit(vectors).quantizer
    assert 2 < len(seen) < binary_autoencoder.MAX_ITERATIONS
    assert (np.diff(seen) < 0).all()
    centered = vectors - stage.mean_
    left = centered - (2.0 * stage.bits(vectors) - 1) @ stage.directions_
    # the bits of the last round went down for longer than those of a new vector
    assert 0.9 < seen[-1] / ((left**2).sum() / (centered**2).sum()) < 1


def test_nearer_than_what_it_starts_from_and_than_signs(vectors: Vectors) -> None:
    train, test = vectors[:400], vectors[400:]
    ours = cosine("binary-autoencoder5B", train, test)
    assert ours > cosine("binary", train, test) + 0.02
    assert ours > cosine("pca40,median", train, test)


def test_more_bytes_are_nearer_also_beyond_one_bit_a_dimension(vectors: Vectors) -> None:
    cosines = [cosine(f"binary-autoencoder{size}B", vectors[:400], vectors[400:]) for size in (1, 3, 5, 8, 12)]
    assert cosines == sorted(cosines)


@pytest.mark.parametrize("size", [2, 5, 9])
def test_index_finds_what_cosines_of_all_documents_find(size: int, vectors: Vectors) -> None:
    documents, queries = vectors[:500], vectors[500:]
    codec = vecsmith.codec(f"binary-autoencoder{size}B").fit(documents)
    codes = codec.encode(documents)
    oracle = asymmetric_scores(codec, queries, codes)
    scores, rows = vecsmith.Index(codec, codes).search(queries, 10)
    np.testing.assert_allclose(scores, np.take_along_axis(oracle, rows, axis=1), atol=1e-5)
    expected = np.argsort(-oracle, axis=1, kind="stable")[:, :10]
    shared = [len(set(ours) & set(best)) for ours, best in zip(rows, expected, strict=True)]
    assert np.mean(shared) > 9.8


def test_no_bytes_are_refused(vectors: Vectors) -> None:
    with pytest.raises(VecsmithError, match="ask for a byte or more"):
        vecsmith.codec("binary-autoencoder0B").fit(vectors)
