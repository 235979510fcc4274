"""Codes that FAISS cannot scan are decoded block by block in every search."""

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from oracles import asymmetric_scores
from vecsmith.codecs import scan
from vecsmith.codecs.scan import search_decoded

Vectors = NDArray[np.float32]
SPECS = ["hybrid4B+trellis4B", "pca20,int8+int4", "grouped3B(steps=3)", "thresholds(steps=3)"]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decode 64 codes at a time, so that even the few vectors of a test are several blocks."""
    monkeypatch.setattr(scan, "SEARCH_BLOCK_ROWS", 64)


def fitted(spec: str, vectors: Vectors) -> vecsmith.Codec:
    if "steps" in spec:
        pytest.importorskip("torch")
    return vecsmith.codec(spec).fit(vectors)


class Decoder:
    """Decodes by a quantizer, and counts the decoded codes."""

    def __init__(self, codec: vecsmith.Codec, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, self.largest, self._decode = 0, 0, codec.quantizer.decode
        monkeypatch.setattr(codec.quantizer, "decode", self)

    def __call__(self, codes: NDArray[np.uint8]) -> Vectors:
        self.count, self.largest = self.count + len(codes), max(self.largest, len(codes))
        return self._decode(codes)


@pytest.mark.parametrize("k", [1, 10, 150])
@pytest.mark.parametrize("spec", SPECS)
def test_blocks_give_the_exact_ranking(spec: str, k: int, vectors: Vectors) -> None:
    codec = fitted(spec, vectors)
    codes = codec.encode(vectors)
    oracle = asymmetric_scores(codec, vectors[:30], codes)
    scores, rows = vecsmith.Index(codec, codes).search(vectors[:30], k)
    np.testing.assert_allclose(scores, -np.sort(-oracle, axis=1)[:, :k], atol=1e-5)
    np.testing.assert_allclose(scores, np.take_along_axis(oracle, rows, axis=1), atol=1e-5)
    assert codec.memory_bytes_per_vector == codec.bytes_per_vector
    assert not codec.quantizer.scanned


def test_ties_in_different_blocks_break_by_id(vectors: Vectors) -> None:
    codec = vecsmith.codec("hybrid4B+trellis4B").fit(vectors)
    ids = [f"{row * 7919 % 600:03}" for row in range(600)]
    index = vecsmith.Index(codec, np.repeat(codec.encode(vectors[:2]), 300, axis=0), ids=ids)
    rows = index.search(vectors[:1], 40)[1][0]
    first = 0 if rows[0] < 300 else 300
    assert [ids[row] for row in rows] == sorted(ids[first : first + 300], reverse=True)[:40]


def test_filters_deletions_and_lists_decode_no_other_codes(vectors: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = vecsmith.codec("hybrid4B+trellis4B").fit(vectors)
    codes, k = codec.encode(vectors), 5
    decoder = Decoder(codec, monkeypatch)
    oracle = asymmetric_scores(codec, vectors[:4], codes)
    index = vecsmith.Index(codec, codes)
    allowed = np.arange(600) % 6 == 0
    decoder.count = decoder.largest = 0
    scores, rows = index.search(vectors[:4], k, allowed)
    assert (decoder.count, decoder.largest) == (100, 64)
    expected = np.where(allowed, oracle, -np.inf)
    np.testing.assert_allclose(scores, -np.sort(-expected, axis=1)[:, :k], atol=1e-5)
    assert allowed[rows].all()

    index.delete(np.flatnonzero(~allowed))
    decoder.count = 0
    assert np.array_equal(index.search(vectors[:4], k)[1], rows)
    assert decoder.count == 100

    index = vecsmith.Index(codec, codes)
    index.build_lists(20)
    lists = index.partitions[0].lists
    assert lists is not None
    decoder.count = 0
    index.search(vectors[:1], k, probes=2)
    assert decoder.count == np.isin(lists.numbers, lists.nearest(vectors[:1], 2)).sum()
    assert decoder.count < 200


def test_floats_of_all_documents_are_never_in_memory(vectors: Vectors) -> None:
    codec = vecsmith.codec("hybrid4B+trellis4B").fit(vectors)
    codes = np.tile(codec.encode(vectors), (40, 1))
    index = vecsmith.Index(codec, codes)
    tracemalloc.start()
    index.search(vectors[:2], 10)
    memory = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert memory < len(codes) * 40 * 4 / 8


def test_places_restrict_the_search_to_some_codes(vectors: Vectors) -> None:
    codes = np.ascontiguousarray(vectors).view(np.uint8)
    places = np.random.default_rng(0).permutation(600)[:200]
    scores, found = search_decoded(lambda block: block.view(np.float32), codes, vectors[:9], 200, places)
    assert np.array_equal(np.sort(found), np.tile(np.sort(places), (9, 1)))
    np.testing.assert_allclose(scores, np.take_along_axis(vectors[:9] @ vectors.T, found, axis=1), atol=1e-6)
