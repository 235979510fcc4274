"""The mathematics of each method, and specs."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from threadpoolctl import threadpool_info, threadpool_limits

import vecsmith
from vecsmith.codecs import STAGES, stages
from vecsmith.codecs import codec as codec_module
from vecsmith.codecs.quantizers import additive
from vecsmith.codecs.quantizers.bits import signs
from vecsmith.errors import VecsmithError, VecsmithWarning
from vecsmith.training import validation

Vectors = NDArray[np.float32]


def error(codec: vecsmith.Codec, X: Vectors) -> float:
    return float(((codec.decode(codec.encode(X)) - X) ** 2).sum(axis=1).mean())


def test_float32_is_lossless_and_float16_nearly(vectors: Vectors) -> None:
    assert error(vecsmith.codec("float32").fit(vectors), vectors) == 0
    assert 0 < error(vecsmith.codec("float16").fit(vectors), vectors) < 1e-6


@pytest.mark.parametrize(("spec", "levels"), [("int8", 256), ("int4", 16)])
def test_scalar_codes_use_all_levels_and_round_to_the_nearest(spec: str, levels: int, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    stage = codec.quantizer
    grid = stage.lowest_ + stage.step_ * np.arange(levels)[:, None]
    decoded = codec.decode(codec.encode(vectors))
    nearest = np.take_along_axis(grid, np.abs(vectors[:, None] - grid).argmin(axis=1), axis=0)
    np.testing.assert_allclose(decoded, nearest, atol=1e-5)
    assert len(np.unique(decoded[:, 0])) > levels / 2


@pytest.mark.parametrize("spec", ["int8", "int4"])
def test_scalar_codes_clip_and_do_not_wrap_around(spec: str, vectors: Vectors) -> None:
    codec = vecsmith.codec(spec).fit(vectors)
    far = np.eye(40, dtype=np.float32)
    high, low = (np.diag(codec.decode(codec.encode(sign * far))) for sign in (1, -1))
    stage = codec.quantizer
    width = {"int8": 255, "int4": 15}[spec] * stage.step_
    np.testing.assert_allclose(high, stage.lowest_ + width, atol=1e-5)
    np.testing.assert_allclose(low, stage.lowest_, atol=1e-5)


def test_more_bits_less_error(vectors: Vectors) -> None:
    specs = ["median", "int4", "int8", "float16"]
    errors = [error(vecsmith.codec(spec).fit(vectors), vectors) for spec in specs]
    assert errors == sorted(errors, reverse=True)


def test_scalar_codes_match_faiss_in_layout_and_beat_its_default_range(vectors: Vectors) -> None:
    codec = vecsmith.codec("int4").fit(vectors)
    rival = faiss.ScalarQuantizer(40, faiss.ScalarQuantizer.QT_4bit)
    rival.train(vectors)
    rival_error = ((rival.decode(rival.compute_codes(vectors)) - vectors) ** 2).sum(axis=1).mean()
    assert codec.bytes_per_vector == rival.code_size
    assert error(codec, vectors) < rival_error


def test_constant_dimension_survives(vectors: Vectors) -> None:
    constant = vectors.copy()
    constant[:, 7] = 0
    constant *= np.sqrt(1 - 0.25**2) / np.linalg.norm(constant, axis=1, keepdims=True)
    constant[:, 7] = 0.25
    for spec in ("int8", "int4", "median", "pca16", "pca16,binary"):
        codec = vecsmith.codec(spec).fit(constant)
        decoded = codec.decode(codec.encode(constant))
        assert np.isfinite(decoded).all(), spec
    for spec in ("int8", "int4", "median"):
        codec = vecsmith.codec(spec).fit(constant)
        np.testing.assert_allclose(codec.decode(codec.encode(constant))[:, 7], 0.25, atol=1e-6)


@pytest.mark.parametrize("dimensions", [1, 7, 8, 9, 13])
def test_odd_dimensions_are_packed_exactly(dimensions: int, vectors: Vectors) -> None:
    X = vectors[:, :dimensions]
    codec = vecsmith.codec("binary").fit(X)
    codes = codec.encode(X)
    assert codes.shape[1] == -(-dimensions // 8)
    unpacked = np.unpackbits(codes, axis=1, bitorder="little")
    assert np.array_equal(unpacked[:, :dimensions], X > 0)
    assert not unpacked[:, dimensions:].any()
    assert np.array_equal(codec.decode(codes) > 0, X > 0)


def test_median_balances_bits(vectors: Vectors) -> None:
    codec = vecsmith.codec("median").fit(vectors)
    bits = np.unpackbits(codec.encode(vectors), axis=1, bitorder="little")
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.01


def test_bits_project_queries_as_the_affine_decoding_says(vectors: Vectors) -> None:
    for spec in ("binary", "median", "pca13,median"):
        codec = vecsmith.codec(spec).fit(vectors)
        codes = codec.encode(vectors[:100])
        reduced, offset = codec.reduce_queries(vectors[100:120])
        weights, shift = codec.quantizer.project_queries(reduced)
        offset = offset + shift
        scores = weights @ signs(codes).T + offset[:, None]
        np.testing.assert_allclose(scores, vectors[100:120] @ codec.decode(codes).T, atol=1e-5)


def test_pca_agrees_with_the_truncated_svd_of_scikit_learn(vectors: Vectors) -> None:
    reduced = vecsmith.codec("pca12").fit(vectors).reducers[0].transform(vectors)
    theirs = TruncatedSVD(12, algorithm="arpack").fit_transform(vectors)
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    np.testing.assert_allclose(np.abs(reduced), np.abs(theirs), atol=1e-4)


def test_pca_reconstructs_better_as_components_grow(vectors: Vectors) -> None:
    errors = [error(vecsmith.codec(f"pca{k}").fit(vectors), vectors) for k in (2, 8, 20, 40)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-9


def test_pca_keeps_the_inner_product_with_the_mean(vectors: Vectors) -> None:
    codec = vecsmith.codec("pca40").fit(vectors)
    scores, rows = vecsmith.Index(codec, codec.encode(vectors)).search(vectors[:5], 600)
    np.testing.assert_allclose(scores, np.take_along_axis(vectors[:5] @ vectors.T, rows, axis=1), atol=1e-4)


def test_truncate_normalizes_again(vectors: Vectors) -> None:
    reduced = vecsmith.codec("truncate9").fit(vectors).decode(vecsmith.codec("truncate9").fit(vectors).encode(vectors))
    np.testing.assert_allclose(np.linalg.norm(reduced, axis=1), 1, atol=1e-5)
    assert not reduced[:, 9:].any()


@pytest.mark.parametrize("factory", ["PQ10x4", "OPQ10,PQ10x4", "SQ8", "RaBitQ", "PCA20,SQ4", "RR40,RaBitQ"])
def test_rivals_rank_as_faiss_itself_does(factory: str, vectors: Vectors) -> None:
    documents, queries = vectors[:500], vectors[500:]
    codec = vecsmith.codec(f"faiss:{factory}").fit(documents)
    index = faiss.index_factory(40, factory, faiss.METRIC_INNER_PRODUCT)
    index.train(documents)
    index.add(documents)
    scores, _ = vecsmith.Index(codec, codec.encode(documents)).search(queries, 10)
    expected, _ = index.search(queries, 10)
    np.testing.assert_allclose(scores, expected, atol=1e-3)


@pytest.mark.parametrize("factory", ["PQ7", "nonsense", "HNSW16"])
def test_rivals_that_cannot_be_codes_say_so(factory: str, vectors: Vectors) -> None:
    with pytest.raises(VecsmithError, match=f"faiss:{factory}"):
        vecsmith.codec(f"faiss:{factory}").fit(vectors)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("int9", "did you mean 'int8'"),
        ("trunkate128", "did you mean 'truncateK'"),
        ("binary,pca8", "goes on after its quantizer"),
        ("int8,binary", "goes on after its quantizer"),
        ("", "Unknown codec ''"),
        ("pca", "did you mean 'pcaK'"),
        ("pcaK", "'pcaK': write a number for K, such as pca192"),
        ("pca16,trellisNB", "write a number for N, such as trellis48B"),
        ("autoencoderK:linear", "such as autoencoder192:linear"),
        ("runs/my-codec", "there is no such folder"),
    ],
)
def test_wrong_specs_name_what_is_wrong(spec: str, message: str) -> None:
    with pytest.raises(VecsmithError, match=message):
        vecsmith.codec(spec)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("pca16, int8", "pca16,int8"),
        ("  PCA16 ,Int8 ", "pca16,int8"),
        ("pca016", "pca16"),
        ("trellis8b", "trellis8B"),
        ("Binary-Autoencoder5b", "binary-autoencoder5B"),
        ("hybrid4B + TRELLIS4b", "hybrid4B+trellis4B"),
        ("FUSE(MiniLM@3, b):Fit, pca8", "fuse(MiniLM@3,b):fit,pca8"),
        ("pca8, FAISS:OPQ4,PQ4x4fs", "pca8,faiss:OPQ4,PQ4x4fs"),
        ("Adaptor8( weight_decay=.10, learning_rate = 1E-3 )", "adaptor8(learning_rate=0.001,weight_decay=0.1)"),
    ],
)
def test_specs_are_kept_in_one_form(written: str, kept: str) -> None:
    codec = vecsmith.codec(written)
    assert codec.spec == kept
    assert vecsmith.codec(kept).spec is kept


def test_specs_of_the_registry_are_in_that_form_already() -> None:
    for stage in STAGES.values():
        assert vecsmith.codec(stage.example).spec == stage.example


@pytest.mark.parametrize("spec", ["pca0", "pca41", "truncate0", "truncate41", "truncate8,pca9"])
def test_parameters_that_do_not_suit_the_vectors(spec: str, vectors: Vectors) -> None:
    with pytest.raises(VecsmithError, match="choose from 1 to"):
        vecsmith.codec(spec).fit(vectors)


@pytest.mark.parametrize("spec", ["hybrid1B", "grouped1B", "additive1B"])
def test_vectors_that_no_parameter_suits(spec: str) -> None:
    with pytest.raises(VecsmithError, match="nor does another number of bytes"):
        vecsmith.codec(spec).fit(np.eye(8, 1, dtype=np.float32))


def test_fitting_warns_of_few_vectors_and_of_those_that_it_does_not_use(
    vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.warns(VecsmithWarning, match="pca2 is fitted on only 3 vectors"):
        vecsmith.codec("pca2").fit(vectors[:3])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vecsmith.codec("binary").fit(vectors[:3])  # it learns nothing
        vecsmith.codec("pca2").fit(vectors[:100])
    monkeypatch.setattr(codec_module, "FIT_VECTORS", 500)
    with pytest.warns(VecsmithWarning, match="Fitting uses 500 of the 600 vectors"):
        vecsmith.codec("pca2").fit(vectors)
    monkeypatch.setattr(validation, "MAX_VECTORS", 400)
    with pytest.warns(VecsmithWarning, match="Training uses 400 of the 500 vectors"):
        vecsmith.codec("thresholds(steps=1)").fit(vectors)
    monkeypatch.setattr(additive, "TRAINING_VECTORS", 300)
    with pytest.warns(VecsmithWarning, match="additive2B learns from 300 of the 500 vectors"):
        vecsmith.codec("additive2B").fit(vectors)


def test_of_many_vectors_a_sample_is_learned_from(vectors: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vecsmith.codecs.codec, "FIT_VECTORS", 100)
    codec = vecsmith.codec("median", seed=5).fit(vectors)
    rows = np.sort(np.random.default_rng(5).choice(len(vectors), 100, replace=False))
    np.testing.assert_allclose(codec.quantizer.threshold_, np.median(vectors[rows], axis=0))
    broken = vectors.copy()
    broken[rows[7]] = np.inf
    with pytest.raises(VecsmithError, match=f"row {rows[7]};"):
        vecsmith.codec("median", seed=5).fit(broken)


def test_saving_never_replaces_something_else(vectors: Vectors, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("irreplaceable")
    codec = vecsmith.codec("int8").fit(vectors)
    # as the folders of models have, and many others
    for name in ("", "config.json", "codes.npy"):
        if name:
            (tmp_path / "thesis" / name).write_text("{}")
        with pytest.raises(VecsmithError, match="already holds something else"):
            codec.save(tmp_path / "thesis")
        with pytest.raises(VecsmithError, match="already holds something else"):
            vecsmith.Index(codec, codec.encode(vectors)).save(tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter1.txt").read_text() == "irreplaceable"


def test_saving_again_replaces_the_codec(vectors: Vectors, tmp_path: Path) -> None:
    for spec in ("int8", "pca8"):
        vecsmith.codec(spec).fit(vectors).save(tmp_path / "codec")
    assert vecsmith.load_codec(tmp_path / "codec").spec == "pca8"
    assert [path.name for path in tmp_path.iterdir()] == ["codec"]


def test_codecs_fitted_at_once_leave_stderr_as_it_was() -> None:
    X = np.random.default_rng(0).standard_normal((300, 16)).astype(np.float32)
    before = os.fstat(2)
    with ThreadPoolExecutor(4) as threads:
        list(
            threads.map(
                lambda spec: vecsmith.codec(spec).fit(X), ["faiss:PQ4x4", "faiss:PQ8x4", "itq2B", "hybrid4B"] * 2
            )
        )
    assert os.path.samestat(os.fstat(2), before)


def test_blocks_in_threads_use_one_thread_of_blas_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "CODE_BLOCK_ROWS", 10)
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(2)

    def of_blas() -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    try:
        with threadpool_limits(2, user_api="blas"):
            before, inside, rows = of_blas(), list[set[int]](), list[slice]()
            stages.for_each_block(lambda block: (inside.append(of_blas()), rows.append(block)), 95)
            assert of_blas() == before == {2}
        assert inside == [{1}] * 10
        assert sorted(block.start for block in rows) == list(range(0, 95, 10))
    finally:
        faiss.omp_set_num_threads(threads)
