"""Several models' vectors as one: aligned by id, weighted, fitted, saved."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

import vecsmith
from vecsmith.cli import app
from vecsmith.embeddings import EmbeddingSet, Provenance, fuse, normalize
from vecsmith.encoders import embed_task, embed_texts, load_encoder
from vecsmith.encoders.load import split_spec
from vecsmith.errors import VecsmithError
from vecsmith.tasks import Texts

Vectors = NDArray[np.float32]
Models = tuple[EmbeddingSet, EmbeddingSet]


@pytest.fixture
def models(vectors: Vectors) -> Models:
    """Return sets of two models: one sees the meaning, the other a part of it, with an error of its own."""
    rng = np.random.default_rng(1)
    ids = [f"d{row}" for row in range(len(vectors))]
    other = vectors @ rng.standard_normal((40, 16), np.float32) / 40**0.5
    return (
        EmbeddingSet(vectors, ids, provenance=Provenance(encoder="st:org/large")),
        EmbeddingSet(3 * other, ids, provenance=Provenance(encoder="static")),
    )


def test_rows_are_aligned_by_id_and_blocks_have_unit_length(models: Models) -> None:
    a, b = models
    order = np.random.default_rng(2).permutation(len(b))
    shuffled = EmbeddingSet(b.vectors[order], [b.ids[row] for row in order], provenance=b.provenance)
    fused = fuse([a, shuffled])
    assert fused.ids == a.ids
    assert dict(fused.blocks) == {"large": 40, "static": 16}
    np.testing.assert_allclose(fused.vectors, np.hstack([a.vectors, normalize(b.vectors)]), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(fused.unit[:], axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(fused.unit[3:5] * 2**0.5, fused.vectors[3:5], atol=1e-6)


def test_other_rows_are_refused_with_which_and_how_many(models: Models) -> None:
    a, b = models
    other = EmbeddingSet(b.vectors[:599], [*b.ids[:597], "x", "y"])
    with pytest.raises(VecsmithError, match=r"lacks 3 ids \('d597', 'd598', 'd599'\).* has 2 ids \('x', 'y'\)"):
        fuse([a, other])


def test_blocks_stay_on_disk(models: Models, tmp_path: Path) -> None:
    fused = fuse(models)
    fused.save(tmp_path / "set")
    opened = EmbeddingSet.open(tmp_path / "set")
    assert list(opened.blocks.items()) == [("large", 40), ("static", 16)]
    assert opened.provenance.encoder == "st:org/large+static"
    assert opened.fingerprint == fused.fingerprint


def test_two_of_a_name_are_told_apart(models: Models) -> None:
    assert list(fuse([models[0], models[0]]).blocks) == ["large", "large#2"]


def test_a_score_is_the_weighted_sum_of_cosines(models: Models) -> None:
    codec = vecsmith.codec("fuse(large:2,static:1)").fit(models)
    fused = fuse(models)
    queries, documents = fused.unit[:20], fused.unit[20:]
    scores, rows = vecsmith.Index(codec, codec.encode(documents)).search(queries, 5)
    cosines = [normalize(each.vectors)[:20] @ normalize(each.vectors)[20:].T for each in models]
    expected = 0.8 * cosines[0] + 0.2 * cosines[1]
    np.testing.assert_allclose(scores, -np.sort(-expected, axis=1)[:, :5], atol=1e-5)
    np.testing.assert_allclose(scores, np.take_along_axis(expected, rows, axis=1), atol=1e-5)


def test_equal_weights_give_back_what_came_in(models: Models) -> None:
    X = fuse(models).unit[:]
    codec = vecsmith.codec("fuse(large,static)").fit(models)
    np.testing.assert_allclose(codec.decode(codec.encode(X)), X, atol=1e-6)


def test_sets_arrays_and_a_fused_set_are_the_same(models: Models) -> None:
    spec = "fuse(large,static:0.7),pca12,int8"
    arrays = [each.vectors for each in models]
    codes = vecsmith.codec(spec).fit(models).encode(models)
    assert np.array_equal(vecsmith.codec(spec).fit(arrays).encode(arrays), codes)
    assert np.array_equal(vecsmith.codec(spec).fit(fuse(models).unit).encode(fuse(models).unit), codes)


def test_saved_codec_knows_its_models(models: Models, tmp_path: Path) -> None:
    codec = vecsmith.codec("fuse(large,static):fit,pca12").fit(models)
    codec.save(tmp_path / "codec")
    loaded = vecsmith.load_codec(tmp_path / "codec")
    assert list(loaded.blocks.items()) == [("large", 40), ("static", 16)]
    assert np.array_equal(loaded.stages[0].weights, codec.stages[0].weights)
    assert np.array_equal(loaded.encode(models), codec.encode(models))
    assert json.loads((tmp_path / "codec" / "config.json").read_text())["blocks"] == {"large": 40, "static": 16}


def test_models_in_another_order_are_refused(models: Models, vectors: Vectors) -> None:
    codec = vecsmith.codec("fuse(large,static)").fit(models)
    with pytest.raises(VecsmithError, match=r"large \(40\), static \(16\), but got static \(16\), large \(40\)"):
        codec.encode(models[::-1])
    twin = EmbeddingSet(vectors[:, ::-1].copy(), models[0].ids, provenance=Provenance(encoder="twin"))
    with pytest.raises(VecsmithError, match="in that order"):
        vecsmith.codec("fuse(large,twin)").fit([models[0], twin]).encode([twin, models[0]])


def test_a_codec_can_be_fitted_again_on_other_models(models: Models) -> None:
    codec = vecsmith.codec("fuse(a,b)").fit(models)
    assert codec.fit(models[::-1]).blocks == {"static": 16, "large": 40}


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("fuse(a)", "names one model; name two or more"),
        ("fuse(a,)", "does not name its models"),
        ("fuse(a=0.7,b)", "does not name its models"),
        ("fuse(a,b:-1)", "gives b the weight -1; weights are 0 or more"),
        ("fuse(a,b:0.7:2)", "does not name its models"),
        ("fuse(a:0,b:0)", "weight 0"),
        ("fuse(a,b:0.7):fit", "chooses the weights"),
        ("pca16,fuse(a,b)", "first"),
    ],
)
def test_specs_that_make_no_sense_are_refused(spec: str, sentence: str) -> None:
    with pytest.raises(VecsmithError, match=sentence):
        vecsmith.codec(spec)


def test_vectors_without_blocks_need_widths(models: Models) -> None:
    X = fuse(models).vectors
    with pytest.raises(VecsmithError, match=r"an embedding set per model, or write their dimensions"):
        vecsmith.codec("fuse(a,b)").fit(X)
    with pytest.raises(VecsmithError, match="these have 56"):
        vecsmith.codec("fuse(a@40,b@17)").fit(X)
    with pytest.raises(VecsmithError, match="of 40 and 16 dimensions"):
        vecsmith.codec("fuse(a@20,b@36)").fit(models)
    with pytest.raises(VecsmithError, match="of 3 models, but the vectors are of 2"):
        vecsmith.codec("fuse(a,b,c)").fit(models)
    assert vecsmith.codec("fuse(a@40,b@16)").fit(X).encode(X).shape == (600, 4 * 56)


def test_a_model_that_knows_nothing_gets_weight_0_and_one_that_helps_does_not(models: Models) -> None:
    rng = np.random.default_rng(3)
    ids = models[0].ids
    blind = EmbeddingSet(rng.standard_normal((600, 16), np.float32), ids, provenance=Provenance(encoder="blind"))
    helped = vecsmith.codec("fuse(large,static):fit").fit(models).stages[0]
    assert 0.1 < helped.weights[1] / helped.weights[0] < 1.5
    gated = vecsmith.codec("fuse(large,blind):fit").fit([models[0], blind]).stages[0]
    assert gated.weights[1] == 0
    assert "blind did not help and got 0" in gated.verdict()
    three = vecsmith.codec("fuse(large,blind,static):fit").fit([models[0], blind, models[1]]).stages[0]
    assert three.weights[1] == 0 < three.weights[2]


def test_component_weights_draw_a_spectrum_together(vectors: Vectors) -> None:
    codec = vecsmith.codec("fuse(a@24,b@16):fit").fit(vectors)
    Z = codec.stages[0].transform(vectors)[:, :24]
    before, after = (np.linalg.svd(normalize(X), compute_uv=False) for X in (vectors[:, :24], Z))
    assert after[0] / after[-1] < before[0] / before[-1]


def test_encoders_joined_by_a_plus() -> None:
    assert split_spec("vectors:minilm+static") == ["vectors:minilm", "static"]
    assert split_spec("st:dir+of/model+st:b") == ["st:dir+of/model", "st:b"]
    assert split_spec("static+vectors:a+b,c") == ["static", "vectors:a+b,c"]
    texts = Texts(["1", "2"], ["the cat sat", "a train"], "two texts")
    fused = embed_texts(load_encoder("static+static"), texts, "passage")
    single = embed_texts(load_encoder("static"), texts, "passage")
    np.testing.assert_array_equal(fused.vectors, np.hstack([single.vectors] * 2))
    np.testing.assert_allclose(load_encoder("static+static").encode(texts.texts, "passage"), fused.vectors, atol=1e-6)


def test_joined_encoders_are_written_once(tmp_path: Path) -> None:
    texts = Texts(["1", "2"], ["the cat sat", "a train"], "two texts")
    encoder = load_encoder("static+static")
    first = embed_texts(encoder, texts, "passage", tmp_path / "out")
    assert embed_texts(encoder, texts, "passage", tmp_path / "out").fingerprint == first.fingerprint
    assert list(first.blocks.values()) == [256, 256]


def test_commands_take_a_set_per_model(models: Models, tmp_path: Path) -> None:
    files = [tmp_path / "large.npy", tmp_path / "small.npy"]
    for file, each in zip(files, models, strict=True):
        np.save(file, each.vectors)
    vectors = ["--vectors", str(files[0]), "--vectors", str(files[1])]
    codec, codes = str(tmp_path / "codec"), str(tmp_path / "codes")
    spec = "fuse(large,small):fit,pca16,int8"
    fitted = CliRunner().invoke(app, ["fit", spec, *vectors, "--out", codec])
    assert "Weights of the models: large 1, small 0." in fitted.output
    assert CliRunner().invoke(app, ["encode", codec, *vectors, "--out", codes]).exit_code == 0
    assert np.array_equal(np.load(tmp_path / "codes" / "codes.npy"), vecsmith.codec(spec).fit(models).encode(models))
    shown = json.loads(CliRunner().invoke(app, ["info", codec, "--json"]).stdout)
    assert shown["models"] == {"large": 40, "small": 16}
    assert 0 < shown["weights"]["small"] < 1
    swapped = CliRunner().invoke(app, ["encode", codec, *vectors[2:], *vectors[:2], "--out", codes])
    assert "in that order" in str(swapped.exception)


@pytest.mark.data
def test_static_vectors_help_a_transformer(beir: Callable[[str], Path]) -> None:
    task = vecsmith.load_task(str(beir("scifact")))
    corpus, _ = embed_task(task, "vectors:minilm+static")
    assert list(corpus.blocks.values()) == [384, 256]
    alone = vecsmith.compare([task], ["vectors:minilm"], [])[0].ndcg_at_10
    results = vecsmith.compare([task], ["vectors:minilm+static"], ["fuse(a,b:0.7)", "fuse(a,b):fit"])
    assert results[1].ndcg_at_10 > 1.035 * alone
    assert results[2].ndcg_at_10 > 1.04 * alone
