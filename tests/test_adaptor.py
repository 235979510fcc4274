"""The Matryoshka adaptor: what it promises beyond the contract."""

import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from vecsmith.codecs.reducers.adaptor import Adaptor
from vecsmith.errors import VecsmithError

pytest.importorskip("torch")

Vectors = NDArray[np.float32]


def fitted(spec: str, X: Vectors) -> Adaptor:
    stage = vecsmith.codec(spec).fit(X).reducers[0]
    assert isinstance(stage, Adaptor)
    return stage


def test_directions_are_orthogonal(vectors: Vectors) -> None:
    W = fitted("adaptor20", vectors).components_
    products = W @ W.T
    np.testing.assert_allclose(products, np.diag(np.diag(products)), atol=1e-4)


def test_queries_meet_the_decoder(vectors: Vectors) -> None:
    stage = fitted("adaptor20", vectors)
    Z = stage.transform(vectors)
    np.testing.assert_allclose(np.linalg.norm(Z, axis=1), 1, atol=1e-5)
    projected, _ = stage.project_queries(vectors[:30])
    np.testing.assert_allclose(projected @ Z.T, vectors[:30] @ stage.inverse_transform(Z).T, atol=1e-5)


@pytest.mark.parametrize("cut", [5, 10, 20])
def test_prefixes_keep_similarities_better_than_a_plain_cut(cut: int, vectors: Vectors) -> None:
    # a rotation hides which dimensions matter, as in most models
    rotation = np.linalg.qr(np.random.default_rng(1).standard_normal((40, 40)))[0].astype(np.float32)
    train, test = (vectors @ rotation)[:400], (vectors @ rotation)[400:]
    kept = {}
    for spec in (f"adaptor20,truncate{cut}", f"truncate{cut}"):
        codec = vecsmith.codec(spec).fit(train)
        found = codec.reduce_queries(test)[0] @ codec.encode(test).view(np.float32).T
        kept[spec] = np.corrcoef(found.ravel(), (test @ test.T).ravel())[0, 1]
    assert kept[f"adaptor20,truncate{cut}"] > kept[f"truncate{cut}"] + 0.02


def test_few_or_equal_vectors_can_still_be_reduced() -> None:
    for X in (np.full((30, 40), 40**-0.5, np.float32), np.eye(3, 40, dtype=np.float32)):
        codec = vecsmith.codec("adaptor9").fit(X)
        assert np.isfinite(codec.decode(codec.encode(X))).all()


@pytest.mark.parametrize("spec", ["adaptor0", "adaptor41"])
def test_sizes_that_do_not_suit(spec: str, vectors: Vectors) -> None:
    with pytest.raises(VecsmithError, match="1 to 40 dimensions"):
        vecsmith.codec(spec).fit(vectors)
