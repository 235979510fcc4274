"""What every codec promises, checked for every stage that the package has."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from vecsmith.codecs import STAGES
from vecsmith.errors import VecsmithError
from vecsmith.search import has_two_quantizers
from vecsmith.search.exact import asymmetric_scores
from vecsmith.search.two_stages import coarse

# every stage by itself, chains, and dimensions that do not fill bytes
SPECS = [
    *(stage.example for stage in STAGES.values()),
    "pca13,binary",
    "truncate13,int4",
    "truncate30,pca11,median",
    "pca20,faiss:PQ5x4",
]

Vectors = NDArray[np.float32]


@pytest.fixture(params=SPECS)
def spec(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_fit_returns_the_codec_and_encode_gives_the_bytes_it_says(spec: str, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec)
    assert codec.fit(vectors) is codec
    codes = codec.encode(vectors)
    assert codes.dtype == np.uint8
    assert codes.shape == (len(vectors), codec.bytes_per_vector)
    decoded = codec.decode(codes)
    assert decoded.dtype == np.float32
    assert decoded.shape == vectors.shape


def test_decoding_points_towards_the_vector(spec: str, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    decoded = codec.decode(codec.encode(vectors))
    cosine = (decoded * vectors).sum(axis=1) / np.linalg.norm(decoded, axis=1)
    shuffled = (decoded[::-1] * vectors).sum(axis=1) / np.linalg.norm(decoded[::-1], axis=1)
    assert cosine.mean() > shuffled.mean() + 0.1


def test_same_seed_same_codes(spec: str, vectors: Vectors) -> None:
    first, second = (vecsmith.codec(spec, seed=3).fit(vectors).encode(vectors) for _ in range(2))
    assert np.array_equal(first, second)


def test_a_vector_is_encoded_alike_alone_and_among_others(spec: str, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    together = codec.decode(codec.encode(vectors[:40]))
    alone = np.vstack([codec.decode(codec.encode(vectors[row : row + 1])) for row in range(40)])
    # BLAS may round a product otherwise for another number of rows, which can move a value across a threshold
    assert np.isclose(together, alone, atol=1e-5).all(axis=1).mean() > 0.95


def test_encode_learns_nothing(spec: str, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(vectors[:300])
    before = codec.encode(vectors[:50])
    codec.encode(-vectors)
    assert np.array_equal(codec.encode(vectors[:50]), before)


def test_recentred_follows_a_corpus_that_has_moved(spec: str, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    moved = vectors + np.linspace(-0.5, 0.5, vectors.shape[1], dtype=np.float32)
    if not codec.keeps_mean:
        with pytest.raises(VecsmithError, match="keeps no mean"):
            codec.recentred(moved)
        return
    # a search before must leave nothing behind that the new mean does not suit
    vecsmith.Index(codec, codec.encode(vectors)).search(vectors[:5])
    here, recentred = codec.recentred(vectors), codec.recentred(moved)
    codes = here.encode(vectors)
    # the exact same values on another mean, but for rounding; what a first quantizer leaves depends on the mean
    same = coarse(here).bytes_per_vector if has_two_quantizers(here) else here.bytes_per_vector
    assert (recentred.encode(moved) == codes)[:, :same].all(axis=1).mean() > 0.9
    assert not np.allclose(recentred.decode(codes), here.decode(codes), atol=0.01)
    assert np.array_equal(here.encode(vectors), codes)
    # a scan that kept something of the former mean would score otherwise
    scores, rows = vecsmith.Index(recentred, codes).search(vectors[:5], 20)
    expected = np.take_along_axis(asymmetric_scores(recentred, vectors[:5], codes), rows, axis=1)
    np.testing.assert_allclose(scores, expected, atol=1e-4)


def test_round_trip_through_disk(spec: str, vectors: Vectors, tmp_path: Path) -> None:
    codec = vecsmith.codec(spec, seed=1).fit(vectors)
    codec.save(tmp_path / "codec")
    loaded = vecsmith.load_codec(tmp_path / "codec")
    codes = codec.encode(vectors)
    assert (loaded.spec, loaded.seed) == (codec.spec, codec.seed)
    assert loaded.codec_bytes == codec.codec_bytes
    assert np.array_equal(loaded.encode(vectors), codes)
    assert np.array_equal(loaded.decode(codes), codec.decode(codes))


def test_takes_float16_and_memory_mapped_vectors(spec: str, vectors: Vectors, tmp_path: Path) -> None:
    np.save(tmp_path / "vectors.npy", vectors.astype(np.float16))
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    codec = vecsmith.codec(spec).fit(mapped)
    assert np.array_equal(codec.encode(mapped), codec.encode(vectors.astype(np.float16)))


def test_index_scores_like_the_exact_oracle(spec: str, vectors: Vectors) -> None:
    if "RaBitQ" in spec:
        pytest.skip("RaBitQ scores with an estimator of its own")
    documents, queries = vectors[:500], vectors[500:]
    codec = vecsmith.codec(spec).fit(documents)
    codes = codec.encode(documents)
    oracle = asymmetric_scores(codec, queries, codes)
    scores, rows = vecsmith.Index(codec, codes).search(queries, 10)
    np.testing.assert_allclose(scores, np.take_along_axis(oracle, rows, axis=1), atol=1e-5)
    found = np.isclose(scores, -np.sort(-oracle, axis=1)[:, :10], atol=1e-5)
    # where scores are scaled after the scan, a document of small scale may be looked at too late
    assert found.all() if codec.quantiser.scales(codes) is None else found.mean() > 0.98


def test_unfitted_use_is_one_clear_sentence(spec: str, vectors: Vectors, tmp_path: Path) -> None:
    codec = vecsmith.codec(spec)
    for use in (
        lambda: codec.encode(vectors),
        lambda: codec.decode(np.zeros((1, 4), np.uint8)),
        lambda: codec.save(tmp_path / "codec"),
        lambda: codec.bytes_per_vector,
    ):
        with pytest.raises(VecsmithError, match="not fitted"):
            use()
    assert not (tmp_path / "codec").exists()


def test_wrong_input_is_refused(spec: str, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    with pytest.raises(VecsmithError, match="takes vectors of 40 dimensions"):
        codec.encode(vectors[:, :39])
    with pytest.raises(VecsmithError, match="bytes"):
        codec.decode(np.zeros((3, codec.bytes_per_vector + 1), np.uint8))
    broken = vectors.copy()
    broken[123, 4] = np.nan
    with pytest.raises(VecsmithError, match="row 123"):
        codec.encode(broken)
    with pytest.raises(VecsmithError, match="row 123"):
        vecsmith.codec(spec).fit(broken)


def test_learns_says_whether_fitting_matters(spec: str, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    other = vecsmith.codec(spec).fit(vectors[::-1] ** 2)
    if codec.learns:
        assert not np.array_equal(codec.encode(vectors), other.encode(vectors))
    else:
        assert np.array_equal(codec.encode(vectors), other.encode(vectors))
        assert codec.codec_bytes == 0


def test_damaged_files_give_the_clear_error_or_load_intact(spec: str, vectors: Vectors, tmp_path: Path) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    folder = tmp_path / "codec"
    codec.save(folder)
    codes = codec.encode(vectors)
    rng = np.random.default_rng(0)
    for trial in range(300):
        name = ("config.json", "weights.safetensors")[trial % 2]
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(mutated(content, rng))
        with contextlib.suppress(VecsmithError):
            assert np.array_equal(vecsmith.load_codec(folder).encode(vectors), codes)
        (folder / name).write_bytes(content)


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """Change, drop, repeat or cut some bytes."""
    where = int(rng.integers(len(content)))
    length = int(rng.integers(1, 8))
    kind = rng.integers(4)
    if kind == 0:
        return content[:where] + rng.bytes(length) + content[where + length :]
    if kind == 1:
        return content[:where] + content[where + length :]
    if kind == 2:
        return content[:where] + content[where : where + length] + content[where:]
    return content[:where]


def test_newer_format_is_refused_with_both_versions(spec: str, vectors: Vectors, tmp_path: Path) -> None:
    vecsmith.codec(spec).fit(vectors).save(tmp_path / "codec")
    config = tmp_path / "codec" / "config.json"
    content = json.loads(config.read_text())
    config.write_text(json.dumps({**content, "format_version": 7}))
    with pytest.raises(VecsmithError, match=r"format version 7, .* up to 1"):
        vecsmith.load_codec(tmp_path / "codec")
