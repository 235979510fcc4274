"""Codes of two quantizers: their mathematics, and the search in two stages."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from oracles import asymmetric_scores
from vecsmith.codecs import STAGES
from vecsmith.codecs.quantizers.residual import Residual
from vecsmith.codecs.quantizers.unit_length import UnitQuantizer
from vecsmith.codecs.stages import Quantizer
from vecsmith.embeddings import normalize
from vecsmith.errors import VecsmithError
from vecsmith.index import CodeSet

Vectors = NDArray[np.float32]

SPEC = "hybrid4B+trellis8B"


def cosine(spec: str, train: Vectors, test: Vectors) -> float:
    codec = vecsmith.codec(spec).fit(train)
    decoded = codec.decode(codec.encode(test))
    return float(((decoded * test).sum(axis=1) / np.linalg.norm(decoded, axis=1)).mean())


def test_a_code_is_that_of_the_first_and_that_of_what_it_left(vectors: Vectors) -> None:
    codec = vecsmith.codec(SPEC).fit(vectors)
    residual = codec.quantizer
    assert isinstance(residual, Residual)
    codes = codec.encode(vectors)
    first = vecsmith.codec("hybrid4B").fit(vectors)
    assert codec.bytes_per_vector == 12
    assert np.array_equal(codes[:, :4], first.encode(vectors))
    a, rho = residual.lengths_
    left = vectors - a * first.decode(codes[:, :4])
    towards = residual.second.decode(codes[:, 4:])
    # both lengths are of least squares, so that what is left is at right angles to what was taken, on average
    assert abs((left * first.decode(codes[:, :4])).sum(axis=1).mean()) < 1e-5
    assert abs(((left - rho * towards) * towards).sum(axis=1).mean()) < 1e-5
    np.testing.assert_allclose(np.linalg.norm(codec.decode(codes), axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("spec", ["hybrid4B+trellis4B", "median+hybrid5B", "hybrid4B+hybrid4B", "binary+int4"])
def test_nearer_than_the_first_and_about_as_near_as_one_code_of_its_bytes(spec: str, vectors: Vectors) -> None:
    train, test = vectors[:300], vectors[300:]
    both = cosine(spec, train, test)
    assert both > cosine(spec.partition("+")[0], train, test) + 0.01
    if spec.startswith("hybrid"):
        assert both > cosine("hybrid8B", train, test) - 0.02


QUANTIZERS = [stage.example for stage in STAGES.values() if issubclass(stage, Quantizer)]


@pytest.mark.parametrize("spec", [*QUANTIZERS, "median+trellis6B", "hybrid6B+median"])
def test_coordinates_score_like_the_decoded(spec: str, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    codes = codec.encode(vectors[:50])
    scores = codec.quantizer.project(vectors[50:60]) @ codec.quantizer.coordinates(codes).T
    np.testing.assert_allclose(scores, asymmetric_scores(codec, vectors[50:60], codes), atol=2e-6)
    if isinstance(codec.quantizer, UnitQuantizer):
        norms = np.linalg.norm(codec.quantizer.sums(codes), axis=1)
        np.testing.assert_allclose(codec.quantizer.score_factors(codes), 1 / norms, rtol=1e-5)


def test_coordinates_of_vectors_without_a_mean_or_all_alike(vectors: Vectors) -> None:
    mirrored = np.vstack([vectors, -vectors])
    for X in (mirrored, np.ones((50, 40), np.float32) / 40**0.5):
        for spec in ("hybrid20B", "trellis12B", "hybrid4B+trellis4B"):
            codec = vecsmith.codec(spec).fit(X)
            codes = codec.encode(X[:9])
            scores = codec.quantizer.project(X[:5]) @ codec.quantizer.coordinates(codes).T
            np.testing.assert_allclose(scores, asymmetric_scores(codec, X[:5], codes), atol=1e-5)


@pytest.mark.parametrize("spec", [SPEC, "pca30,hybrid4B+hybrid4B", "median+hybrid4B", "hybrid4B+int4"])
def test_recentring_replaces_the_means_of_both(spec: str, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(vectors[:300])
    moved = normalize(vectors[300:] + np.linspace(-0.2, 0.2, 40, dtype=np.float32))
    recentered = codec.recentered(moved)
    reduced = moved
    for reducer in recentered.reducers:
        reduced = reducer.transform(reduced)
    now, before = recentered.quantizer, codec.quantizer
    left = now._residuals(reduced, now.first.encode(reduced))
    for one, mean in ((now.first, reduced.mean(axis=0)), (now.second, left.mean(axis=0))):
        if one.keeps_mean:
            np.testing.assert_allclose(one.mean_, mean, atol=1e-6)

    def cosine(codec: vecsmith.Codec) -> float:
        return float((normalize(codec.decode(codec.encode(moved))) * moved).sum(axis=1).mean())

    assert cosine(recentered) > cosine(codec)
    # the codec itself is as it was
    assert not np.allclose(now.decode(codec.encode(moved)), before.decode(codec.encode(moved)), atol=0.01)


def test_two_quantizers_without_a_mean_cannot_be_recentered(vectors: Vectors) -> None:
    codec = vecsmith.codec("median+int4").fit(vectors)
    assert not codec.keeps_mean
    with pytest.raises(VecsmithError, match="keeps no mean"):
        codec.recentered(vectors)


@pytest.mark.parametrize("spec", [SPEC, "median+trellis8B", "pca30,hybrid4B+hybrid4B"])
def test_the_first_codes_are_scanned_and_the_whole_codes_reorder(spec: str, vectors: Vectors) -> None:
    documents, queries = vectors[:500], vectors[500:]
    codec = vecsmith.codec(spec).fit(documents)
    codes = codec.encode(documents)
    first = vecsmith.codec(spec.partition("+")[0]).fit(documents)
    _, shortlist = vecsmith.Index(first, codes[:, : first.bytes_per_vector]).search(queries, vecsmith.index.SHORTLIST)
    scores, rows = vecsmith.Index(codec, codes, "rescored").search(queries, 10)
    every = np.take_along_axis(asymmetric_scores(codec, queries, codes), shortlist, axis=1)
    np.testing.assert_allclose(scores, -np.sort(-every, axis=1)[:, :10], atol=1e-5)
    assert (np.sort(rows, axis=1)[:, :, None] == shortlist[:, None, :]).any(axis=2).all()


def test_two_stages_find_more_than_the_first_alone(vectors: Vectors) -> None:
    documents, queries = vectors[:500], vectors[500:]
    codec = vecsmith.codec("hybrid2B+trellis8B").fit(documents)
    codes = codec.encode(documents)
    best = np.argsort(-(queries @ documents.T), axis=1)[:, :10]

    def recall(rows: NDArray[np.int64]) -> float:
        return float(np.mean([len(np.intersect1d(a, b)) for a, b in zip(rows, best, strict=True)]))

    two = recall(vecsmith.Index(codec, codes, "rescored").search(queries, 10)[1])
    coarse = vecsmith.codec("hybrid2B").fit(documents)
    assert two > recall(vecsmith.Index(coarse, coarse.encode(documents)).search(queries, 10)[1]) + 1
    assert two == pytest.approx(recall(vecsmith.Index(codec, codes).search(queries, 10)[1]), abs=0.5)


@pytest.mark.parametrize("spec", [SPEC, "median+hybrid5B"])
def test_add_delete_filter_save_and_load(spec: str, vectors: Vectors, tmp_path: Path) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    ids = [f"d{row}" for row in range(len(vectors))]
    index = vecsmith.Index(codec, codec.encode(vectors[:300]), "rescored", ids=ids[:300])
    for start, stop in ((300, 301), (301, 400), (400, 600)):
        index.add(vectors[start:stop], ids[start:stop])
    gone = np.random.default_rng(1).random(len(vectors)) < 0.3
    index.delete([id_ for id_, out in zip(ids, gone, strict=True) if out])
    kept = [id_ for id_, out in zip(ids, gone, strict=True) if not out]
    whole = vecsmith.Index(codec, codec.encode(vectors[~gone]), "rescored", ids=kept)
    scores, rows = whole.search(vectors[:25], 120)
    ours, our_rows = index.search(vectors[:25], 120)
    np.testing.assert_allclose(ours, scores, atol=1e-5)
    assert [[index.rows[row][0] for row in line] for line in our_rows] == [[kept[row] for row in line] for line in rows]
    allowed = kept[::7]
    assert {index.rows[row][0] for row in index.search(vectors[:9], 5, allowed)[1].ravel()} <= set(allowed)

    index.save(tmp_path / "index")
    assert np.load(tmp_path / "index" / "codes.npy").shape == (len(kept), codec.bytes_per_vector)
    assert not (tmp_path / "index" / "originals.npy").exists()
    for mmap in (True, False):
        loaded = vecsmith.Index.load(tmp_path / "index", mmap)
        assert (loaded.scoring, loaded.rows.ids) == ("rescored", kept)
        np.testing.assert_allclose(loaded.search(vectors[:25], 120)[0], scores, atol=1e-5)
    loaded.add(vectors[gone], [id_ for id_, out in zip(ids, gone, strict=True) if out])
    loaded.save(tmp_path / "index")
    again = vecsmith.Index.load(tmp_path / "index")
    everything = vecsmith.Index(codec, codec.encode(vectors), "rescored", ids=ids)
    np.testing.assert_allclose(again.search(vectors[:9], 50)[0], everything.search(vectors[:9], 50)[0], atol=1e-5)


def test_what_is_encoded_with_two_quantizers_is_searched_in_two_stages(vectors: Vectors, tmp_path: Path) -> None:
    codec = vecsmith.codec(SPEC).fit(vectors)
    CodeSet.encode(codec, vecsmith.EmbeddingSet([vectors]), tmp_path / "codes")
    index = vecsmith.Index.load(tmp_path / "codes")
    assert index.scoring == "rescored"
    expected = vecsmith.Index(codec, codec.encode(vectors), "rescored").search(vectors[:9], 10)
    np.testing.assert_allclose(index.search(vectors[:9], 10)[0], expected[0], atol=1e-5)


@pytest.mark.parametrize("spec", ["pca20+hybrid4B", "hybrid4B+trellis4B+trellis4B", "hybrid4B+fuse(a,b)"])
def test_only_two_quantizers_can_be_joined(spec: str) -> None:
    with pytest.raises(VecsmithError, match="not a quantizer that \\+ can combine"):
        vecsmith.codec(spec)


def test_a_part_that_is_unknown_is_named() -> None:
    with pytest.raises(VecsmithError, match="hybird4B"):
        vecsmith.codec("hybird4B+trellis4B")
    # FAISS's factory strings have pluses of their own
    assert vecsmith.codec("faiss:PQ8+16").quantizer.usage == "faiss:FACTORY"
    assert vecsmith.codec("hybrid4B+faiss:PQ8").quantizer.usage == "A+B"


def test_inverted_lists_of_the_first_codes(vectors: Vectors, tmp_path: Path) -> None:
    codec = vecsmith.codec(SPEC).fit(vectors)
    index = vecsmith.Index(codec, codec.encode(vectors), "rescored")
    index.build_lists(8)
    index.save(tmp_path / "index")
    loaded = vecsmith.Index.load(tmp_path / "index")
    for found in (index, loaded):
        np.testing.assert_allclose(
            found.search(vectors[:20], 10, probes=8)[0], index.search(vectors[:20], 10)[0], atol=1e-5
        )
    assert loaded.recall(vectors[:50], probes=3) > 0.7
