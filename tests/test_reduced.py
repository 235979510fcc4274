"""Reduced vectors as embedding sets, and what they are used for."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import vecsmith
from test_cli import refused, run
from vecsmith.codecs import reduce_set
from vecsmith.embeddings import Provenance, fuse
from vecsmith.encoders import embed_task
from vecsmith.errors import VecsmithError
from vecsmith.index import CodeSet, codes_of
from vecsmith.stores import export_codes, import_set
from vecsmith.stores.embedding_store import EmbeddingStore
from vecsmith.tasks import load_task
from vecsmith.translators.sets import fit_sets, translate_set

Vectors = NDArray[np.float32]


def named(vectors: Vectors, encoder: str) -> vecsmith.EmbeddingSet:
    ids = [f"d{row}" for row in range(len(vectors))]
    return vecsmith.EmbeddingSet(vectors, ids, [f"text {id_}" for id_ in ids], Provenance(encoder=encoder))


@pytest.mark.parametrize("spec", ["pca16", "pca16,int8", "autoencoder16", "truncate20,pca8,trellis4B"])
def test_a_reduced_set_is_what_transform_returns(spec: str, vectors: Vectors, tmp_path: Path) -> None:
    embedded = named(np.tile(vectors, (5, 1)) * 3, "st:one")
    codec = vecsmith.codec(spec, 1).fit(embedded.unit)
    reduced = reduce_set(codec, embedded, tmp_path / "reduced")
    assert np.array_equal(reduced.vectors, codec.transform(embedded.unit))
    assert reduced.vectors.shape == (3000, codec.dimensions)
    assert (reduced.ids, reduced.texts) == (embedded.ids, embedded.texts)
    made = reduced.provenance
    assert (made.encoder, made.content_hash, made.dtype) == ("st:one", embedded.provenance.content_hash, "float32")
    assert made.reduced_by.partition(" ")[0] == spec.removesuffix(",int8").removesuffix(",trellis4B")
    assert made.space == f"st:one, reduced by {made.reduced_by.partition(' ')[0]}"
    # again, with a codec of other weights: the set is replaced, and says so
    other = reduce_set(vecsmith.codec(spec, 1).fit(vectors[::-1] ** 2), embedded, tmp_path / "reduced")
    assert (other.provenance.reduced_by == made.reduced_by) == (spec == "truncate20")


def test_codecs_without_a_reducer_and_other_folders_are_refused(vectors: Vectors, tmp_path: Path) -> None:
    embedded = named(vectors, "")
    with pytest.raises(VecsmithError, match="has no reducer"):
        reduce_set(vecsmith.codec("int8").fit(vectors), embedded, tmp_path / "reduced")
    codec = vecsmith.codec("pca8").fit(vectors)
    codec.save(tmp_path / "codec")
    with pytest.raises(VecsmithError, match="something else"):
        reduce_set(codec, embedded, tmp_path / "codec")
    assert vecsmith.load_codec(tmp_path / "codec").spec == "pca8"
    with pytest.raises(VecsmithError, match="40 dimensions"):
        reduce_set(codec, named(vectors[:, :30].copy(), ""), tmp_path / "reduced")
    assert not (tmp_path / "reduced").exists()


def test_fused_reduced_sets_are_targets_of_translators_and_are_stored(vectors: Vectors, tmp_path: Path) -> None:
    pytest.importorskip("chromadb")
    pair = fuse([named(vectors[:, :24].copy(), "st:a"), named(vectors[:, 24:].copy(), "st:b")])
    codec = vecsmith.codec("fuse(a,b),pca12").fit(pair.unit, pair.blocks)
    target = reduce_set(codec, pair, tmp_path / "target")
    assert target.blocks == {}
    source = named(vectors[:, ::2].copy(), "st:new")
    fitted = vecsmith.translator("linear")
    fit_sets(fitted, source, target)
    assert fitted.target == "st:a+st:b, reduced by fuse(a,b),pca12"
    translated = translate_set(fitted, source, tmp_path / "translated")
    assert (translated.dimensions, translated.provenance.encoder) == (12, fitted.target)
    cosines = (translated.unit[:] * target.unit[:]).sum(axis=1)
    assert cosines.mean() > 0.7
    store = EmbeddingStore(tmp_path / "store")
    name = store.put(target)
    assert "pca12" in name
    assert store.get(name).provenance == target.provenance
    # queries of the new model, translated into the reduced space that was searched before
    from vecsmith.translators import query_encoder, translate_queries

    binary = vecsmith.codec("int8").fit(target.unit)
    codes = CodeSet.encode(binary, target, tmp_path / "codes")
    assert query_encoder(fitted, codes.provenance) == "st:new"
    assert translate_queries(fitted, source.unit[:3], codes.provenance).shape == (3, 12)


def test_reduced_files_of_a_task_are_compared(vectors: Vectors, tmp_path: Path) -> None:
    folder = tmp_path / "toy"
    (folder / "qrels").mkdir(parents=True)
    for name, prefix, count in (("corpus", "d", 100), ("queries", "q", 20)):
        lines = [json.dumps({"_id": f"{prefix}{row}", "text": f"{name} {row}"}) for row in range(count)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
        np.save(tmp_path / f"{name}.npy", vectors[:count])
    judged = "".join(f"q{row}\td{row}\t1\n" for row in range(20))
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}")
    codec = tmp_path / "codec"
    assert run("fit", "pca8,int8", "--vectors", tmp_path / "corpus.npy", "--out", codec).returncode == 0
    for name in ("corpus", "queries"):
        arguments = ("--vectors", tmp_path / f"{name}.npy", "--out", tmp_path / "reduced" / name)
        result = run("encode", codec, "--reduced", *arguments)
        assert result.returncode == 0
        assert "× 8 float32" in result.stderr
    corpus, queries = embed_task(load_task(str(folder)), f"vectors:{tmp_path / 'reduced'}")
    assert corpus.provenance.reduced_by == queries.provenance.reduced_by != ""
    [_, line] = vecsmith.compare([str(folder)], [f"vectors:{tmp_path / 'reduced'}"], ["int8"], fit_on="corpus")
    assert (line.dimensions, line.bytes_per_vector) == (8, 8)
    assert line.ndcg_at_10 > 0.9
    said = refused("encode", codec, "--reduced", "--vectors", tmp_path / "corpus.npy", "--out", codec)
    assert "something else" in said


@pytest.mark.parametrize("store", ["npy", "faiss", "usearch", "lancedb", "chroma"])
def test_a_reduced_set_is_exported_and_comes_back(store: str, vectors: Vectors, tmp_path: Path) -> None:
    pytest.importorskip({"npy": "numpy", "chroma": "chromadb"}.get(store, store))
    reduced = reduce_set(vecsmith.codec("pca16").fit(vectors), named(vectors, "st:one"), tmp_path / "reduced")
    where = tmp_path / ("out.npy" if store == "npy" else "out")
    with codes_of(tmp_path / "reduced") as codes:
        export_codes(codes, store, str(where), decoded=True)
    back = import_set(store, str(where), tmp_path / "back")
    assert back.dimensions == 16
    # some stores keep float16; files have no ids, and a database has an order of its own
    order = [int(id_.removeprefix("d")) for id_ in back.ids]
    np.testing.assert_allclose(back.unit[:], reduced.unit[:][order], atol=1e-3)
