"""Trellis codes are searched through sketches, and scored exactly from the codes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from vecsmith.array_types import RowNumbers
from vecsmith.codecs.quantizers import sketch
from vecsmith.codecs.quantizers.early_termination import rescore
from vecsmith.codecs.quantizers.trellis import Trellis
from vecsmith.embeddings import normalize
from vecsmith.tasks import load_task

Vectors = NDArray[np.float32]


@pytest.fixture
def sketched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Score 200 candidates of a query alone, so that even the few vectors of a test are searched through sketches."""
    monkeypatch.setattr(sketch, "CANDIDATES_PER_QUERY", 40)


def exhaustive(index: vecsmith.Index, codec: vecsmith.Codec, codes: NDArray[np.uint8], Q: Vectors, k: int) -> float:
    """Return the share of the exact top k that an index finds."""
    scores = normalize(Q) @ codec.decode(codes).T
    best = np.argsort(-scores, axis=1)[:, :k]
    rows = np.vstack([index.search(q[None], k)[1] for q in Q])  # a batch is scored exhaustively
    return float(np.mean([np.isin(a, b).mean() for a, b in zip(rows, best, strict=True)]))


@pytest.mark.parametrize("size", [1, 3, 8, 12, 20])
def test_scores_equal_the_products_with_decoded_vectors(size: int, vectors: Vectors) -> None:
    trellis = Trellis(size)
    trellis.fit(vectors)
    codes = trellis.encode(vectors)
    rows, estimates = np.tile(np.arange(len(codes)), (5, 1)), np.zeros((5, len(codes)), np.float32)
    scores, places = trellis.rescore(trellis.project(vectors[:5]), codes, rows, estimates, len(codes))
    exact = vectors[:5] @ trellis.decode(codes).T
    np.testing.assert_allclose(scores, np.take_along_axis(exact, places, axis=1), atol=1e-5)
    assert (np.sort(places) == rows).all()
    assert (np.diff(scores) <= 0).all()


@pytest.mark.parametrize("spec", ["trellis8B", "pca30,trellis6B"])
def test_sketches_find_the_best_codes_and_score_them_exactly(spec: str, vectors: Vectors, sketched: None) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    codes = codec.encode(vectors)
    index = vecsmith.Index(codec, codes)
    assert exhaustive(index, codec, codes, vectors[:100], 10) > 0.99
    scores, rows = (np.vstack(parts) for parts in zip(*(index.search(q[None], 10) for q in vectors[:20]), strict=True))
    expected = np.take_along_axis(vectors[:20] @ codec.decode(codes).T, rows, axis=1)
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    assert (np.diff(scores, axis=1) <= 0).all()


def test_scoring_stops_early_without_missing_results() -> None:
    rng = np.random.default_rng(0)
    for deviation, least in ((0.02, 1), (10, 5000)):
        exact = rng.standard_normal(5000).astype(np.float32)
        estimates = exact + rng.normal(0, deviation, 5000).astype(np.float32)
        candidates = np.argsort(-estimates)
        scored: list[int] = []

        def score(rows: RowNumbers, exact: Vectors = exact, scored: list[int] = scored) -> Vectors:
            scored.extend(rows)
            return exact[rows]

        scores, places = rescore([score], candidates[None], estimates[candidates][None], 10)
        assert np.array_equal(places[0], np.argsort(-exact)[:10])
        assert np.array_equal(scores[0], exact[places[0]])
        assert scored == list(candidates[: len(scored)])
        assert len(scored) >= least
        assert (len(scored) < 1000) == (deviation < 1)  # useless estimates stop nothing
    _, every = rescore([score], candidates[None], estimates[candidates][None], 5000)
    assert np.array_equal(every[0], np.argsort(-exact, kind="stable"))
    assert (rescore([score], np.full((1, 10), -1), np.zeros((1, 10), np.float32), 10)[1] == -1).all()


def test_filters_lists_and_queries_of_zeros(vectors: Vectors, sketched: None) -> None:
    codec = vecsmith.codec("trellis8B").fit(vectors)
    codes = codec.encode(vectors)
    index = vecsmith.Index(codec, codes)
    allowed = np.arange(600) % 3 == 0
    rows = np.vstack([index.search(q[None], 5, allowed=allowed)[1] for q in vectors[:10]])
    assert allowed[rows].all()
    best = np.where(allowed, vectors[:10] @ codec.decode(codes).T, -np.inf).argmax(axis=1)
    assert (rows[:, 0] == best).mean() > 0.9
    zeros = index.search(np.zeros((1, 40), np.float32), 5)
    assert (zeros[1] >= 0).all()
    np.testing.assert_allclose(zeros[0], 0, atol=1e-6)
    index.build_lists(10)
    assert index.recall(vectors[:50], k=5, probes=10) > 0.99
    few = index.search(vectors[:5], 600, probes=1)
    assert (few[1] == -1).any()
    assert np.isneginf(few[0][few[1] == -1]).all()


def test_an_index_holds_codes_and_sketches_only() -> None:
    assert [Trellis(size).fit(np.eye(64, dtype=np.float32)).memory_bytes_per_vector for size in (12, 32)] == [28, 48]
    codec = vecsmith.codec("trellis48B").fit(np.random.default_rng(0).standard_normal((400, 384)).astype(np.float32))
    assert codec.memory_bytes_per_vector == 66


@pytest.mark.data
@pytest.mark.parametrize(("spec", "least"), [("trellis48B", 0.99), ("trellis96B", 0.99), ("trellis24B", 0.99)])
def test_sketches_of_real_vectors(spec: str, least: float, beir: Callable[[str], Path]) -> None:
    corpus, queries = vecsmith.embed_task(load_task(str(beir("hotpotqa-2k"))), "vectors:minilm")
    codec = vecsmith.codec(spec).fit(corpus)
    codes = codec.encode(corpus)
    assert exhaustive(vecsmith.Index(codec, codes), codec, codes, queries.unit[:200], 10) > least


@pytest.fixture
def stored(tmp_path: Path, vectors: Vectors, sketched: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of codes whose sketches are cached."""
    monkeypatch.setattr(sketch, "MIN_CACHED_ROWS", len(vectors))
    vecsmith.Index(vecsmith.codec("trellis8B").fit(vectors), vectors).save(tmp_path / "codes")
    return tmp_path / "codes"


def test_sketches_of_a_folder_are_cached(
    stored: Path, cache: Path, vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores, rows = vecsmith.Index.load(stored).search(vectors[:1], 10)
    (file,) = (cache / "sketches").glob("*.safetensors")

    def fit(*_: object) -> None:
        raise AssertionError("the sketches are computed again")

    with monkeypatch.context() as patch:
        patch.setattr(sketch.Hybrid, "fit", fit)
        again = vecsmith.Index.load(stored).search(vectors[:1], 10)
        np.testing.assert_array_equal(again[0], scores)
        np.testing.assert_array_equal(again[1], rows)
        vecsmith.Index(vecsmith.codec("trellis8B", seed=1).fit(vectors[::-1]), vectors).save(stored)
        with pytest.raises(AssertionError, match="computed again"):  # other codes have other sketches
            vecsmith.Index.load(stored).search(vectors[:1], 10)
    before = file.read_bytes()
    vecsmith.Index(vecsmith.codec("trellis8B").fit(vectors), vectors).save(stored)
    for damaged in (before[:100], b"", before[:-1]):
        file.write_bytes(damaged)
        np.testing.assert_array_equal(vecsmith.Index.load(stored).search(vectors[:1], 10)[1], rows)
        assert file.read_bytes() == before


def test_a_cache_that_cannot_be_written_is_no_error(stored: Path, cache: Path, vectors: Vectors) -> None:
    (cache / "sketches").write_text("a file, not a folder")
    assert vecsmith.Index.load(stored).search(vectors[:1], 1)[1] == 0
    assert (cache / "sketches").is_file()
