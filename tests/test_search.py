"""Rankings of `Index` against exact oracles."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from oracles import asymmetric_scores, hamming_distances
from vecsmith.embeddings import normalize
from vecsmith.errors import VecsmithError, VecsmithWarning
from vecsmith.evaluation import evaluate
from vecsmith.index import SHORTLIST, CodedVectors, CodePartition, CodeSet

Vectors = NDArray[np.float32]


def ranked(scores: NDArray[np.float32], ids: list[str]) -> NDArray[np.int64]:
    """Rank every document: falling score, then falling id."""
    by_id = np.argsort(np.argsort(ids)[::-1])
    return np.lexsort((np.broadcast_to(by_id, scores.shape), -scores), axis=1)


@pytest.mark.parametrize("spec", ["binary", "median", "pca13,binary"])
@pytest.mark.parametrize("k", [1, 10, 100, 500])
def test_symmetric_bits_rank_by_hamming_distance_with_ties_by_id(spec: str, k: int, vectors: Vectors) -> None:
    documents, queries = vectors[:500], vectors[500:]
    codec = vecsmith.codec(spec).fit(documents)
    codes = codec.encode(documents)
    ids = [f"{row * 7919 % 500}" for row in range(500)]
    distances = hamming_distances(codec.encode(queries), codes)
    scores, rows = vecsmith.Index(codec, codes, "symmetric", ids=ids).search(queries, k)
    assert np.array_equal(rows, ranked(-distances.astype(np.float32), ids)[:, :k])
    assert np.array_equal(-scores, np.take_along_axis(distances, rows, axis=1))


def test_symmetric_floats_score_decoded_queries(vectors: Vectors) -> None:
    codec = vecsmith.codec("pca20,int4").fit(vectors)
    codes = codec.encode(vectors)
    decoded = codec.decode(codec.encode(vectors[:20]))
    scores, _ = vecsmith.Index(codec, codes, "symmetric").search(vectors[:20], 10)
    oracle = -np.sort(-asymmetric_scores(codec, decoded, codes), axis=1)[:, :10]
    np.testing.assert_allclose(scores, oracle, atol=1e-5)


def test_fast_scan_finds_what_exact_scoring_finds(vectors: Vectors) -> None:
    rng = np.random.default_rng(1)
    documents = rng.standard_normal((20_000, 64)).astype(np.float32)
    queries = normalize(rng.standard_normal((50, 64)))
    codec = vecsmith.codec("median").fit(documents)
    codes = codec.encode(documents)
    oracle = asymmetric_scores(codec, queries, codes)
    scores, rows = vecsmith.Index(codec, codes).search(queries, 10)
    np.testing.assert_allclose(scores, -np.sort(-oracle, axis=1)[:, :10], atol=1e-4)
    assert (rows == np.argsort(-oracle, axis=1)[:, :10]).mean() > 0.99


def test_rescored_reorders_the_shortlist_with_the_originals(vectors: Vectors) -> None:
    documents, queries = vectors[:500], vectors[500:]
    codec = vecsmith.codec("truncate20,binary").fit(documents)
    codes = codec.encode(documents)
    _, shortlist = vecsmith.Index(codec, codes).search(queries, SHORTLIST)
    scores, rows = vecsmith.Index(codec, codes, "rescored", documents).search(queries, 300)
    exact = queries @ documents.T
    best = np.take_along_axis(exact, shortlist, axis=1)
    np.testing.assert_allclose(scores[:, :SHORTLIST], -np.sort(-best, axis=1), atol=1e-5)
    assert np.array_equal(np.sort(rows[:, :SHORTLIST]), np.sort(shortlist))
    assert (np.diff(scores, axis=1) <= 1e-6).all()
    _, ten = vecsmith.Index(codec, codes, "rescored", documents).search(queries, 10)
    assert np.array_equal(ten, rows[:, :10])


@pytest.mark.parametrize("scoring", ["symmetric", "asymmetric", "rescored"])
@pytest.mark.parametrize("spec", ["binary", "int8"])
def test_parts_merge_into_one_ranking(spec: str, scoring: str, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    rows = np.random.default_rng(0).permutation(len(vectors))
    parts = [CodePartition(codec, codec.encode(vectors[half]), half) for half in (rows[:250], rows[250:])]
    merged = vecsmith.Index.from_partitions(parts, scoring, vectors).search(vectors[:30], 150)
    whole = vecsmith.Index(codec, codec.encode(vectors), scoring, vectors).search(vectors[:30], 150)
    np.testing.assert_allclose(merged[0], whole[0], atol=1e-5)
    assert (merged[1] == whole[1]).mean() > 0.99


def test_fewer_documents_than_asked_for(vectors: Vectors) -> None:
    codec = vecsmith.codec("binary").fit(vectors)
    scores, rows = vecsmith.Index(codec, codec.encode(vectors[:7])).search(vectors[:2], 10)
    assert scores.shape == rows.shape == (2, 7)
    assert np.array_equal(np.sort(rows), [range(7)] * 2)


def test_bad_arguments_are_refused(vectors: Vectors) -> None:
    codec = vecsmith.codec("binary").fit(vectors)
    codes = codec.encode(vectors)
    with pytest.raises(VecsmithError, match="did you mean 'symmetric'"):
        vecsmith.Index(codec, codes, "symetric")
    with pytest.raises(VecsmithError, match="original vectors"):
        vecsmith.Index(codec, codes, "rescored")
    with pytest.raises(VecsmithError, match="at least 1"):
        vecsmith.Index(codec, codes).search(vectors, 0)
    spoilt = np.where(np.arange(600)[:, None] == 3, np.nan, vectors)
    for queries, complaint in (
        (vectors[:, :8], "40 dimensions"),
        (vectors[0], r"queries must have shape \(n, d\), not \(40,\); write X\[None\]"),
        (codes, r"queries must be floats, not uint8 .*; codes have this dtype"),
        (vectors.astype(int), "convert them by"),
        (vectors[:0, :8], "40 dimensions"),
        (spoilt, "queries have a NaN or infinite value in row 3"),
    ):
        with pytest.raises(VecsmithError, match=complaint):
            vecsmith.Index(codec, codes).search(queries, 5)
    for ids, complaint in (
        (["a"], "600 vectors but 1 ids"),
        (["a"] * 600, "'a' twice"),
        (range(600), "0 in row 0, which is not a string"),
    ):
        with pytest.raises(VecsmithError, match=complaint):
            vecsmith.Index(codec, codes, ids=ids)  # type: ignore[arg-type]
    for wrong in (codes[:, :4], codes[0]):
        with pytest.raises(VecsmithError, match="has codes of 5 bytes"):
            vecsmith.Index(codec, wrong)
    for originals in (vectors[:5], vectors[:, :5], CodedVectors(codec, codes[:5])):
        with pytest.raises(VecsmithError, match=r"codes stand for vectors of shape \(600, 40\)"):
            vecsmith.Index(codec, codes, "rescored", originals)


@pytest.mark.parametrize("spec", ["faiss:PQ20x4fs", "faiss:RaBitQfs"])
def test_codes_that_faiss_cannot_search_are_refused(spec: str, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    with pytest.raises(VecsmithError, match="name the index without fast scan"):
        vecsmith.Index(codec, codec.encode(vectors)).search(vectors[:1])


@pytest.mark.parametrize("spec", ["binary", "median", "hybrid8B", "levels4", "itq5B", "binary-autoencoder5B"])
def test_what_scores_least_is_found_too(spec: str, vectors: Vectors) -> None:
    # FAISS's fast scan never finds a document whose rounded score is 0
    codec = vecsmith.codec(spec).fit(vectors)
    codes = codec.encode(vectors)
    queries = np.vstack([np.zeros((1, 40)), np.eye(40)[:3], -codec.decode(codes[:3])])
    queries = normalize(queries)
    oracle = asymmetric_scores(codec, queries, codes)
    index = vecsmith.Index(codec, codes)
    index.build_lists(5)
    for allowed in (np.arange(600), np.arange(1), np.arange(1, 30)):
        for probes in (None, 5):
            scores, rows = index.search(queries, 600, allowed, probes)
            assert np.array_equal(np.sort(rows), np.tile(allowed, (7, 1)))
            np.testing.assert_allclose(scores, np.take_along_axis(oracle, rows, axis=1), atol=1e-5)
            np.testing.assert_allclose(scores, -np.sort(-oracle[:, allowed]), atol=1e-5)
    assert np.array_equal(index.search(queries[:1], 4)[1], [[0, 1, 2, 3]])


def test_documents_are_named_in_any_collection(vectors: Vectors) -> None:
    codec = vecsmith.codec("int8").fit(vectors)
    ids = [f"d{row}" for row in range(600)]
    index = vecsmith.Index(codec, codec.encode(vectors), ids=ids)
    expected = index.search(vectors[:2], np.int64(2), ["d5", "d7"])[1]
    assert expected.shape == (2, 2)
    for allowed in ({"d5", "d7"}, {"d5": 0, "d7": 0}.keys(), (f"d{n}" for n in (5, 7)), {5, 7}, np.array([5, 7])):
        assert np.array_equal(index.search(vectors[:2], 2, allowed)[1], expected)
    assert index.search(vectors[:2], 2, set())[1].shape == (2, 0)
    index.delete("d5")
    index.delete({"d7"})
    assert len(index) == 598
    assert index.search(vectors[:2], 2, ["d5", "d7"])[1].shape == (2, 0)


def test_nothing_is_added_and_what_is_added_is_a_copy(vectors: Vectors) -> None:
    codec = vecsmith.codec("int8").fit(vectors)
    index = vecsmith.Index(codec, codec.encode(vectors), "rescored", vectors)
    for _ in range(3):
        index.add(vectors[:0])
    more = vectors[:1].copy()
    index.add(more)
    more[:] = 0
    scores, rows = index.search(vectors[:1], 2)
    assert np.array_equal(rows, [[0, 600]])
    np.testing.assert_allclose(scores, 1, atol=1e-5)


@pytest.mark.data
def test_the_rounding_of_the_fast_scan_costs_less_than_two_thousandths(beir: Callable[[str], Path]) -> None:
    task = vecsmith.load_task(str(beir("scifact")))
    corpus, queries = vecsmith.embed_task(task, "vectors:minilm")
    judged = [row for row, id_ in enumerate(queries.ids) if id_ in task.qrels["test"]]
    Q, query_ids = queries.vectors[judged], [queries.ids[row] for row in judged]
    codec = vecsmith.codec("binary").fit(corpus.vectors)
    codes = codec.encode(corpus.vectors)
    weights, _ = codec.quantizer.project_queries(Q)
    refined = codec.quantizer.index(codes)
    rounded = refined.base_index.search(weights, 100)
    exact = vecsmith.Index(codec, codes, ids=corpus.ids).search(Q, 100)
    oracle = asymmetric_scores(codec, Q, codes)
    rows = np.argsort(-oracle, axis=1, kind="stable")[:, :100]
    rankings = (rounded, exact, (np.take_along_axis(oracle, rows, axis=1), rows))
    by_tables, by_index, by_oracle = (
        evaluate(*ranking, query_ids, corpus.ids, task.qrels["test"]).ndcg_at_10.mean() for ranking in rankings
    )
    assert by_index == pytest.approx(by_oracle, abs=1e-6)
    assert by_tables == pytest.approx(by_oracle, abs=0.002)


SPECS = ["binary", "int8", "float16", "hybrid8B", "levels3", "trellis6B", "pca13,median", "float32"]


def oracle(
    codec: vecsmith.Codec, codes: NDArray[np.uint8], Q: Vectors, allowed: NDArray[np.bool_], k: int
) -> NDArray[np.float32]:
    scores = np.where(allowed, asymmetric_scores(codec, Q, codes), -np.inf)
    return -np.sort(-scores, axis=1)[:, :k]


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.95])
def test_a_filter_finds_the_best_of_what_it_allows(spec: str, share: float, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    codes = codec.encode(vectors)
    mask = np.random.default_rng(0).random(len(vectors)) < share
    index, expected = vecsmith.Index(codec, codes), oracle(codec, codes, vectors[:9], mask, 10)
    for allowed in (mask, np.flatnonzero(mask), [str(row) for row in np.flatnonzero(mask)]):
        scores, rows = index.search(vectors[:9], 10, allowed)
        np.testing.assert_allclose(scores, expected, atol=1e-4)
        assert mask[rows].all()


@pytest.mark.parametrize("scoring", ["symmetric", "asymmetric", "rescored"])
def test_a_filter_that_allows_few_or_none(scoring: str, vectors: Vectors) -> None:
    codec = vecsmith.codec("binary").fit(vectors)
    index = vecsmith.Index(codec, codec.encode(vectors), scoring, vectors)
    assert np.array_equal(np.sort(index.search(vectors[:4], 10, [3, 599])[1]), [[3, 599]] * 4)
    assert index.search(vectors[:4], 10, [])[1].shape == (4, 0)
    for allowed, complaint in (([600], "no row 600"), (["x"], "no id 'x'"), (np.ones(5, bool), "600 values")):
        with pytest.raises(VecsmithError, match=complaint):
            index.search(vectors[:4], 10, allowed)


def test_a_far_filter_among_many_documents() -> None:
    rng = np.random.default_rng(0)
    documents = rng.standard_normal((20_000, 32)).astype(np.float32)
    codec = vecsmith.codec("median").fit(documents)
    codes = codec.encode(documents)
    Q = normalize(rng.standard_normal((5, 32)))
    far = asymmetric_scores(codec, Q, codes)[0] < -0.2
    scores, rows = vecsmith.Index(codec, codes).search(Q, 100, far)
    np.testing.assert_allclose(scores, oracle(codec, codes, Q, far, 100), atol=1e-4)
    assert far[rows].all()


@pytest.mark.parametrize("scoring", ["symmetric", "asymmetric", "rescored", "finer"])
@pytest.mark.parametrize("spec", ["binary", "hybrid8B", "int8"])
def test_what_is_added_deleted_and_saved_is_searched_as_if_made_at_once(
    spec: str, scoring: str, vectors: Vectors, tmp_path: Path
) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    finer = vecsmith.codec("int4").fit(vectors)

    def index_of(X: Vectors, ids: list[str]) -> vecsmith.Index:
        if scoring == "finer":
            return vecsmith.Index(codec, codec.encode(X), "rescored", CodedVectors(finer, finer.encode(X)), ids)
        return vecsmith.Index(codec, codec.encode(X), scoring, X, ids)  # type: ignore[arg-type]

    ids = [f"d{row}" for row in range(len(vectors))]
    index = index_of(vectors[:300], ids[:300])
    for start, stop in ((300, 301), (301, 350), (350, 360), (360, 600)):
        index.add(vectors[start:stop], ids[start:stop])
    gone = np.random.default_rng(1).random(len(vectors)) < 0.3
    index.delete([id_ for id_, out in zip(ids, gone, strict=True) if out])
    kept = [id_ for id_, out in zip(ids, gone, strict=True) if not out]
    whole = index_of(vectors[~gone], kept)
    assert len(index) == len(whole) == len(kept)
    scores, rows = whole.search(vectors[:25], 120)
    ours, our_rows = index.search(vectors[:25], 120)
    np.testing.assert_allclose(ours, scores, atol=1e-5)
    assert [[index.rows[row][0] for row in line] for line in our_rows] == [[kept[row] for row in line] for line in rows]

    index.save(tmp_path / "index")
    loaded = vecsmith.Index.load(tmp_path / "index")
    assert (loaded.scoring, loaded.rows.ids) == (index.scoring, kept)
    assert all(isinstance(partition.codes, np.memmap) for partition in loaded.partitions)
    np.testing.assert_allclose(loaded.search(vectors[:25], 120)[0], scores, atol=1e-5)
    loaded.add(vectors[gone], [id_ for id_, out in zip(ids, gone, strict=True) if out])
    loaded.save(tmp_path / "index")
    again = vecsmith.Index.load(tmp_path / "index", mmap=False)
    assert sorted(again.rows.ids) == sorted(ids)
    assert not any(partition.codes.flags.writeable for partition in again.partitions)
    np.testing.assert_allclose(
        again.search(vectors[:25], 50)[0], index_of(vectors, ids).search(vectors[:25], 50)[0], atol=1e-5
    )


def test_ids_are_checked_and_may_come_back(vectors: Vectors) -> None:
    codec = vecsmith.codec("int8").fit(vectors)
    index = vecsmith.Index(codec, codec.encode(vectors[:3]), ids=["a", "b", "c"])
    for ids, complaint in (
        (["a"], "'a' is in the index"),
        (["x", "y"], "1 vectors but 2 ids"),
        ([7], "not a string"),
        (None, "have ids; give one"),
    ):
        with pytest.raises(VecsmithError, match=complaint):
            index.add(vectors[3:4], ids)  # type: ignore[arg-type]
    with pytest.raises(VecsmithError, match="no id 'z'"):
        index.delete(["z"])
    index.delete(["a"])
    index.add(vectors[9:10], ["a"])
    assert len(index) == 3
    assert index.rows[index.search(vectors[9:10], 3)[1][0, 0]][0] == "a"
    assert index.search(vectors[9:10], 3, ["a"])[1].tolist() == [[3]]
    index.delete(["a", "b", "c"])
    assert index.search(vectors[:2])[0].shape == (2, 0)
    with pytest.raises(VecsmithError, match="nothing in the index"):
        index.save("nowhere")
    parts = [
        CodePartition(codec, codec.encode(vectors[:2]), np.arange(2)),
        CodePartition(codec, codec.encode(vectors[2:4]), np.r_[2, 3]),
    ]
    with pytest.raises(VecsmithError, match="several codecs"):
        vecsmith.Index.from_partitions(parts).add(vectors[:1])


def test_finer_codes_reorder_the_shortlist_and_float16_vectors_too(vectors: Vectors) -> None:
    documents, queries = vectors[:500], vectors[500:]
    codec, finer = vecsmith.codec("pca8,binary").fit(documents), vecsmith.codec("int8").fit(documents)
    codes, exact = codec.encode(documents), queries @ documents.T
    best = np.argsort(-exact, axis=1)[:, :10]

    def recall(index: vecsmith.Index) -> float:
        return float(np.mean([len(set(a) & set(b)) for a, b in zip(index.search(queries, 10)[1], best, strict=True)]))

    coarse = recall(vecsmith.Index(codec, codes))
    two_stages = recall(vecsmith.Index(codec, codes, "rescored", CodedVectors(finer, finer.encode(documents))))
    halves = recall(vecsmith.Index(codec, codes, "rescored", documents.astype(np.float16)))
    floats = recall(vecsmith.Index(codec, codes, "rescored", documents))
    assert coarse + 1 < two_stages
    assert halves == pytest.approx(floats, abs=0.1)
    assert two_stages == pytest.approx(floats, abs=0.2)


@pytest.mark.parametrize("spec", SPECS)
def test_codes_in_a_file_are_searched_where_they_are(spec: str, vectors: Vectors, tmp_path: Path) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    codes = codec.encode(vectors)
    np.save(tmp_path / "codes.npy", codes)
    mapped = np.load(tmp_path / "codes.npy", mmap_mode="r")
    for scoring in ("symmetric", "asymmetric"):
        expected = vecsmith.Index(codec, codes, scoring).search(vectors[:30], 20)
        scores, rows = vecsmith.Index(codec, mapped, scoring).search(vectors[:30], 20)
        assert np.array_equal(rows, expected[1])
        assert np.array_equal(scores, expected[0])


def test_a_thousand_documents_a_query(vectors: Vectors) -> None:
    X = np.random.default_rng(0).standard_normal((5000, 40)).astype(np.float32) + vectors[0]
    X = normalize(X)
    for spec in ("hybrid10B", "binary"):
        codec = vecsmith.codec(spec).fit(X)
        codes = codec.encode(X)
        scores, _ = vecsmith.Index(codec, codes).search(X[:3], 1000)
        np.testing.assert_allclose(scores, oracle(codec, codes, X[:3], np.ones(5000, bool), 1000), atol=1e-4)


def test_threads_search_while_another_changes_and_saves(vectors: Vectors, tmp_path: Path) -> None:
    codec = vecsmith.codec("int8").fit(vectors)
    codes = codec.encode(vectors)
    exact = asymmetric_scores(codec, vectors, codes)
    index = vecsmith.Index(codec, codes[:300], ids=[str(row) for row in range(300)])
    done = threading.Event()

    def search(seed: int) -> list[tuple[int, list[int]]]:
        rng, failures = np.random.default_rng(seed), []
        while not done.is_set():
            query = int(rng.integers(len(vectors)))
            current = vecsmith.Index.load(tmp_path / "index") if (tmp_path / "index").exists() else index
            scores, rows = current.search(vectors[query : query + 1], 10)
            # every score is that of its row's document, and even ids are always there
            found = [int(current.rows[row][0]) for row in rows[0]]
            always = np.sort(exact[query, :300:2])[::-1][:10]
            if not np.allclose(scores[0], exact[query, found], atol=1e-5) or (scores[0] < always - 1e-5).any():
                failures.append((query, found))
        return failures

    with ThreadPoolExecutor(3) as threads:
        searches = [threads.submit(search, seed) for seed in range(3)]
        try:
            for row in range(300, 420):
                index.add(vectors[row : row + 1], [str(row)])
                if row % 2:
                    index.delete([str(row)])
                if row % 10 == 0:
                    index.save(tmp_path / "index")
        finally:
            done.set()
    assert not any(found.result() for found in searches)
    assert len(index) == 360


def test_threads_open_one_file_at_a_time(vectors: Vectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Python 3.11 may fail where two threads parse the headers of NumPy files at once
    codec = vecsmith.codec("int8").fit(vectors)
    vecsmith.Index(codec, codec.encode(vectors)).save(tmp_path / "index")
    opening, opened, open_memmap = threading.Lock(), [], np.lib.format.open_memmap

    def alone(path: Path, mode: str) -> Any:
        assert opening.acquire(blocking=False), "two threads read a header at once"
        time.sleep(0.001)
        opened.append(path)
        opening.release()
        return open_memmap(path, mode=mode)

    monkeypatch.setattr(np.lib.format, "open_memmap", alone)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(vecsmith.Index.load, [tmp_path / "index"] * 32))
    assert len(opened) >= 32


def test_threads_that_save_to_one_folder_leave_it_whole(vectors: Vectors, tmp_path: Path) -> None:
    codec = vecsmith.codec("int8").fit(vectors)
    indexes = [vecsmith.Index(codec, codec.encode(vectors[:count])) for count in (100, 200, 300, 400)]
    indexes[0].save(tmp_path / "index")

    def save(index: vecsmith.Index) -> None:
        for _ in range(10):
            # the first to end wins
            with suppress(VecsmithError):
                index.save(tmp_path / "index")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(save, indexes))
    assert len(vecsmith.Index.load(tmp_path / "index", mmap=False)) in (100, 200, 300, 400)
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


KILLED = """
import os, sys, threading, time
import numpy as np, vecsmith
path, after = sys.argv[1], float(sys.argv[2])
index = vecsmith.Index.load(path)
X = index.originals[np.arange(len(index))]
threading.Thread(target=lambda: (time.sleep(after), os._exit(9)), daemon=True).start()
while True:
    index.add(X[:50], [f"{len(index)}-{row}" for row in range(50)])
    index.save(path)
    print(len(index), flush=True)
"""


@pytest.mark.slow
def test_killed_while_saving_the_last_saved_index_is_there(vectors: Vectors, tmp_path: Path) -> None:
    codec = vecsmith.codec("hybrid8B").fit(vectors)
    index = vecsmith.Index(codec, codec.encode(vectors), "rescored", vectors)
    index.save(tmp_path / "index")
    rng, acknowledged = np.random.default_rng(0), len(vectors)
    for _ in range(12):
        command = [sys.executable, "-c", KILLED, str(tmp_path / "index"), str(rng.uniform(0, 0.15))]
        printed = subprocess.run(command, capture_output=True, text=True, check=False)
        assert printed.returncode == 9, printed.stderr
        acknowledged = max([acknowledged, *map(int, printed.stdout.split())])
        loaded = vecsmith.Index.load(tmp_path / "index", mmap=False)
        assert len(loaded) in (acknowledged, acknowledged + 50)
        acknowledged = len(loaded)
        assert loaded.search(vectors[:1], 5)[0][0, 0] == pytest.approx(1, abs=1e-5)


def test_an_index_takes_vectors_and_never_finds_a_zero_one(vectors: Vectors, tmp_path: Path) -> None:
    with_zeros = vectors.copy()
    with_zeros[[3, 250]] = 0
    for spec in ("binary", "trellis8B", "float32", "hybrid4B+trellis4B"):
        codec = vecsmith.codec(spec).fit(vectors)
        for scoring in ("asymmetric", "symmetric", "rescored"):
            with pytest.warns(VecsmithWarning, match="2 all-zero vectors, the first in row 3"):
                index = vecsmith.Index(codec, with_zeros, scoring)  # type: ignore[arg-type]
            assert len(index) == 598
            _, rows = index.search(vectors[:5], 600)
            assert rows.shape == (5, 598)
            assert not np.isin(rows, [3, 250]).any()
            if scoring != "rescored":
                plain = vecsmith.Index(codec, codec.encode(vectors), scoring)  # type: ignore[arg-type]
                expected = plain.search(vectors[:5], 50)[1]
                for line, found in zip(expected, rows, strict=True):
                    assert np.array_equal(line[~np.isin(line, [3, 250])][:40], found[:40])
        added = np.zeros((2, 40), np.float32)
        added[1] = vectors[0]
        with pytest.warns(VecsmithWarning):
            index.add(added)
        assert len(index) == 599
        assert not np.isin(index.search(vectors[:1], 599)[1], 600).any()
    with pytest.warns(VecsmithWarning, match="2 all-zero"):
        embedded = vecsmith.EmbeddingSet(with_zeros)
    codes = CodeSet.encode(vecsmith.codec("median").fit(embedded), embedded, tmp_path / "codes")
    assert len(codes) == 600
    for mmap in (True, False):
        loaded = vecsmith.Index.load(tmp_path / "codes", mmap)
        assert not np.isin(loaded.search(vectors[:5], 600)[1], [3, 250]).any()
        loaded.save(tmp_path / f"again{mmap}")
        assert vecsmith.Index.load(tmp_path / f"again{mmap}").search(vectors[:5], 600)[1].shape == (5, 598)
    assert repr(loaded) == "Index(598 codes of 5 bytes, 'median', asymmetric)"


def test_vectors_of_any_length_score_as_cosines(vectors: Vectors) -> None:
    lengths = np.linspace(0.1, 20, 600, dtype=np.float32)[:, None]
    for spec, scoring in (("float32", "asymmetric"), ("int8", "rescored"), ("median", "symmetric")):
        codec = vecsmith.codec(spec).fit(vectors)
        index = vecsmith.Index(codec, lengths * vectors, scoring)  # type: ignore[arg-type]
        expected, expected_rows = vecsmith.Index(codec, vectors, scoring).search(vectors[:20])  # type: ignore[arg-type]
        scores, rows = index.search(30 * vectors[:20])
        np.testing.assert_allclose(scores, expected, atol=1e-5)
        assert np.array_equal(rows, expected_rows)
        if scoring != "symmetric":
            np.testing.assert_allclose(scores[:, 0], 1, atol=1e-5)
        index.add(7 * vectors[:3])
        assert np.array_equal(np.sort(index.search(vectors[:3], 2)[1], axis=1), [[0, 600], [1, 601], [2, 602]])


def test_codes_are_not_added_as_vectors(vectors: Vectors) -> None:
    codec = vecsmith.codec("int8").fit(vectors)
    index = vecsmith.Index(codec, codec.encode(vectors[:500]))
    for use in (index.add, index.search, index.recall):
        with pytest.raises(VecsmithError, match="must be floats, not uint8"):
            use(codec.encode(vectors[500:]))
    assert len(index) == 500
