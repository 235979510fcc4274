"""Fitting, writing and searching on Ray: the same results as threads of one process give."""

import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import vecsmith
from vecsmith.distributed.engines import LocalEngine, RayEngine, ray_session
from vecsmith.distributed.fitting import fit
from vecsmith.distributed.sources import open_source
from vecsmith.distributed.writing import embed, encode
from vecsmith.embeddings import Columns, EmbeddingSet
from vecsmith.encoders import load_encoder
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.metrics import evaluate

pytestmark = pytest.mark.slow
ROWS, D, FILES = 3000, 32, 5


@pytest.fixture(scope="module")
def ray_instance():
    """One instance of Ray for all tests of this file; its workers get as much of the processor as the tests."""
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 - the name that Ray reads
    with ray_session() as ray:
        yield ray


@pytest.fixture(scope="module", name="X")
def made_vectors():
    return np.random.default_rng(0).standard_normal((ROWS, D)).astype(np.float32)


@pytest.fixture(scope="module")
def corpus(X, tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    for number, rows in enumerate(np.array_split(np.arange(ROWS), FILES)):
        lists = pa.FixedSizeListArray.from_arrays(pa.array(X[rows].ravel()), D)
        columns = {"id": [f"d{row}" for row in rows], "text": [f"text {row}" for row in rows], "vector": lists}
        pq.write_table(pa.table(columns), folder / f"{number}.parquet")
    return folder


def same_files(a, b):
    """Assert that two folders have the same files."""
    names = sorted(file.relative_to(a) for file in a.rglob("*") if file.is_file())
    assert names == sorted(file.relative_to(b) for file in b.rglob("*") if file.is_file())
    assert all((a / name).read_bytes() == (b / name).read_bytes() for name in names)


def test_ray_fits_writes_and_searches_as_threads_do(ray_instance, corpus, X, tmp_path, monkeypatch):
    monkeypatch.setattr("vecsmith.distributed.fitting.FIT_VECTORS", 1000)
    source = open_source(corpus)
    codecs = [fit("trellis8B", source, 1, engine) for engine in (LocalEngine(), RayEngine())]
    for name, weights in codecs[0].weights().items():
        np.testing.assert_array_equal(weights, codecs[1].weights()[name])
    encode(codecs[0], source, tmp_path / "local")
    encode(codecs[1], source, tmp_path / "ray", RayEngine())
    same_files(tmp_path / "local", tmp_path / "ray")
    one = vecsmith.Index.load(tmp_path / "local")
    with vecsmith.distributed.Index(tmp_path / "ray", actors=2) as several:
        assert len(several) == ROWS
        found, expected = several.search(X[:50], 10), one.search(X[:50], 10)
        assert several.ids(np.array([2999, 0, 1700])) == ["d2999", "d0", "d1700"]
        qrels = {str(row): {f"d{row}": 1} for row in range(50)}
        quality = several.evaluate(X[:50], list(map(str, range(50))), qrels, ["RR"])
        ids = [f"d{row}" for row in range(ROWS)]
        same = evaluate(*one.search(X[:50], 1000), list(map(str, range(50))), ids, qrels, metrics=["RR"])
        assert quality.query_ids == same.query_ids
        np.testing.assert_array_equal(quality.values["RR"], same.values["RR"])
    np.testing.assert_allclose(found[0], expected[0], atol=1e-5)
    np.testing.assert_array_equal(found[1], expected[1])


def test_embedding_on_ray_equals_one_machine(ray_instance, corpus, tmp_path):
    source, encoder = open_source(corpus, Columns(), texts=True), load_encoder("static")
    embed(encoder, source, tmp_path / "local")
    embed(encoder, source, tmp_path / "ray", RayEngine())
    same_files(tmp_path / "local", tmp_path / "ray")
    assert EmbeddingSet.open(tmp_path / "ray").texts == [f"text {row}" for row in range(ROWS)]


def test_stages_of_a_pipeline(ray_instance, corpus, X):
    codec = vecsmith.codec("binary").fit(X)
    dataset = vecsmith.distributed.encode(ray_instance.data.read_parquet(str(corpus)), codec, concurrency=None)
    rows = {row["id"]: row["code"] for row in dataset.take_all()}
    np.testing.assert_array_equal(np.stack([rows[f"d{row}"] for row in range(ROWS)]), codec.encode(X))


def test_errors_of_workers_are_sentences(ray_instance, corpus, X, tmp_path):
    codec = vecsmith.codec("binary").fit(X)
    broken = X[:10].copy()
    broken[3, 0] = np.nan
    lists = pa.FixedSizeListArray.from_arrays(pa.array(broken.ravel()), D)
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"id": list("abcdefghij"), "vector": lists}), tmp_path / "in" / "0.parquet")
    with pytest.raises(VecsmithError, match=r"0.parquet has a NaN or infinite value in row 3"):
        encode(codec, open_source(tmp_path / "in"), tmp_path / "codes", RayEngine())
    assert not (tmp_path / "codes" / "manifest.json").exists()
    with pytest.raises(VecsmithError, match="asks for 1"):
        encode(codec, open_source(corpus), tmp_path / "codes", RayEngine(num_gpus=1), force=True)


def test_a_missing_cluster_and_a_missing_package(corpus, X, tmp_path):
    vecsmith.codec("binary").fit(X).save(tmp_path / "codec")
    command = [sys.executable, "-m", "vecsmith", "encode", str(tmp_path / "codec"), "--vectors", str(corpus)]
    command += ["--out", str(tmp_path / "codes"), "--engine", "ray"]
    absent = {**os.environ, "PYTHONPATH": f"{tmp_path / 'hidden'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "ray.py").write_text("raise ImportError('no ray')")
    refused = subprocess.run(command, env=absent, capture_output=True, text=True, check=False)
    assert refused.returncode == 2 and "pip install 'vecsmith[ray]'" in refused.stderr
    refused = subprocess.run([*command, "--ray-address", "127.0.0.1:1"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2 and "No connection to Ray at 127.0.0.1:1" in refused.stderr
    assert not (tmp_path / "codes").exists()


def test_search_needs_codes_in_parts(corpus):
    with pytest.raises(VecsmithError, match="holds no codes in parts"):
        vecsmith.distributed.Index(corpus)
