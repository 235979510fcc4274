"""Inverted lists against exact oracles and FAISS's own."""

import tracemalloc
from pathlib import Path

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from oracles import asymmetric_scores
from vecsmith.embeddings import normalize
from vecsmith.errors import VecsmithError
from vecsmith.index import CodedVectors, CodePartition, list_scan
from vecsmith.index.inverted_lists import InvertedLists
from vecsmith.index.list_scan import ListScan

Vectors = NDArray[np.float32]
SPECS = [
    "binary",
    "pca13,median",
    "itq4B",
    "hybrid8B",
    "levels3",
    "additive3B",
    "trellis6B",
    "hybrid4B+trellis4B",
    "int8",
    "int4",
    "float16",
]


@pytest.fixture(scope="module")
def documents() -> Vectors:
    """Return 4000 unit vectors of 40 dimensions around 60 centers."""
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((60, 40))
    X = centers[rng.integers(60, size=4000)] + 0.7 * rng.standard_normal((4000, 40))
    return np.asarray(X / np.linalg.norm(X, axis=1, keepdims=True), dtype=np.float32)


def listed(codec: vecsmith.Codec, X: Vectors, n_lists: int = 20) -> vecsmith.Index:
    index = vecsmith.Index(codec, codec.encode(X))
    index.build_lists(n_lists)
    return index


def nearest_lists(index: vecsmith.Index, Q: Vectors, probes: int, place: int = 0) -> NDArray[np.bool_]:
    """Return whether every document is in one of the lists nearest to each query, (n, documents)."""
    lists = index.partitions[place].lists
    assert lists is not None
    best = np.argsort(-Q @ lists.centroids.T, axis=1)[:, :probes]
    return (np.asarray(lists.numbers)[None, :, None] == best[:, None, :]).any(axis=2)


@pytest.mark.parametrize("spec", ["binary", "hybrid8B", "levels3", "additive3B"])
@pytest.mark.parametrize("share", [1.0, 0.4, 0.0005], ids=["all", "mask", "numbers"])
def test_the_compiled_scan_finds_what_faiss_finds(
    spec: str, share: float, documents: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("numba")
    index = listed(vecsmith.codec(spec).fit(documents), documents)
    allowed = None if share == 1 else np.random.default_rng(3).random(len(documents)) < share
    compiled = index.search(documents[:50], 10, allowed=allowed, probes=5)
    monkeypatch.setattr(list_scan, "compiled_module", lambda _: None)
    vars(index.partitions[0]).pop("_inverted_index")
    assert isinstance(index.partitions[0]._inverted_index._scan, ListScan)
    scores, rows = index.search(documents[:50], 10, allowed=allowed, probes=5)
    np.testing.assert_allclose(compiled[0], scores, atol=1e-6)
    assert np.array_equal(compiled[1], rows)


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "faiss"])
@pytest.mark.parametrize("probes", [None, 3], ids=["all", "lists"])
@pytest.mark.parametrize("dimensions", [2048, 3072, 4096, 4112])
def test_sums_of_many_groups_do_not_overflow(
    dimensions: int, probes: int | None, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiled:
        monkeypatch.setattr(list_scan, "compiled_module", lambda _: None)
    rng = np.random.default_rng(0)
    X = normalize(rng.standard_normal((500, dimensions), dtype=np.float32))
    codec = vecsmith.codec("binary").fit(X)
    Q = normalize(X[:100] + 0.7 * normalize(rng.standard_normal((100, dimensions), dtype=np.float32)))
    scores, rows = listed(codec, X, 3).search(Q, 10, probes=probes)
    expected = asymmetric_scores(codec, Q, codec.encode(X))
    assert np.array_equal(rows, np.argsort(-expected, axis=1, kind="stable")[:, :10])
    np.testing.assert_allclose(scores, -np.sort(-expected, axis=1)[:, :10], atol=1e-5)


@pytest.mark.parametrize("scoring", ["symmetric", "asymmetric", "rescored"])
@pytest.mark.parametrize("spec", SPECS)
def test_all_lists_give_the_exact_answer(spec: str, scoring: str, documents: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(documents[:2000])
    X = documents[:2000]
    index = vecsmith.Index(codec, codec.encode(X), scoring, X)  # type: ignore[arg-type]
    index.build_lists(20)
    for k in (1, 10, 150):
        scores, rows = index.search(documents[-20:], k)
        probed_scores, probed_rows = index.search(documents[-20:], k, probes=20)
        if spec == "trellis6B":  # sketches of the probed lists may miss a document
            assert np.mean([np.isin(a, b).mean() for a, b in zip(rows, probed_rows, strict=True)]) > 0.99
            continue
        np.testing.assert_allclose(probed_scores, scores, atol=1e-5)
        assert np.array_equal(probed_rows, rows)


@pytest.mark.parametrize("share", [0.02, 0.4, 1.0])
@pytest.mark.parametrize("spec", ["median", "hybrid8B", "int8", "trellis6B", "hybrid4B+trellis4B"])
def test_probes_find_the_best_of_the_nearest_lists(spec: str, share: float, documents: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(documents)
    index, Q = listed(codec, documents), normalize(documents[:30] + documents[30:60])
    allowed = np.random.default_rng(0).random(len(documents)) <= share
    exact = np.where(allowed, asymmetric_scores(codec, Q, codec.encode(documents)), -np.inf)
    for probes in (1, 3):
        expected = np.where(nearest_lists(index, Q, probes), exact, -np.inf)
        scores, rows = index.search(Q, 40, None if share == 1 else allowed, probes)
        np.testing.assert_allclose(scores, -np.sort(-expected, axis=1)[:, :40], atol=1e-4)
        assert np.array_equal(rows < 0, scores == -np.inf)
        for line, found in zip(expected, rows, strict=True):
            assert np.isfinite(line[found[found >= 0]]).all()


@pytest.mark.parametrize("scoring", ["symmetric", "asymmetric"])
@pytest.mark.parametrize("spec", ["thresholds(steps=3)", "grouped3B(steps=3)"])
def test_bits_that_faiss_does_not_scan_are_probed_too(spec: str, scoring: str, documents: Vectors) -> None:
    pytest.importorskip("torch")
    codec = vecsmith.codec(spec).fit(documents[:1000])
    index = vecsmith.Index(codec, codec.encode(documents), scoring)  # type: ignore[arg-type]
    index.build_lists(20)
    scores, rows = index.search(documents[:20], 30)
    probed_scores, probed_rows = index.search(documents[:20], 30, probes=20)
    np.testing.assert_allclose(probed_scores, scores, atol=1e-5)
    assert np.array_equal(probed_rows, rows)


@pytest.mark.parametrize("spec", ["hybrid8B", "trellis6B", "hybrid4B+trellis4B", "int8"])
def test_memory_of_a_search_does_not_grow_with_the_number_of_documents(spec: str, documents: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(documents)
    small, large = (peaks_of_searches(codec, documents, n) for n in (30_000, 300_000))
    # a bitmap of 300,000 documents, the smallest array of all documents, has 37,500 bytes
    assert np.subtract(large, small).max() < 10_000


def peaks_of_searches(codec: vecsmith.Codec, documents: Vectors, n: int) -> list[int]:
    """Return the peak memory of a search of 16 lists of about 100 documents: of all, of a few, and after deletions."""
    rng = np.random.default_rng(0)
    codes = codec.encode(documents)[rng.integers(len(documents), size=n)]
    lists = InvertedLists(normalize(rng.standard_normal((n // 100, 40))), rng.permutation(n).astype(np.int32) // 100)
    factors = codec.quantizer.score_factors(codes)
    index = vecsmith.Index.from_partitions([CodePartition(codec, codes, range(n), factors, lists)])

    def peak(allowed: NDArray[np.int64] | None = None) -> int:
        index.search(documents[:1], 10, allowed, probes=16)  # builds what later searches use
        tracemalloc.start()
        index.search(documents[1:2], 10, allowed, probes=16)
        memory = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return memory

    peaks = [peak(), peak(rng.choice(n, n // 1000, replace=False))]
    index.delete(rng.choice(n, n // 10, replace=False))
    return [*peaks, peak()]


@pytest.mark.parametrize("spec", ["binary", "hybrid8B", "trellis6B"])
def test_a_query_of_zeros_finds_documents_of_the_nearest_lists(spec: str, documents: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(documents)
    index, Q = listed(codec, documents), np.vstack([np.zeros((1, 40)), documents[:1]]).astype("float32")
    scores, rows = index.search(Q, 10, probes=2)
    assert (rows >= 0).all()
    assert np.take_along_axis(nearest_lists(index, Q[1:], 2), rows[1:], axis=1).all()
    np.testing.assert_allclose(scores[0], 0, atol=1e-6)


def test_opening_an_index_allocates_nothing_that_grows_with_its_rows(documents: Vectors, tmp_path: Path) -> None:
    codec, peaks = vecsmith.codec("hybrid8B").fit(documents), []
    for n in (4000, 200_000):
        index = vecsmith.Index(codec, codec.encode(documents)[np.arange(n) % 4000])
        centroids = normalize(documents[:50])
        lists = InvertedLists(centroids, np.arange(n, dtype=np.int32) % 50)
        index = vecsmith.Index.from_partitions([index.partitions[0].with_lists(lists)])
        index.save(tmp_path / str(n))
        vecsmith.Index.load(tmp_path / str(n))  # imports what opening needs
        tracemalloc.start()
        loaded = vecsmith.Index.load(tmp_path / str(n))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(loaded) == n
    assert peaks[1] - peaks[0] < 20_000


def test_faiss_with_the_same_centroids_finds_the_same(documents: Vectors) -> None:
    codec = vecsmith.codec("float32").fit(documents)
    index = listed(codec, documents, 30)
    lists = index.partitions[0].lists
    assert lists is not None
    np.testing.assert_allclose(np.linalg.norm(lists.centroids, axis=1), 1, atol=1e-5)
    coarse = faiss.IndexFlatIP(40)
    coarse.add(lists.centroids)
    rival = faiss.IndexIVFFlat(coarse, 40, 30, faiss.METRIC_INNER_PRODUCT)
    rival.add(documents)
    Q = normalize(documents[:50] + documents[50:100] / 2)
    for probes in (1, 5, 30):
        rival.nprobe = probes
        scores, rows = rival.search(Q, 10)
        ours, our_rows = index.search(Q, 10, probes=probes)
        np.testing.assert_allclose(ours, scores, atol=1e-5)
        assert np.array_equal(our_rows, rows)


def test_recall_rises_with_probes(documents: Vectors) -> None:
    codec = vecsmith.codec("hybrid8B").fit(documents)
    index, Q = listed(codec, documents, 60), normalize(documents[:100] + documents[100:200])
    recalls = [index.recall(Q, 10, probes) for probes in (1, 4, 16, 60, 1000)]
    assert recalls == sorted(recalls)
    assert 0.1 < recalls[0] < recalls[2] < 1
    assert recalls[-2:] == [1, 1]
    # learned lists keep together what is alike: a sixth of them hold more than half of the answers
    assert index.recall(Q, 10, 10) > 0.5


def test_the_seed_decides_the_lists_and_the_default_is_the_square_root(documents: Vectors) -> None:
    codec = vecsmith.codec("binary").fit(documents)
    numbers = []
    for seed in (0, 0, 1):
        index = vecsmith.Index(codec, codec.encode(documents))
        index.build_lists(seed=seed)
        lists = index.partitions[0].lists
        assert lists is not None
        assert lists.centroids.shape == (63, 40)
        numbers.append(lists.numbers)
    assert np.array_equal(numbers[0], numbers[1])
    assert not np.array_equal(numbers[0], numbers[2])


@pytest.mark.parametrize("scoring", ["asymmetric", "rescored", "finer"])
@pytest.mark.parametrize("spec", ["hybrid8B", "int8"])
def test_what_is_added_is_scanned_what_is_deleted_is_not_and_saving_keeps_the_lists(
    spec: str, scoring: str, documents: Vectors, tmp_path: Path
) -> None:
    codec, Q = vecsmith.codec(spec).fit(documents), normalize(documents[:20] + documents[20:40])
    codes, first = codec.encode(documents), 3000
    finer = vecsmith.codec("int4").fit(documents)
    originals = CodedVectors(finer, finer.encode(documents[:first])) if scoring == "finer" else documents[:first]
    index = vecsmith.Index(codec, codes[:first], "asymmetric" if scoring == "asymmetric" else "rescored", originals)
    gone = np.random.default_rng(1).random(len(documents)) < 0.3
    index.delete(np.flatnonzero(gone[:first]))
    index.build_lists(20)
    before = index.partitions[0].lists
    assert before is not None
    index.add(documents[first:])
    index.delete(np.flatnonzero(gone))

    everywhere = index.search(Q, 50)
    probed, rows = index.search(Q, 50, probes=20)
    np.testing.assert_allclose(probed, everywhere[0], atol=1e-5)
    assert not gone[rows].any()
    _, rows = index.search(Q, 50, probes=1)
    inside = np.hstack([nearest_lists(index, Q, 1), np.ones((20, len(documents) - first), bool)])
    assert all(within[found[found >= 0]].all() for within, found in zip(inside, rows, strict=True))
    if scoring == "asymmetric":
        exact = np.where(inside & ~gone, asymmetric_scores(codec, Q, codes), -np.inf)
        np.testing.assert_allclose(index.search(Q, 50, probes=1)[0], -np.sort(-exact, axis=1)[:, :50], atol=1e-4)

    index.save(tmp_path / "index")
    kept = np.flatnonzero(~gone)
    for mmap in (True, False):
        loaded = vecsmith.Index.load(tmp_path / "index", mmap)
        lists = loaded.partitions[0].lists
        assert lists is not None
        assert np.array_equal(lists.centroids, before.centroids)
        there = kept[kept < first]
        assert np.array_equal(lists.numbers[: len(there)], before.numbers[there])
        assert np.array_equal(lists.numbers, lists.assign(lists.centroids, codec, codes[kept]).numbers)
        scores, found = loaded.search(Q, 50, probes=20)
        np.testing.assert_allclose(scores, everywhere[0], atol=1e-5)
        assert np.array_equal(kept[found], everywhere[1])
        loaded.save(tmp_path / "again")
        again = vecsmith.Index.load(tmp_path / "again").search(Q, 50, probes=3)
        np.testing.assert_array_equal(again[1], loaded.search(Q, 50, probes=3)[1])


def test_fewer_documents_in_the_lists_than_asked_for(documents: Vectors) -> None:
    for spec, scoring in (("hybrid8B", "rescored"), ("binary", "symmetric"), ("int8", "asymmetric")):
        codec = vecsmith.codec(spec).fit(documents)
        index = vecsmith.Index(codec, codec.encode(documents[:300]), scoring, documents[:300])  # type: ignore[arg-type]
        index.build_lists(100)
        scores, rows = index.search(documents[:9], 200, probes=1)
        assert scores.shape == rows.shape == (9, 200)
        assert np.array_equal(scores == -np.inf, rows == -1)
        assert (rows[:, 0] == range(9)).all()
        assert (rows[:, -1] == -1).all()
        nothing = index.search(documents[:9], 200, np.zeros(300, bool) | (np.arange(300) == 299), probes=1)
        assert nothing[1].shape == (9, 1)
        assert np.isin(nothing[1], [-1, 299]).all()
        assert (nothing[1] == -1).any()


def test_empty_lists_are_probed_with_a_filter(documents: Vectors) -> None:
    copies = np.repeat(documents[:5], 60, axis=0)
    codec = vecsmith.codec("hybrid8B").fit(documents)
    index = vecsmith.Index(codec, codec.encode(copies))
    index.build_lists(20)
    allowed = np.arange(300) % 30 == 0
    # no rounded score of a query of zeros is above 0, so the fast scan finds nothing
    for Q in (documents[:9], np.zeros_like(documents[:9])):
        assert (np.sort(index.search(Q, 10, allowed, probes=20)[1]) == np.flatnonzero(allowed)).all()


def test_ties_break_as_in_the_exact_search(documents: Vectors) -> None:
    X = np.repeat(documents[:100], 20, axis=0)
    codec = vecsmith.codec("hybrid8B").fit(documents)
    ids = [str(row * 7919 % 2000) for row in range(2000)]
    index = vecsmith.Index(codec, codec.encode(X), ids=ids)
    index.build_lists(10)
    exact, probed = index.search(documents[:30], 10), index.search(documents[:30], 10, probes=2)
    assert np.array_equal(exact[1], probed[1])


def test_parts_of_several_codecs_share_the_lists(documents: Vectors) -> None:
    halves = np.arange(len(documents)) % 2
    parts = []
    for half in (0, 1):
        codec, rows = vecsmith.codec("hybrid8B").fit(documents[halves != half]), np.flatnonzero(halves == half)
        parts.append(CodePartition(codec, codec.encode(documents[rows]), rows))
    index = vecsmith.Index.from_partitions(parts)
    index.build_lists(20)
    exact, probed = index.search(documents[:30], 10), index.search(documents[:30], 10, probes=20)
    assert np.array_equal(exact[1], probed[1])
    assert 0.5 < index.recall(documents[:30], 10, 4) <= 1


def test_bad_arguments_are_refused(documents: Vectors) -> None:
    codec = vecsmith.codec("binary").fit(documents)
    index = vecsmith.Index(codec, codec.encode(documents[:50]))
    with pytest.raises(VecsmithError, match="no inverted lists to probe; make them by build_lists"):
        index.search(documents[:1], probes=4)
    for n_lists in (0, 51):
        with pytest.raises(VecsmithError, match="n_lists must be from 1 to 50"):
            index.build_lists(n_lists)
    index.build_lists(5)
    with pytest.raises(VecsmithError, match="probes must be at least 1, not 0"):
        index.search(documents[:1], probes=0)
    rival = vecsmith.codec("faiss:PQ8x4").fit(documents)
    with pytest.raises(VecsmithError, match="no inverted lists for codes that FAISS scans by IndexPQ"):
        vecsmith.Index(rival, rival.encode(documents)).build_lists(5)
