"""What every codec promises, checked for every stage that the package has."""

import contextlib
import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_get_params_invariance
from sklearn.utils.validation import check_is_fitted

import vecsmith
from oracles import asymmetric_scores
from vecsmith import EmbeddingSet
from vecsmith.codecs import STAGES
from vecsmith.errors import VecsmithError
from vecsmith.index.two_stages import first_stage

# every stage by itself, chains, dimensions that do not fill bytes, and other ways to train
SPECS = [
    *(stage.example for stage in STAGES.values()),
    "pca13,binary",
    "truncate13,int4",
    "truncate30,pca11,median",
    "pca20,faiss:PQ5x4",
    "thresholds(steps=20,starts=2,loss=similarity)",
    "grouped3B(steps=20,rule=sum)",
    "neural4B(steps=20,starts=2,loss=contrastive)",
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


def test_only_the_direction_of_a_vector_counts(spec: str, vectors: Vectors) -> None:
    scaled = vectors * np.float32(2) ** np.arange(-60, 60, 0.2, dtype=np.float32)[:, None]
    codec, other = vecsmith.codec(spec).fit(vectors), vecsmith.codec(spec).fit(scaled)
    decoded = codec.decode(codec.encode(vectors))
    assert np.isclose(codec.decode(codec.encode(scaled)), decoded, atol=1e-5).all(axis=1).mean() > 0.95
    # rounding may tip a training another way, so that codecs are compared by how well they decode
    agreement, expected = ((Y * vectors).sum() for Y in (other.decode(other.encode(vectors)), decoded))
    np.testing.assert_allclose(agreement, expected, rtol=0.05)


def test_all_zero_vectors_teach_nothing_and_are_encoded(spec: str, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    with_zeros = np.insert(vectors, [0, 300, 600], 0, axis=0)
    other = vecsmith.codec(spec).fit(with_zeros)
    assert np.array_equal(other.encode(vectors), codec.encode(vectors))
    assert len(codec.encode(with_zeros)) == 603
    with pytest.raises(VecsmithError, match="all zero"):
        vecsmith.codec(spec).fit(np.zeros_like(vectors))


def test_vectors_of_every_kind_give_the_same_codes(spec: str, vectors: Vectors, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    codec = vecsmith.codec(spec).fit(vectors)
    codes = codec.encode(vectors)
    EmbeddingSet(vectors).save(tmp_path / "set")
    for given in (EmbeddingSet.open(tmp_path / "set"), vectors.tolist(), torch.tensor(vectors, requires_grad=True)):
        assert np.array_equal(codec.encode(given), codes)
        assert np.array_equal(vecsmith.codec(spec).fit(given).encode(vectors), codes)
    halves = torch.tensor(vectors).to(torch.bfloat16)
    assert np.array_equal(codec.encode(halves), codec.encode(halves.float().numpy()))


def test_what_is_no_float_vector_is_refused_with_a_hint(spec: str, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    codes = codec.encode(vectors)
    for use in (codec.fit, codec.encode, codec.transform, vecsmith.Index(codec, codes).search):
        for wrong, sentence in (
            (codes, "must be floats, not uint8 .* codes have this dtype"),
            ((100 * vectors).astype(np.int64), r"must be floats, not int64 .* \.astype\('float32'\)"),
            (vectors[0], r"must have shape \(n, d\), not \(40,\); write X\[None\]"),
            ([[0.1, 0.2], [0.3]], "lists of different lengths"),
        ):
            with pytest.raises(VecsmithError, match=sentence):
                use(wrong)


def test_a_fitted_codec_and_its_index_are_pickled(spec: str, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    index = vecsmith.Index(codec, vectors, ids=[f"id{row}" for row in range(600)])
    scores, rows = index.search(vectors[:9])
    for copied in (pickle.loads(pickle.dumps(index)), copy.deepcopy(index)):
        np.testing.assert_allclose(copied.search(vectors[:9])[0], scores, atol=1e-6)
        assert np.array_equal(copied.search(vectors[:9])[1], rows)
    assert np.array_equal(pickle.loads(pickle.dumps(codec)).encode(vectors), codec.encode(vectors))


def test_a_codec_is_an_estimator_of_scikit_learn(spec: str, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec, seed=2)
    cloned = clone(codec)
    assert (cloned.spec, cloned.seed) == (spec, 2)
    with pytest.raises(NotFittedError):
        check_is_fitted(codec)
    pipeline = make_pipeline(FunctionTransformer(), codec)
    reduced = pipeline.fit_transform(vectors)
    check_is_fitted(codec)
    assert reduced.shape == (600, codec.dimensions)
    assert np.array_equal(reduced, codec.transform(vectors))
    assert np.array_equal(reduced, cloned.fit_transform(vectors))
    assert codec.inverse_transform(reduced).shape == vectors.shape
    # what the quantizer encodes is the reduced vector
    assert np.array_equal(codec.quantizer.encode(reduced), codec.encode(vectors))
    with pytest.raises(NotFittedError):
        check_is_fitted(codec.set_params(seed=3))
    with pytest.raises(VecsmithError, match="no parameter 'size'"):
        codec.set_params(size=3)
    check_get_params_invariance("codec", codec)


def test_encode_learns_nothing(spec: str, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(vectors[:300])
    before = codec.encode(vectors[:50])
    codec.encode(-vectors)
    assert np.array_equal(codec.encode(vectors[:50]), before)


def test_recentered_follows_a_corpus_that_has_moved(spec: str, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    moved = vectors + np.linspace(-0.5, 0.5, vectors.shape[1], dtype=np.float32)
    if not codec.keeps_mean:
        with pytest.raises(VecsmithError, match="keeps no mean"):
            codec.recentered(moved)
        return
    # a search before must leave nothing behind that the new mean does not suit
    vecsmith.Index(codec, codec.encode(vectors)).search(vectors[:5])
    here, recentered = codec.recentered(vectors), codec.recentered(moved)
    # of two quantizers, what the first leaves to the second depends on the mean
    first, moved_first = ((first_stage(each) or each).quantizer for each in (here, recentered))
    Z, moved_Z = here.transform(vectors), recentered.transform(moved)
    np.testing.assert_allclose(moved_first.mean_, moved_Z.mean(axis=0), atol=1e-6)
    # the exact same values on another mean, but for rounding
    shifted = Z + (moved_first.mean_ - first.mean_)
    assert (moved_first.encode(shifted) == first.encode(Z)).all(axis=1).mean() > 0.9
    codes = here.encode(vectors)
    assert not np.allclose(recentered.decode(codes), here.decode(codes), atol=0.01)
    assert np.array_equal(here.encode(vectors), codes)
    # a scan that kept something of the former mean would score otherwise
    scores, rows = vecsmith.Index(recentered, codes).search(vectors[:5], 20)
    expected = np.take_along_axis(asymmetric_scores(recentered, vectors[:5], codes), rows, axis=1)
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
    assert found.all() if codec.quantizer.score_factors(codes) is None else found.mean() > 0.98


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
    if codec.requires_fit:
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
